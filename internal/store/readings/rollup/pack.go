package rollup

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

// Pack returns the buckets as the body that is stored: a chunk. Sums are rounded by Round; all else comes
// back to the bit. It panics if there are more than chunk.MaxTimes begins or chunk.MaxColumns columns,
// six for each slot.
func (bs Buckets) Pack(codec *chunk.Codec) []byte {
	begins := make(map[int64]bool)
	for _, of := range bs {
		for _, b := range of {
			begins[b.At] = true
		}
	}
	k := chunk.Chunk{Mark: markOver, Times: slices.Sorted(maps.Keys(begins))}
	for _, slot := range slices.Sorted(maps.Keys(bs)) {
		k.Columns = append(k.Columns, statColumns(slot, bs[slot], k.Times)...)
	}
	return codec.Pack(&k)
}

func statColumns(slot uint32, of []Bucket, times []int64) []chunk.Column {
	var present []bool
	if len(of) < len(times) {
		present = make([]bool, len(times))
		for _, b := range of {
			i, _ := slices.BinarySearch(times, b.At)
			present[i] = true
		}
	}
	column := func(stat uint32, get func(*Bucket) float64) chunk.Column {
		c := chunk.Column{Slot: slot*statWidth + stat, Kind: domain.NumberValue, Present: present,
			Numbers: make([]float64, len(of))}
		for i := range of {
			c.Numbers[i] = get(&of[i])
		}
		return c
	}
	columns := []chunk.Column{
		column(statCount, func(b *Bucket) float64 { return float64(b.Count) }),
		column(statMin, func(b *Bucket) float64 { return b.Min }),
	}
	if comeBack(of) {
		return append(columns,
			column(statFirstOver, func(b *Bucket) float64 { return Round(b.First - b.Min) }),
			column(statLastOver, func(b *Bucket) float64 { return Round(b.Last - b.Min) }),
			column(statMaxOver, func(b *Bucket) float64 { return Round(b.Max - b.Min) }),
			column(statSumOver, func(b *Bucket) float64 { return Round(Round(b.Sum) - b.lowest()) }))
	}
	return append(columns,
		column(statFirst, func(b *Bucket) float64 { return b.First }),
		column(statLast, func(b *Bucket) float64 { return b.Last }),
		column(statMax, func(b *Bucket) float64 { return b.Max }),
		column(statSum, func(b *Bucket) float64 { return Round(b.Sum) }))
}

// lowest is what the sum is at least.
func (b *Bucket) lowest() float64 { return Round(b.Min * float64(b.Count)) }

// comeBack reports whether all buckets are the same again if they are packed as what they have over their
// least values.
func comeBack(of []Bucket) bool {
	same := func(low, v float64) bool {
		over := Round(v - low)
		return !math.IsInf(over, 0) && math.Float64bits(Round(low+over)) == math.Float64bits(v)
	}
	for i := range of {
		b := &of[i]
		if !same(b.Min, b.First) || !same(b.Min, b.Last) || !same(b.Min, b.Max) || !same(b.lowest(), Round(b.Sum)) {
			return false
		}
	}
	return true
}

// Round drops what adding decimals has added in the last bits: 21.1 + 21.2 is 42.3 again, and
// takes few bytes. It keeps 9 decimals, and 15 digits of large numbers.
func Round(sum float64) float64 {
	p := 1e9
	for p > 1 && math.Abs(sum*p) > 1<<53 {
		p /= 10
	}
	if p <= 1 {
		return sum
	}
	return math.Round(sum*p) / p
}

// Unpack returns the buckets of a body that Pack made, or an older program, of the slots that are wanted;
// nil: all. It fails with chunk.ErrDamaged if the body is none.
func Unpack(codec *chunk.Codec, body []byte, want func(slot uint32) bool) (Buckets, error) {
	h, err := chunk.ReadHeader(body)
	if err != nil {
		return nil, err
	}
	width := uint32(statWidthOld)
	if h.Mark == markOver {
		width = statWidth
	}
	k, err := codec.Unpack(body, func(s uint32) bool { return want == nil || want(s/width) })
	if err != nil {
		return nil, err
	}
	bs := make(Buckets)
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

func beginsOf(c *chunk.Column, times []int64) []Bucket {
	of := make([]Bucket, 0, c.Len())
	for i, at := range times {
		if c.Present == nil || c.Present[i] {
			of = append(of, Bucket{At: at})
		}
	}
	return of
}

// set sets what a column says. The count and the least value come before what is over them.
func (b *Bucket) set(stat uint32, v float64) {
	switch stat {
	case statCount:
		b.Count = int64(v)
	case statFirst:
		b.First = v
	case statLast:
		b.Last = v
	case statMin:
		b.Min = v
	case statMax:
		b.Max = v
	case statSum:
		b.Sum = v
	case statFirstOver:
		b.First = Round(b.Min + v)
	case statLastOver:
		b.Last = Round(b.Min + v)
	case statMaxOver:
		b.Max = Round(b.Min + v)
	case statSumOver:
		b.Sum = Round(b.lowest() + v)
	}
}
