package readings

import (
	"cmp"
	"database/sql"
	"maps"
	"math"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
)

// A bucket summarises the numbers of a series in a stretch of time.
type bucket struct {
	at                         int64 // its begin, in milliseconds since 1970
	n                          int64
	first, last, min, max, sum float64
}

func (b *bucket) add(v float64) {
	if b.n == 0 {
		b.first, b.min, b.max = v, v, v
	}
	b.n++
	b.last, b.min, b.max = v, min(b.min, v), max(b.max, v)
	b.sum = finiteSum(b.sum, v)
}

// finiteSum is x + y, or the number next to it that a float64 can have: an infinite sum would become no
// number with the next one, and SQLite stores none of these.
func finiteSum(x, y float64) float64 {
	return max(-math.MaxFloat64, min(math.MaxFloat64, x+y))
}

// merge adds a later bucket.
func (b *bucket) merge(o bucket) {
	if b.n == 0 {
		at := b.at
		*b = o
		b.at = at
		return
	}
	b.n += o.n
	b.last, b.min, b.max = o.last, min(b.min, o.min), max(b.max, o.max)
	b.sum = finiteSum(b.sum, o.sum)
}

// buckets are those of each slot, in the order of their times.
type buckets map[uint32][]bucket

// bucketsOf summarises sorted records, each stretch of width milliseconds. Texts have no buckets.
func bucketsOf(rs []record, width int64) buckets {
	bs := make(buckets)
	for _, r := range rs {
		at := floorDiv(r.at, width) * width
		for _, v := range r.values {
			if v.value.Kind == domain.TextValue {
				continue
			}
			of := bs[v.slot]
			if n := len(of); n == 0 || of[n-1].at != at {
				of = append(of, bucket{at: at})
				bs[v.slot] = of
			}
			of[len(of)-1].add(v.value.Float())
		}
	}
	return bs
}

// coarser merges buckets into wider ones.
func (bs buckets) coarser(width int64) buckets {
	wide := make(buckets, len(bs))
	for slot, of := range bs {
		var to []bucket
		for _, b := range of {
			at := floorDiv(b.at, width) * width
			if n := len(to); n == 0 || to[n-1].at != at {
				to = append(to, bucket{at: at})
			}
			to[len(to)-1].merge(b)
		}
		wide[slot] = to
	}
	return wide
}

// without removes the buckets that begin in [from, to).
func (bs buckets) without(from, to int64) {
	for slot, of := range bs {
		of = slices.DeleteFunc(of, func(b bucket) bool { return b.at >= from && b.at < to })
		if bs[slot] = of; len(of) == 0 {
			delete(bs, slot)
		}
	}
}

// follow adds later buckets.
func (bs buckets) follow(later buckets) {
	for slot, of := range later {
		bs[slot] = append(bs[slot], of...)
	}
}

// join adds the buckets of others, of other stretches, and sorts.
func (bs buckets) join(others buckets) {
	for slot, of := range others {
		all := append(bs[slot], of...)
		slices.SortFunc(all, func(a, b bucket) int { return cmp.Compare(a.at, b.at) })
		bs[slot] = all
	}
}

// A packed bucket has a column for each of these, of the slot slot*statWidth + stat.
const (
	statCount = iota
	statFirst
	statLast
	statMin
	statMax
	statSum
	statWidth = 8
)

func (repo *Repository) packBuckets(bs buckets) []byte {
	begins := make(map[int64]bool)
	for _, of := range bs {
		for _, b := range of {
			begins[b.at] = true
		}
	}
	k := chunk.Chunk{Times: slices.Sorted(maps.Keys(begins))}
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
	return []chunk.Column{
		column(statCount, func(b *bucket) float64 { return float64(b.n) }),
		column(statFirst, func(b *bucket) float64 { return b.first }),
		column(statLast, func(b *bucket) float64 { return b.last }),
		column(statMin, func(b *bucket) float64 { return b.min }),
		column(statMax, func(b *bucket) float64 { return b.max }),
		column(statSum, func(b *bucket) float64 { return rounded(b.sum) }),
	}
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
	k, err := repo.codec.Unpack(body, func(s uint32) bool { return want == nil || want(s/statWidth) })
	if err != nil {
		return nil, err
	}
	bs := make(buckets)
	for i := range k.Columns {
		c := &k.Columns[i]
		slot := c.Slot / statWidth
		if bs[slot] == nil {
			bs[slot] = beginsOf(c, k.Times)
		}
		if len(bs[slot]) != len(c.Numbers) {
			return nil, chunk.ErrDamaged
		}
		for j, v := range c.Numbers {
			bs[slot][j].set(c.Slot%statWidth, v)
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
	}
}

func scanDay(rows *sql.Rows) (b bucket, err error) {
	var day int64
	err = rows.Scan(&day, &b.n, &b.first, &b.last, &b.min, &b.max, &b.sum)
	b.at = day * dayMillis
	return b, err
}
