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
	switch v := v.(type) {
	case nil:
		return append(b, 0xc0)
	case bool:
		if v {
			return append(b, 0xc3)
		}
		return append(b, 0xc2)
	case int:
		return packInt(b, int64(v))
	case int64:
		return packInt(b, v)
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(v))
	case string:
		return append(packLen(b, len(v), 0xa0, 31, 0xd9), v...)
	case []byte:
		return append(packLen(b, len(v), 0, -1, 0xc4), v...)
	case []any:
		b = packLen(b, len(v), 0x90, 15, 0xdb)
		for _, item := range v {
			b = pack(b, item)
		}
		return b
	case map[string]any:
		b = packLen(b, len(v), 0x80, 15, 0xdd)
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = pack(pack(b, key), v[key])
		}
		return b
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
	sizes := map[byte]int{0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4}
	size, known := sizes[c]
	if !known {
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
