// Package chunk packs what sensors measured into columns, and unpacks them. A chunk has a column
// of times, and for each series a column of values; it decides nothing about what is in it.
//
// Times are stored as differences of differences, numbers that are decimals as differences of
// whole numbers, and other numbers as the bytes in which they differ from the number before. All of
// it is then compressed by zstd (RFC 8878). A checksum (CRC-32C) covers every byte.
package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Chunk is what was measured at some times. Columns have a value for each time at which their
// series was measured.
type Chunk struct {
	Mark      int64   // belongs to the caller
	Times     []int64 // milliseconds since 1970, ascending; equal ones are allowed
	Qualities []byte  // of each time; nil: all 0
	Columns   []Column

	inflated []byte  // what UnpackInto used the last time
	whole    []int64 // likewise
}

// A Column has the values of one series, of one kind.
type Column struct {
	Slot    uint32 // names the series; belongs to the caller
	Kind    domain.ValueKind
	Present []bool    // of each time, whether there is a value; nil: always
	Numbers []float64 // of kind NumberValue; neither NaN nor infinite
	Bools   []bool
	Texts   []string
}

// Len is the number of values.
func (c *Column) Len() int { return max(len(c.Numbers), len(c.Bools), len(c.Texts)) }

// At is the value of a number, from 0.
func (c *Column) At(i int) domain.Value {
	switch c.Kind {
	case domain.BoolValue:
		return domain.Bool(c.Bools[i])
	case domain.TextValue:
		return domain.Text(c.Texts[i])
	}
	return domain.Number(c.Numbers[i])
}

// Append adds a value of the column's kind.
func (c *Column) Append(v domain.Value) {
	switch c.Kind {
	case domain.BoolValue:
		c.Bools = append(c.Bools, v.Bool)
	case domain.TextValue:
		c.Texts = append(c.Texts, v.Text)
	default:
		c.Numbers = append(c.Numbers, v.Number)
	}
}

// A Header is what can be read of a chunk without unpacking it.
type Header struct {
	Count    int // of times
	From, To int64
	Mark     int64
}

// Limits of a chunk. What exceeds them is refused when it is read, before memory is allocated.
const (
	MaxTimes    = 1 << 14
	MaxColumns  = 1 << 13
	MaxValues   = 1 << 22 // of all columns together
	maxInflated = 32 << 20
)

const (
	version       = 1
	flagPacked    = 1 << 0 // by zstd
	flagQualities = 1 << 1
	crcLength     = 4
	minPacked     = 64 // bytes; less is not worth packing
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A Codec packs and unpacks chunks. It is safe for concurrent use. The zero value is ready.
type Codec struct {
	pack   sync.Once
	unpack sync.Once
	enc    *zstd.Encoder
	dec    *zstd.Decoder
}

func (c *Codec) encoder() *zstd.Encoder {
	c.pack.Do(func() {
		// The options are constants that the library accepts.
		c.enc, _ = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithWindowSize(64<<10), zstd.WithLowerEncoderMem(true))
	})
	return c.enc
}

func (c *Codec) decoder() *zstd.Decoder {
	c.unpack.Do(func() {
		c.dec, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxInflated),
			zstd.WithDecoderLowmem(true))
	})
	return c.dec
}

