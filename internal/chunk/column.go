package chunk

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

// A column is its slot, its kind, how it is encoded, its length, where it has values, and the values.
// A reader that does not want it skips it by its length.

// MaxScale is the largest number of decimals of a number that is stored as a whole number.
const MaxScale = 9

const (
	encodedFloats = 0x20 // numbers that are no short decimals
	encodedGaps   = 0x80 // with the times at which there is no value
)

var powers = [MaxScale + 1]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9}

// Scaled returns v times 10 to the power of scale, if that is a whole number from which v comes
// back exactly. Minus zero does not.
func Scaled(v float64, scale int) (n int64, ok bool) {
	s := math.Round(v * powers[scale])
	if math.Abs(s) > 1<<53 || s/powers[scale] != v || v == 0 && math.Signbit(v) {
		return 0, false
	}
	return int64(s), true
}

// Unscaled returns the number that n is Scaled of.
func Unscaled(n int64, scale int) float64 { return float64(n) / powers[scale] }

// scaleOf returns the least scale at which all of vs are whole numbers, with these; ok is false
// if there is none.
func scaleOf(vs []float64) (scale int, whole []int64, ok bool) {
	whole = make([]int64, len(vs))
	for i := 0; i < len(vs); {
		n, ok := Scaled(vs[i], scale)
		if ok {
			whole[i] = n
			i++
			continue
		}
		if scale++; scale > MaxScale {
			return 0, nil, false
		}
		i = 0
	}
	return scale, whole, true
}

func appendColumn(b []byte, c *Column, times int) []byte {
	n := times
	if c.Present != nil {
		n = 0
		for _, is := range c.Present {
			if is {
				n++
			}
		}
	}
	if c.Len() != n {
		panic(fmt.Sprintf("a column of %d values for %d times", c.Len(), n))
	}
	var body []byte
	how := byte(0)
	if n < times {
		how = encodedGaps
		body = appendPresent(body, c.Present)
	}
	switch c.Kind {
	case domain.BoolValue:
		body = appendInts(body, intsOf(c.Bools))
	case domain.TextValue:
		body = appendTexts(body, c.Texts)
	default:
		if scale, whole, ok := scaleOf(c.Numbers); ok {
			how |= byte(scale)
			body = appendInts(body, whole)
		} else {
			how |= encodedFloats
			body = appendFloats(body, c.Numbers)
		}
	}
	b = binary.AppendUvarint(b, uint64(c.Slot))
	b = append(b, byte(c.Kind), how)
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}

// column reads a column; wanted is false if want does not want it. n is how many values were read. The memory
// of numbers is used for its own.
func (r *reader) column(times int, want func(uint32) bool, numbers []float64) (c Column, n int, wanted bool) {
	slot := r.uvarint()
	kind, how := domain.ValueKind(r.byte()), r.byte()
	length := r.uvarint()
	if r.bad || slot > math.MaxUint32 || kind.String() == "" || length > uint64(len(r.b)) {
		r.fail()
		return c, 0, false
	}
	body := reader{b: r.take(int(length)), whole: r.whole}
	if want != nil && !want(uint32(slot)) {
		return c, 0, false
	}
	c, n = body.values(times, kind, how, numbers)
	c.Slot, r.whole = uint32(slot), body.whole
	if body.bad || len(body.b) > 0 {
		r.fail()
	}
	return c, n, true
}

// values reads the body of a column.
func (r *reader) values(times int, kind domain.ValueKind, how byte, numbers []float64) (c Column, n int) {
	c.Kind, n = kind, times
	if how&encodedGaps != 0 {
		c.Present, n = r.present(times)
	}
	switch how &^= encodedGaps; {
	case kind == domain.BoolValue && how == 0:
		c.Bools = boolsOf(r.ints(n))
	case kind == domain.TextValue && how == 0:
		c.Texts = r.texts(n)
	case kind == domain.NumberValue && how == encodedFloats:
		c.Numbers = r.floats(n)
	case kind == domain.NumberValue && how <= MaxScale:
		c.Numbers = slices.Grow(numbers[:0], n)[:n]
		for i, v := range r.ints(n) {
			c.Numbers[i] = Unscaled(v, int(how))
		}
	default:
		r.fail()
	}
	return c, n
}

// appendPresent stores a bit for each time.
func appendPresent(b []byte, present []bool) []byte {
	at := len(b)
	b = append(b, make([]byte, (len(present)+7)/8)...)
	for i, is := range present {
		if is {
			b[at+i/8] |= 1 << (i % 8)
		}
	}
	return b
}

func (r *reader) present(times int) (present []bool, n int) {
	packed := r.take((times + 7) / 8)
	if r.bad {
		return nil, 0
	}
	ones := 0
	for _, b := range packed {
		ones += bits.OnesCount8(b)
	}
	present = make([]bool, times)
	for i := range present {
		if present[i] = packed[i/8]&(1<<(i%8)) != 0; present[i] {
			n++
		}
	}
	if ones != n { // bits behind the last time
		r.fail()
	}
	return present, n
}

func intsOf(vs []bool) []int64 {
	ints := make([]int64, len(vs))
	for i, v := range vs {
		if v {
			ints[i] = 1
		}
	}
	return ints
}

func boolsOf(ints []int64) []bool {
	vs := make([]bool, len(ints))
	for i, v := range ints {
		vs[i] = v != 0
	}
	return vs
}

// appendTexts stores the different texts, and for each value the number of its text.
func appendTexts(b []byte, vs []string) []byte {
	codes := make([]int64, len(vs))
	known := make(map[string]int64)
	var texts []string
	for i, v := range vs {
		code, ok := known[v]
		if !ok {
			code = int64(len(texts))
			known[v], texts = code, append(texts, v)
		}
		codes[i] = code
	}
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, t := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(t))), t...)
	}
	return appendInts(b, codes)
}

func (r *reader) texts(n int) []string {
	count := r.uvarint()
	if count > uint64(n) || count > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	texts := make([]string, count)
	for i := range texts {
		length := r.uvarint()
		if length > uint64(len(r.b)) {
			r.fail()
			return nil
		}
		texts[i] = string(r.take(int(length)))
	}
	vs := make([]string, n)
	for i, code := range r.ints(n) {
		if code < 0 || code >= int64(len(texts)) {
			r.fail()
			return nil
		}
		vs[i] = texts[code]
	}
	return vs
}

// appendFloats stores the bits in which each number differs from the one before: first the
// highest bytes of all, then the next ones. zstd finds the equal ones then.
func appendFloats(b []byte, vs []float64) []byte {
	at, n := len(b), len(vs)
	b = append(b, make([]byte, 8*n)...)
	var before uint64
	for i, v := range vs {
		now := math.Float64bits(v)
		d := now ^ before
		before = now
		for plane := range 8 {
			b[at+plane*n+i] = byte(d >> (56 - 8*plane))
		}
	}
	return b
}

func (r *reader) floats(n int) []float64 {
	b := r.take(8 * n)
	if r.bad {
		return nil
	}
	vs := make([]float64, n)
	var before uint64
	for i := range vs {
		for plane := range 8 {
			before ^= uint64(b[plane*n+i]) << (56 - 8*plane)
		}
		vs[i] = math.Float64frombits(before)
	}
	return vs
}
