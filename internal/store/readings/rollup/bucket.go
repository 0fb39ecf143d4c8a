// Package rollup summarises numbers in buckets of time: it makes buckets of values, wider ones of these,
// and packs them into the bodies that are stored. It knows no SQL. All times are milliseconds since 1970.
package rollup

import (
	"cmp"
	"math"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

// A Bucket summarises the numbers of a series in a stretch of time. Its numbers have the unit of the series.
type Bucket struct {
	At          int64 // the begin of the stretch, in milliseconds since 1970
	Count       int64 // of values; those of buckets in Buckets have at least one
	First, Last float64
	Min, Max    float64
	Sum         float64 // finite, also where the exact one is too large for a float64
}

func (b *Bucket) add(v float64) {
	if b.Count == 0 {
		b.First, b.Min, b.Max = v, v, v
	}
	b.Count++
	b.Last = v
	if v < b.Min {
		b.Min = v
	}
	if v > b.Max {
		b.Max = v
	}
	b.Sum = finiteSum(b.Sum, v)
}

// finiteSum is x + y, or the number next to it that a float64 can have: an infinite sum would become no
// number with the next one, and SQLite stores none of these.
func finiteSum(x, y float64) float64 {
	s := x + y
	if s > math.MaxFloat64 || s < -math.MaxFloat64 {
		return math.Copysign(math.MaxFloat64, s)
	}
	return s
}

// merge adds a later bucket.
func (b *Bucket) merge(o Bucket) {
	if b.Count == 0 {
		at := b.At
		*b = o
		b.At = at
		return
	}
	b.Count += o.Count
	b.Last, b.Min, b.Max = o.Last, min(b.Min, o.Min), max(b.Max, o.Max)
	b.Sum = finiteSum(b.Sum, o.Sum)
}

// Buckets are those of each slot, in the order of their times. A slot names a series; what it means is up
// to the caller.
type Buckets map[uint32][]Bucket

// Begin is the begin of the stretch that a time is in. Stretches of width milliseconds begin at multiples
// of width since 1970, also before 1970.
func Begin(at, width int64) int64 {
	over := at % width
	if over < 0 {
		over += width
	}
	return at - over
}

// Add adds a value to the bucket of a slot that begins at begin: the last one of the slot, or a new one
// after it. Values come in the order of their times.
func (bs Buckets) Add(slot uint32, begin int64, v float64) {
	of := bs[slot]
	if n := len(of); n == 0 || of[n-1].At != begin {
		of = append(of, Bucket{At: begin})
		bs[slot] = of
	}
	of[len(of)-1].add(v)
}

// AddChunk adds the values of a later chunk in [from, to), each stretch of width milliseconds. Texts have
// no buckets. It adds none, and returns false, if a series has two columns.
func (bs Buckets) AddChunk(k *chunk.Chunk, from, to, width int64) bool {
	for i := 1; i < len(k.Columns); i++ {
		if k.Columns[i].Slot == k.Columns[i-1].Slot {
			return false
		}
	}
	for i := range k.Columns {
		if c := &k.Columns[i]; c.Kind != domain.TextValue {
			if of := addColumn(bs[c.Slot], c, k.Times, from, to, width); len(of) > 0 {
				bs[c.Slot] = of
			}
		}
	}
	return true
}

func addColumn(of []Bucket, c *chunk.Column, times []int64, from, to, width int64) []Bucket {
	value, end := 0, int64(0) // of the values before, and of the last bucket
	if n := len(of); n > 0 {
		end = of[n-1].At + width
	}
	of = slices.Grow(of, stretchesIn(times, width))
	for i, at := range times {
		if c.Present != nil && !c.Present[i] {
			continue
		}
		value++
		if at < from || at >= to {
			continue
		}
		if len(of) == 0 || at >= end {
			begin := Begin(at, width)
			of, end = append(of, Bucket{At: begin}), begin+width
		}
		if c.Kind == domain.BoolValue {
			of[len(of)-1].add(domain.Bool(c.Bools[value-1]).Float())
		} else {
			of[len(of)-1].add(c.Numbers[value-1])
		}
	}
	return of
}

// stretchesIn is how many stretches of width there are at most from the first time to the last.
func stretchesIn(times []int64, width int64) int {
	if len(times) == 0 {
		return 0
	}
	return int(min(int64(len(times)), (times[len(times)-1]-times[0])/width+2))
}

// Coarser merges buckets into wider ones, of width milliseconds. The buckets themselves stay as they are.
func (bs Buckets) Coarser(width int64) Buckets {
	wide := make(Buckets, len(bs))
	for slot, of := range bs {
		n := 0
		for i := range of {
			if i == 0 || Begin(of[i].At, width) != Begin(of[i-1].At, width) {
				n++
			}
		}
		to := make([]Bucket, 0, n)
		for _, b := range of {
			at := Begin(b.At, width)
			if n := len(to); n == 0 || to[n-1].At != at {
				to = append(to, Bucket{At: at})
			}
			to[len(to)-1].merge(b)
		}
		wide[slot] = to
	}
	return wide
}

// Without removes the buckets that begin in [from, to), and slots that have none left.
func (bs Buckets) Without(from, to int64) {
	for slot, of := range bs {
		of = slices.DeleteFunc(of, func(b Bucket) bool { return b.At >= from && b.At < to })
		if bs[slot] = of; len(of) == 0 {
			delete(bs, slot)
		}
	}
}

// Follow adds later buckets.
func (bs Buckets) Follow(later Buckets) {
	for slot, of := range later {
		bs[slot] = append(bs[slot], of...)
	}
}

// Join adds the buckets of others, and sorts. It merges none: of one stretch there are then two, of which
// those of others come last.
func (bs Buckets) Join(others Buckets) {
	byBegin := func(a, b Bucket) int { return cmp.Compare(a.At, b.At) }
	for slot, of := range others {
		all := append(bs[slot], of...)
		if !slices.IsSortedFunc(all, byBegin) {
			slices.SortStableFunc(all, byBegin)
		}
		bs[slot] = all
	}
}
