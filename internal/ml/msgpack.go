package ml

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
)

// The part of MessagePack (https://msgpack.org) that server and worker speak: nil, booleans, integers
// of 64 bits, float64, text, bytes, arrays, and maps whose keys are texts. There are no extensions.

// Bounds of what is read: how deep arrays and maps are nested, and how many values a message has, which take far more
// memory than their bytes. The largest answer has 1024 items of 64 tensors, each of 9 values and its dimensions.
const (
	maxDepth  = 32
	maxValues = 1 << 20
)

var errPacked = errors.New("not the MessagePack that workers speak")

// pack appends v: nil, bool, int, int64, float64, string, []byte, []any or map[string]any. Keys are
// sorted, so that the same value has the same bytes.
func pack(b []byte, v any) []byte {
	p := packer{b: b, apart: math.MaxInt}
	p.pack(v)
	return p.b
}

// A packer packs values. Bytes of at least apart are not copied, but have their place in parts.
type packer struct {
	parts [][]byte // what is before b
	b     []byte
	apart int
	size  int // of parts
}

func (p *packer) pack(v any) {
	switch v := v.(type) {
	case nil:
		p.b = append(p.b, 0xc0)
	case bool:
		if v {
			p.b = append(p.b, 0xc3)
			return
		}
		p.b = append(p.b, 0xc2)
	case int:
		p.b = packInt(p.b, int64(v))
	case int64:
		p.b = packInt(p.b, v)
	case float64:
		p.b = binary.BigEndian.AppendUint64(append(p.b, 0xcb), math.Float64bits(v))
	case string:
		p.b = append(packLen(p.b, len(v), 0xa0, 31, 0xd9), v...)
	case []byte:
		p.b = packLen(p.b, len(v), 0, -1, 0xc4)
		if len(v) < p.apart {
			p.b = append(p.b, v...)
			return
		}
		p.parts = append(p.parts, p.b, v)
		p.size += len(p.b) + len(v)
		p.b = p.b[len(p.b):]
	case []any:
		p.b = packLen(p.b, len(v), 0x90, 15, 0xdb)
		for _, item := range v {
			p.pack(item)
		}
	case map[string]any:
		p.b = packLen(p.b, len(v), 0x80, 15, 0xdd)
		var few [8]string // most have no more
		keys := slices.AppendSeq(few[:0], maps.Keys(v))
		slices.Sort(keys)
		for _, key := range keys {
			p.b = append(packLen(p.b, len(key), 0xa0, 31, 0xd9), key...)
			p.pack(v[key])
		}
	default:
		panic(fmt.Sprintf("ml: cannot pack %T", v)) // a mistake of this package
	}
}

func packInt(b []byte, n int64) []byte {
	if n >= -32 && n <= 127 {
		return append(b, byte(n)) //nolint:gosec // two's complement, as MessagePack has small integers
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n)) //nolint:gosec // the same
}

// packLen appends a length: in the byte small, up to most; else behind the byte of eight bits, or
// that of 16 or 32 bits after it. Arrays and maps have none of eight bits.
func packLen(b []byte, n int, small byte, most int, eight byte) []byte {
	switch {
	case n <= most:
		return append(b, small|byte(n))
	case n <= math.MaxUint8 && eight < 0xdb:
		return append(b, eight, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, eight+1), uint16(n))
	default:
		return binary.BigEndian.AppendUint32(append(b, eight+2), uint32(n)) //nolint:gosec // messages are bounded
	}
}

// unpack reads one value, which is all of b. Nothing that b says is trusted.
func unpack(b []byte) (any, error) {
	u := unpacker{b: b}
	v, err := u.value(0)
	if err == nil && len(u.b) > 0 {
		err = fmt.Errorf("%w: %d bytes after the value", errPacked, len(u.b))
	}
	return v, err
}

type unpacker struct {
	b      []byte
	values int // read so far
}

