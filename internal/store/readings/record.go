package readings

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

// A record is a report as it waits for its chunk: in a row of the journal, in a builder in memory,
// or in a row of PostgreSQL. It begins with its length; then come flags, the time, the number, and
// the values by the slots of their series.
type record struct {
	at      int64 // milliseconds since 1970
	quality domain.TimeQuality
	hasSeq  bool
	boot    uint64
	seq     uint32
	values  []slotValue
}

type slotValue struct {
	slot  uint32
	value domain.Value
}

const (
	recordSeq     = 1 << 0
	recordQuality = 1 // shift of the quality

	kindFloat = 0x0f // a number that is no short decimal; less: its scale
	kindTrue  = 0x10
	kindFalse = 0x11
	kindText  = 0x12
)

var errDamagedRecord = errors.New("a report in the journal is damaged")

// hour is the hour since 1970 that the record's chunk is of.
func (r *record) hour() int64 { return floorDiv(r.at, hourMillis) }

const (
	minuteMillis = 60_000
	hourMillis   = 60 * minuteMillis
	dayMillis    = hoursOfDay * hourMillis
	hoursOfDay   = 24

	minTime, maxTime = math.MinInt64, math.MaxInt64
)

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// appendRecord appends r, and its length before it.
func appendRecord(b []byte, r *record) []byte {
	body := make([]byte, 0, 32+8*len(r.values))
	flags := byte(r.quality) << recordQuality
	if r.hasSeq {
		flags |= recordSeq
	}
	body = append(body, flags)
	body = binary.AppendVarint(body, r.at)
	if r.hasSeq {
		body = binary.AppendUvarint(body, r.boot)
		body = binary.AppendUvarint(body, uint64(r.seq))
	}
	for _, v := range r.values {
		body = binary.AppendUvarint(body, uint64(v.slot))
		body = appendValue(body, v.value)
	}
	return append(binary.AppendUvarint(b, uint64(len(body))), body...)
}

func appendValue(b []byte, v domain.Value) []byte {
	switch v.Kind {
	case domain.BoolValue:
		if v.Bool {
			return append(b, kindTrue)
		}
		return append(b, kindFalse)
	case domain.TextValue:
		b = binary.AppendUvarint(append(b, kindText), uint64(len(v.Text)))
		return append(b, v.Text...)
	}
	for scale := range chunk.MaxScale + 1 {
		if n, ok := chunk.Scaled(v.Number, scale); ok {
			return binary.AppendVarint(append(b, byte(scale)), n)
		}
	}
	return binary.LittleEndian.AppendUint64(append(b, kindFloat), math.Float64bits(v.Number))
}

// cut splits the first record off b, which may hold any number of them.
func cut(b []byte) (body, rest []byte, err error) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, errDamagedRecord
	}
	return b[used : used+int(n)], b[used+int(n):], nil
}

// readRecord reads a record without its length.
func readRecord(body []byte) (r record, err error) {
	d := decoder{b: body}
	flags := d.byte()
	r.quality, r.hasSeq = domain.TimeQuality(flags>>recordQuality), flags&recordSeq != 0
	r.at = d.varint()
	if r.hasSeq {
		r.boot, r.seq = d.uvarint(), uint32(d.uvarint())
	}
	for len(d.b) > 0 && !d.bad {
		slot := uint32(d.uvarint())
		r.values = append(r.values, slotValue{slot, d.value()})
	}
	if d.bad {
		return r, errDamagedRecord
	}
	return r, nil
}

// readRecords reads all records of b.
func readRecords(b []byte) (rs []record, err error) {
	for len(b) > 0 {
		var body []byte
		if body, b, err = cut(b); err != nil {
			return nil, err
		}
		r, err := readRecord(body)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// A decoder reads a record. After an error it is bad.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) take(n int) []byte {
	if n > len(d.b) {
		d.b, d.bad = nil, true
		return make([]byte, n)
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) byte() byte { return d.take(1)[0] }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.b, d.bad = nil, true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) value() domain.Value {
	switch kind := d.byte(); {
	case kind <= chunk.MaxScale:
		return domain.Number(chunk.Unscaled(d.varint(), int(kind)))
	case kind == kindFloat:
		return domain.Number(math.Float64frombits(binary.LittleEndian.Uint64(d.take(8))))
	case kind == kindTrue, kind == kindFalse:
		return domain.Bool(kind == kindTrue)
	case kind == kindText:
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			break
		}
		return domain.Text(string(d.take(int(n))))
	}
	d.b, d.bad = nil, true
	return domain.Value{}
}
