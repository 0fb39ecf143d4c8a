package readings

import (
	"maps"
	"math"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

// Packed buckets are a chunk with a column for each of these, of the slot slot*width + stat. Those that
// say "over" are what a bucket has over its least value: short numbers, which take little room. A slot
// has them if all come back exactly, and else the numbers themselves.
const (
	statCount = iota
	statFirst
	statLast
	statMin
	statMax
	statSum
	statFirstOver
	statLastOver
	statMaxOver
	statSumOver // over the least value times the count

	statWidth    = 16
	statWidthOld = 8 // without those that say "over"
	markOver     = 1 // of a chunk of statWidth
)

func (repo *Repository) packBuckets(bs buckets) []byte {
	begins := make(map[int64]bool)
	for _, of := range bs {
		for _, b := range of {
			begins[b.at] = true
		}
	}
	k := chunk.Chunk{Mark: markOver, Times: slices.Sorted(maps.Keys(begins))}
	for _, slot := range slices.Sorted(maps.Keys(bs)) {
		k.Columns = append(k.Columns, statColumns(slot, bs[slot], k.Times)...)
	}
	return repo.codec.Pack(&k)
}

func statColumns(slot uint32, of []bucket, times []int64) []chunk.Column {
	var present []bool
	if len(of) < len(times) {
		present = make([]bool, len(times))
		for _, b := range of {
			i, _ := slices.BinarySearch(times, b.at)
			present[i] = true
		}
	}
	column := func(stat uint32, get func(*bucket) float64) chunk.Column {
		c := chunk.Column{Slot: slot*statWidth + stat, Kind: domain.NumberValue, Present: present,
			Numbers: make([]float64, len(of))}
		for i := range of {
			c.Numbers[i] = get(&of[i])
		}
		return c
	}
	columns := []chunk.Column{
		column(statCount, func(b *bucket) float64 { return float64(b.n) }),
		column(statMin, func(b *bucket) float64 { return b.min }),
	}
	if comeBack(of) {
		return append(columns,
			column(statFirstOver, func(b *bucket) float64 { return rounded(b.first - b.min) }),
			column(statLastOver, func(b *bucket) float64 { return rounded(b.last - b.min) }),
			column(statMaxOver, func(b *bucket) float64 { return rounded(b.max - b.min) }),
			column(statSumOver, func(b *bucket) float64 { return rounded(rounded(b.sum) - b.lowest()) }))
	}
	return append(columns,
		column(statFirst, func(b *bucket) float64 { return b.first }),
		column(statLast, func(b *bucket) float64 { return b.last }),
		column(statMax, func(b *bucket) float64 { return b.max }),
		column(statSum, func(b *bucket) float64 { return rounded(b.sum) }))
}

// lowest is what the sum is at least.
func (b *bucket) lowest() float64 { return rounded(b.min * float64(b.n)) }

// comeBack reports whether all buckets are the same again if they are packed as what they have over their
// least values.
func comeBack(of []bucket) bool {
	same := func(low, v float64) bool {
		over := rounded(v - low)
		return !math.IsInf(over, 0) && math.Float64bits(rounded(low+over)) == math.Float64bits(v)
	}
	for i := range of {
		b := &of[i]
		if !same(b.min, b.first) || !same(b.min, b.last) || !same(b.min, b.max) || !same(b.lowest(), rounded(b.sum)) {
			return false
		}
	}
	return true
}

// rounded drops what adding decimals has added in the last bits: 21.1 + 21.2 is 42.3 again, and
// takes few bytes. It keeps 9 decimals, and 15 digits of large numbers.
func rounded(sum float64) float64 {
	p := 1e9
	for p > 1 && math.Abs(sum*p) > 1<<53 {
		p /= 10
	}
	if p <= 1 {
		return sum
	}
	return math.Round(sum*p) / p
}

// unpackBuckets returns the buckets of the slots that are wanted; nil: all.
func (repo *Repository) unpackBuckets(body []byte, want func(uint32) bool) (buckets, error) {
	h, err := chunk.ReadHeader(body)
	if err != nil {
		return nil, err
	}
	width := uint32(statWidthOld)
	if h.Mark == markOver {
		width = statWidth
	}
	k, err := repo.codec.Unpack(body, func(s uint32) bool { return want == nil || want(s/width) })
	if err != nil {
		return nil, err
	}
	bs := make(buckets)
	for i := range k.Columns {
		c := &k.Columns[i]
		slot := c.Slot / width
		if bs[slot] == nil {
			bs[slot] = beginsOf(c, k.Times)
		}
		if len(bs[slot]) != len(c.Numbers) {
			return nil, chunk.ErrDamaged
		}
		for j, v := range c.Numbers {
			bs[slot][j].set(c.Slot%width, v)
		}
	}
	return bs, nil
}

func beginsOf(c *chunk.Column, times []int64) []bucket {
	of := make([]bucket, 0, c.Len())
	for i, at := range times {
		if c.Present == nil || c.Present[i] {
			of = append(of, bucket{at: at})
		}
	}
	return of
}

// set sets what a column says. The count and the least value come before what is over them.
func (b *bucket) set(stat uint32, v float64) {
	switch stat {
	case statCount:
		b.n = int64(v)
	case statFirst:
		b.first = v
	case statLast:
		b.last = v
	case statMin:
		b.min = v
	case statMax:
		b.max = v
	case statSum:
		b.sum = v
	case statFirstOver:
		b.first = rounded(b.min + v)
	case statLastOver:
		b.last = rounded(b.min + v)
	case statMaxOver:
		b.max = rounded(b.min + v)
	case statSumOver:
		b.sum = rounded(b.lowest() + v)
	}
}