// Pack returns a chunk as bytes. It panics if a column has fewer or more values than times at
// which it has one, or if there are more times or columns than a chunk may have.
func (c *Codec) Pack(k *Chunk) []byte {
	if len(k.Times) > MaxTimes || len(k.Columns) > MaxColumns {
		panic(fmt.Sprintf("chunk of %d times and %d columns", len(k.Times), len(k.Columns)))
	}
	var from, to int64
	if n := len(k.Times); n > 0 {
		from, to = k.Times[0], k.Times[n-1]
	}
	flags := byte(0)
	payload := appendTimes(make([]byte, 0, 64+4*len(k.Times)), k.Times)
	if k.Qualities != nil {
		flags |= flagQualities
		payload = appendBytes(payload, k.Qualities)
	}
	for i := range k.Columns {
		payload = appendColumn(payload, &k.Columns[i], len(k.Times))
	}
	inflated := len(payload)
	if inflated >= minPacked {
		if packed := c.encoder().EncodeAll(payload, nil); len(packed) < inflated {
			payload, flags = packed, flags|flagPacked
		}
	}
	b := make([]byte, 0, 40+len(payload))
	b = append(b, version, flags)
	b = binary.AppendUvarint(b, uint64(len(k.Times)))
	b = binary.AppendVarint(b, from)
	b = binary.AppendUvarint(b, uint64(to-from))
	b = binary.AppendVarint(b, k.Mark)
	b = binary.AppendUvarint(b, uint64(len(k.Columns)))
	b = binary.AppendUvarint(b, uint64(inflated))
	b = append(b, payload...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// ErrDamaged is returned for bytes that are not a chunk, or not as they were packed.
var ErrDamaged = errors.New("a chunk of readings is damaged")

type head struct {
	Header
	flags    byte
	columns  int
	inflated int
	payload  []byte
}

// ReadHeader reads the header of a chunk, and checks the chunk's checksum.
func ReadHeader(b []byte) (Header, error) {
	h, err := readHead(b)
	return h.Header, err
}

func readHead(b []byte) (h head, err error) {
	if len(b) < 2+crcLength || b[0] != version {
		return h, ErrDamaged
	}
	body := b[:len(b)-crcLength]
	if crc32.Checksum(body, castagnoli) != binary.LittleEndian.Uint32(b[len(body):]) {
		return h, ErrDamaged
	}
	h.flags = body[1]
	r := reader{b: body[2:]}
	count, from, length := r.uvarint(), r.varint(), r.uvarint()
	h.Mark = r.varint()
	columns, inflated := r.uvarint(), r.uvarint()
	if r.bad || count > MaxTimes || columns > MaxColumns || inflated > maxInflated || length > math.MaxInt64 {
		return h, ErrDamaged
	}
	h.Count, h.From, h.To = int(count), from, from+int64(length)
	h.columns, h.inflated, h.payload = int(columns), int(inflated), r.b
	return h, nil
}

// Unpack returns the chunk that b was packed from. want says which slots are unpacked; nil: all.
func (c *Codec) Unpack(b []byte, want func(slot uint32) bool) (*Chunk, error) {
	k := new(Chunk)
	if err := c.UnpackInto(k, b, want); err != nil {
		return nil, err
	}
	k.inflated, k.whole = nil, nil
	return k, nil
}

// UnpackInto is Unpack into a chunk whose memory is used again: what k had is overwritten, also if b is
// damaged.
func (c *Codec) UnpackInto(k *Chunk, b []byte, want func(slot uint32) bool) error {
	h, err := readHead(b)
	if err != nil {
		return err
	}
	payload := h.payload
	if h.flags&flagPacked != 0 {
		var z zstd.Header
		if z.Decode(payload) != nil || z.HasFCS && z.FrameContentSize != uint64(h.inflated) {
			return ErrDamaged
		}
		k.inflated = slices.Grow(k.inflated[:0], h.inflated)
		if k.inflated, err = c.decoder().DecodeAll(payload, k.inflated); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		payload = k.inflated
	}
	if len(payload) != h.inflated {
		return ErrDamaged
	}
	return k.unpack(&h, payload, want)
}

func (k *Chunk) unpack(h *head, payload []byte, want func(uint32) bool) error {
	r := reader{b: payload, whole: k.whole}
	k.Mark, k.Times, k.Qualities = h.Mark, r.times(h.Count, k.Times), nil
	if h.flags&flagQualities != 0 {
		k.Qualities = r.bytes(h.Count)
	}
	k.Columns = k.Columns[:0]
	values := 0
	for range h.columns {
		var numbers []float64
		if n := len(k.Columns); n < cap(k.Columns) {
			numbers = k.Columns[:n+1][n].Numbers
		}
		col, n, wanted := r.column(h.Count, want, numbers)
		if values += n; r.bad || values > MaxValues {
			return ErrDamaged
		}
		if wanted {
			k.Columns = append(k.Columns, col)
		}
	}
	k.whole = r.whole
	if r.bad || len(r.b) > 0 {
		return ErrDamaged
	}
	return nil
}