func (u *unpacker) take(n int) ([]byte, error) {
	if n > len(u.b) {
		return nil, fmt.Errorf("%w: it ends early", errPacked)
	}
	taken := u.b[:n:n]
	u.b = u.b[n:]
	return taken, nil
}

// number reads an unsigned one of size bytes.
func (u *unpacker) number(size int) (uint64, error) {
	b, err := u.take(size)
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, err
}

func (u *unpacker) value(depth int) (any, error) {
	first, err := u.take(1)
	if err != nil {
		return nil, err
	}
	if u.values++; u.values > maxValues {
		return nil, fmt.Errorf("%w: more than %d values", errPacked, maxValues)
	}
	c := first[0]
	switch {
	case c <= 0x7f, c >= 0xe0:
		return int64(int8(c)), nil //nolint:gosec // two's complement
	case c <= 0x8f:
		return u.table(int(c&15), depth)
	case c <= 0x9f:
		return u.array(int(c&15), depth)
	case c <= 0xbf:
		return u.text(int(c & 31))
	}
	switch c {
	case 0xc0:
		return nil, nil
	case 0xc2, 0xc3:
		return c == 0xc3, nil
	case 0xca:
		n, err := u.number(4)
		return float64(math.Float32frombits(uint32(n))), err //nolint:gosec // four bytes
	case 0xcb:
		n, err := u.number(8)
		return math.Float64frombits(n), err
	case 0xcc, 0xcd, 0xce, 0xcf:
		n, err := u.number(1 << (c - 0xcc))
		if n > math.MaxInt64 {
			return nil, fmt.Errorf("%w: an integer above 2^63-1", errPacked)
		}
		return int64(n), err //nolint:gosec // checked
	case 0xd0, 0xd1, 0xd2, 0xd3:
		size := 1 << (c - 0xd0)
		n, err := u.number(size)
		return int64(n<<(64-8*size)) >> (64 - 8*size), err //nolint:gosec // extends the sign
	}
	return u.long(c, depth)
}

// long reads what has its length apart.
func (u *unpacker) long(c byte, depth int) (any, error) {
	var size int
	switch c {
	case 0xc4, 0xd9:
		size = 1
	case 0xc5, 0xda, 0xdc, 0xde:
		size = 2
	case 0xc6, 0xdb, 0xdd, 0xdf:
		size = 4
	default:
		return nil, fmt.Errorf("%w: type %#x", errPacked, c)
	}
	n, err := u.number(size)
	if err != nil {
		return nil, err
	}
	length := int(n) //nolint:gosec // at most 32 bits
	switch c {
	case 0xc4, 0xc5, 0xc6:
		return u.take(length)
	case 0xd9, 0xda, 0xdb:
		return u.text(length)
	case 0xdc, 0xdd:
		return u.array(length, depth)
	default:
		return u.table(length, depth)
	}
}

func (u *unpacker) text(n int) (any, error) {
	b, err := u.take(n)
	if err == nil && !utf8.Valid(b) {
		err = fmt.Errorf("%w: a text that is not UTF-8", errPacked)
	}
	return string(b), err
}

func (u *unpacker) array(n, depth int) (any, error) {
	if depth >= maxDepth || n > len(u.b) { // each item is a byte at least
		return nil, fmt.Errorf("%w: an array of %d items at depth %d", errPacked, n, depth)
	}
	items := make([]any, 0, min(n, 1024))
	for range n {
		v, err := u.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (u *unpacker) table(n, depth int) (any, error) {
	if depth >= maxDepth || n > len(u.b)/2 {
		return nil, fmt.Errorf("%w: a map of %d entries at depth %d", errPacked, n, depth)
	}
	entries := make(map[string]any, min(n, 64))
	for range n {
		key, err := u.value(depth + 1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if _, twice := entries[name]; !ok || twice {
			return nil, fmt.Errorf("%w: a key that is no text, or comes twice", errPacked)
		}
		if entries[name], err = u.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return entries, nil
}
