package readings

import (
	"cmp"
	"database/sql"
	"math"
	"slices"

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

// join adds the buckets of others, and sorts. Of one stretch, those of others come last.
func (bs buckets) join(others buckets) {
	byBegin := func(a, b bucket) int { return cmp.Compare(a.at, b.at) }
	for slot, of := range others {
		all := append(bs[slot], of...)
		if !slices.IsSortedFunc(all, byBegin) {
			slices.SortStableFunc(all, byBegin)
		}
		bs[slot] = all
	}
}

func scanDay(rows *sql.Rows) (b bucket, err error) {
	var day int64
	err = rows.Scan(&day, &b.n, &b.first, &b.last, &b.min, &b.max, &b.sum)
	b.at = day * dayMillis
	return b, err
}
