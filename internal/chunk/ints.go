package chunk

import (
	"encoding/binary"
	"slices"
)

// Whole numbers are stored as the differences of each to the one before, as zigzag varints. After
// a difference of 0 stands how many further ones are 0.

func appendInts(b []byte, vs []int64) []byte {
	var before int64
	for i := 0; i < len(vs); {
		d := vs[i] - before
		b = binary.AppendVarint(b, d)
		before = vs[i]
		i++
		if d != 0 {
			continue
		}
		run := 0
		for i < len(vs) && vs[i] == before {
			run, i = run+1, i+1
		}
		b = binary.AppendUvarint(b, uint64(run))
	}
	return b
}

// appendTimes stores the differences of the differences.
func appendTimes(b []byte, times []int64) []byte {
	steps := make([]int64, len(times))
	var before int64
	for i, t := range times {
		steps[i], before = t-before, t
	}
	return appendInts(b, steps)
}

// appendBytes stores each run of equal bytes as the byte and its length.
func appendBytes(b, vs []byte) []byte {
	for i := 0; i < len(vs); {
		end := i
		for end < len(vs) && vs[end] == vs[i] {
			end++
		}
		b = binary.AppendUvarint(append(b, vs[i]), uint64(end-i))
		i = end
	}
	return b
}

// A reader reads what was packed. After an error it is bad, and returns zeros.
type reader struct {
	b     []byte
	bad   bool
	whole []int64 // memory of ints
}

func (r *reader) fail() { r.b, r.bad = nil, true }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.fail()
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// ints reads n whole numbers. They hold until the next ones are read.
func (r *reader) ints(n int) []int64 {
	r.whole = r.intsInto(r.whole, n)
	return r.whole
}

// intsInto reads n whole numbers, into the memory of into if they have room there.
func (r *reader) intsInto(into []int64, n int) []int64 {
	vs := slices.Grow(into[:0], n)[:n]
	var before int64
	i := 0
	for i < n && !r.bad {
		d := r.difference()
		before += d
		vs[i] = before
		i++
		if d != 0 {
			continue
		}
		run := r.uvarint()
		if run > uint64(n-i) {
			r.fail()
			break
		}
		for end := i + int(run); i < end; i++ {
			vs[i] = before
		}
	}
	clear(vs[i:])
	return vs
}

// difference is varint, and faster: most have one byte.
func (r *reader) difference() int64 {
	if len(r.b) > 0 && r.b[0] < 0x80 {
		v := r.b[0]
		r.b = r.b[1:]
		return int64(v>>1) ^ -int64(v&1)
	}
	return r.varint()
}

func (r *reader) times(n int, into []int64) []int64 {
	vs := r.intsInto(into, n)
	var at int64
	for i, step := range vs {
		at += step
		vs[i] = at
	}
	return vs
}

func (r *reader) bytes(n int) []byte {
	vs := make([]byte, 0, n)
	for len(vs) < n && !r.bad {
		v, run := r.byte(), r.uvarint()
		if run == 0 || run > uint64(n-len(vs)) {
			r.fail()
			break
		}
		for range run {
			vs = append(vs, v)
		}
	}
	return vs
}
