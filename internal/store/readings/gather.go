package readings

import (
	"context"
	"database/sql"
	"slices"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/readings/rollup"
)

// A stored hour is what there is of an hour of a device: its chunks, and records that are in none.
type storedHour struct {
	hour    int64
	chunks  []part
	waiting []record
}

const hoursAtOnce = 24 // whose chunks are read by one query

// storedHours calls fn with each hour of [from, to), in milliseconds, of which there is something, in
// their order, until it returns false.
func (v *view) storedHours(ctx context.Context, from, to int64, fn func(storedHour) (more bool, err error)) error {
	low, high, err := v.extent(ctx, "reading_chunks")
	if err != nil {
		return err
	}
	waiting := make(map[int64][]record)
	for _, r := range v.waiting {
		h := r.hour()
		waiting[h] = append(waiting[h], r)
		low, high = min(low, h), max(high, h)
	}
	first, last := max(low, floorDiv(from, hourMillis)), min(high, floorDiv(to-1, hourMillis))
	for ; first <= last; first += hoursAtOnce {
		stored, err := v.bodiesOf(ctx, "reading_chunks", first, min(last, first+hoursAtOnce-1))
		if err != nil {
			return err
		}
		for hour := first; hour <= min(last, first+hoursAtOnce-1); hour++ {
			n := slices.IndexFunc(stored, func(p part) bool { return stretchOf(p.id) > hour })
			if n < 0 {
				n = len(stored)
			}
			h := storedHour{hour, stored[:n], waiting[hour]}
			stored = stored[n:]
			if len(h.chunks) == 0 && len(h.waiting) == 0 {
				continue
			}
			if more, err := fn(h); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// recordsOf returns the sorted records of an hour in [from, to), with the values of the slots that are
// wanted.
func (repo *Repository) recordsOf(h storedHour, from, to int64, want func(uint32) bool) (rs []record, err error) {
	for _, p := range h.chunks {
		has, err := repo.unpack(p.body, want)
		if err != nil {
			return nil, err
		}
		rs = append(rs, has...)
	}
	for _, r := range h.waiting {
		r.values = slices.DeleteFunc(slices.Clone(r.values), func(s slotValue) bool { return !want(s.slot) })
		rs = append(rs, r)
	}
	rs = slices.DeleteFunc(rs, func(r record) bool { return r.at < from || r.at >= to || len(r.values) == 0 })
	sortRecords(rs)
	return rs, nil
}

// bucketsOf summarises what there is of an hour in [from, to), each stretch of width milliseconds. Chunks
// that follow each other are read by columns, without making records of them, in the memory of k.
func (repo *Repository) bucketsOf(
	k *chunk.Chunk, h storedHour, from, to, width int64, want func(uint32) bool,
) (rollup.Buckets, error) {
	bs := make(rollup.Buckets)
	ordered := len(h.waiting) == 0
	for before, i := int64(0), 0; ordered && i < len(h.chunks); i++ {
		head, err := chunk.ReadHeader(h.chunks[i].body)
		if err != nil {
			return nil, err
		}
		ordered = i == 0 || head.From >= before
		before = head.To
	}
	for i := 0; ordered && i < len(h.chunks); i++ {
		if err := repo.codec.UnpackInto(k, h.chunks[i].body, want); err != nil {
			return nil, err
		}
		if ordered = bs.AddChunk(k, from, to, width); !ordered && i > 0 {
			bs = make(rollup.Buckets)
		}
	}
	if ordered {
		return bs, nil
	}
	rs, err := repo.recordsOf(h, from, to, want)
	return bucketsOf(rs, width), err
}

// bucketsOf summarises sorted records, each stretch of width milliseconds. Texts have no buckets.
func bucketsOf(rs []record, width int64) rollup.Buckets {
	bs := make(rollup.Buckets)
	for _, r := range rs {
		begin := rollup.Begin(r.at, width)
		for _, v := range r.values {
			if v.value.Kind != domain.TextValue {
				bs.Add(v.slot, begin, v.value.Float())
			}
		}
	}
	return bs
}

// gather returns buckets of a resolution. Those of single values and of minutes are of width milliseconds,
// or of less at the border of two hours.
func (repo *Repository) gather(
	ctx context.Context, v *view, from, to, width int64, r domain.Resolution, want func(uint32) bool,
) (bs rollup.Buckets, err error) {
	switch r {
	case domain.Raw:
		bs, _, err = repo.gatherSingle(ctx, v, from, to, width, want)
	case domain.PerMinute:
		bs, err = repo.gatherMinutes(ctx, v, from, to, width, want)
	case domain.PerHour:
		bs, err = repo.gatherHours(ctx, v, from, to, want)
	default:
		bs, err = repo.gatherDays(ctx, v, from, to, want)
	}
	return bs, err
}

// gatherSingle summarises single values. It also returns the hours that have any.
func (repo *Repository) gatherSingle(
	ctx context.Context, v *view, from, to, width int64, want func(uint32) bool,
) (bs rollup.Buckets, hours map[int64]bool, err error) {
	bs, hours = make(rollup.Buckets), make(map[int64]bool)
	var k chunk.Chunk
	err = v.storedHours(ctx, from, to, func(h storedHour) (bool, error) {
		of, err := repo.bucketsOf(&k, h, from, to, width, want)
		bs.Follow(of)
		hours[h.hour] = true
		return true, err
	})
	return bs, hours, err
}

// gatherMinutes returns the minutes that are stored, and single values where these still are.
func (repo *Repository) gatherMinutes(
	ctx context.Context, v *view, from, to, width int64, want func(uint32) bool,
) (rollup.Buckets, error) {
	single, hours, err := repo.gatherSingle(ctx, v, from, to, width, want)
	if err != nil {
		return nil, err
	}
	stored, err := v.bodies(ctx, "reading_minutes", floorDiv(from, dayMillis)*hoursOfDay, floorDiv(to-1, hourMillis))
	if err != nil {
		return nil, err
	}
	bs, err := repo.minutesOf(stored, hours, want)
	if err != nil {
		return nil, err
	}
	bs.Without(minTime, from)
	bs.Without(to, maxTime)
	bs.Join(single)
	return bs, nil
}

// minutesOf returns the minutes of rows of reading_minutes. Those of an hour, as older programs wrote them,
// are not of hours that have single values: they summarise these.
func (repo *Repository) minutesOf(
	stored []part, hours map[int64]bool, want func(uint32) bool,
) (rollup.Buckets, error) {
	bs := make(rollup.Buckets)
	for _, p := range stored {
		if !isMinutesOfDay(p.id) && hours[stretchOf(p.id)] {
			continue
		}
		of, err := rollup.Unpack(&repo.codec, p.body, want)
		if err != nil {
			return nil, err
		}
		bs.Join(of)
	}
	return bs, nil
}

// gatherHours returns the hours that are stored. Those of which records wait are made of single values:
// what is stored lacks some.
func (repo *Repository) gatherHours(
	ctx context.Context, v *view, from, to int64, want func(uint32) bool,
) (rollup.Buckets, error) {
	bs := make(rollup.Buckets)
	stored, err := v.bodies(ctx, "reading_hours", floorDiv(from, dayMillis), floorDiv(to-1, dayMillis))
	if err != nil {
		return nil, err
	}
	for _, p := range stored {
		of, err := rollup.Unpack(&repo.codec, p.body, want)
		if err != nil {
			return nil, err
		}
		bs.Follow(of)
	}
	for _, hour := range v.waitingHours(from, to) {
		begin, end := hour*hourMillis, (hour+1)*hourMillis
		of, _, err := repo.gatherSingle(ctx, v, begin, end, hourMillis, want)
		if err != nil {
			return nil, err
		}
		bs.Without(begin, end)
		bs.Join(of)
	}
	bs.Without(minTime, from)
	bs.Without(to, maxTime)
	return bs, nil
}

// waitingHours are the hours within [from, to) of which records are in no chunk.
func (v *view) waitingHours(from, to int64) (hours []int64) {
	for _, r := range v.waiting {
		h := r.hour()
		if h >= floorDiv(from, hourMillis) && h <= floorDiv(to-1, hourMillis) && !slices.Contains(hours, h) {
			hours = append(hours, h)
		}
	}
	return hours
}

// gatherDays returns the buckets of days. Days of which records wait are made of their hours.
func (repo *Repository) gatherDays(
	ctx context.Context, v *view, from, to int64, want func(uint32) bool,
) (rollup.Buckets, error) {
	bs := make(rollup.Buckets)
	for slot, s := range v.series {
		if !want(uint32(slot)) {
			continue
		}
		rows, err := v.q.QueryContext(ctx, `SELECT day, n, first, last, min, max, sum FROM reading_days
			WHERE series = $1 AND day >= $2 AND day < $3 ORDER BY day`, s.id, floorDiv(from, dayMillis),
			floorDiv(to-1, dayMillis)+1)
		if err != nil {
			return nil, err
		}
		if bs[uint32(slot)], err = store.Collect(rows, scanDay); err != nil {
			return nil, err
		}
	}
	var days []int64
	for _, hour := range v.waitingHours(from, to) {
		if day := floorDiv(hour*hourMillis, dayMillis); !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	for _, day := range days {
		hours, err := repo.gatherHours(ctx, v, day*dayMillis, (day+1)*dayMillis, want)
		if err != nil {
			return nil, err
		}
		bs.Without(day*dayMillis, (day+1)*dayMillis)
		bs.Join(hours.Coarser(dayMillis))
	}
	return bs, nil
}

func scanDay(rows *sql.Rows) (b rollup.Bucket, err error) {
	var day int64
	err = rows.Scan(&day, &b.Count, &b.First, &b.Last, &b.Min, &b.Max, &b.Sum)
	b.At = day * dayMillis
	return b, err
}
