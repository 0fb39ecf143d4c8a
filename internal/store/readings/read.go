package readings

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Series returns what a device measures, by name. It returns none of an unknown device.
func (repo *Repository) Series(ctx context.Context, device string) (out []domain.Series, err error) {
	_, err = repo.read(ctx, device, func(v view) error {
		sortRecords(v.waiting)
		for _, r := range v.waiting {
			for _, value := range r.values {
				if s := &v.series[value.slot]; r.at >= s.lastAt {
					s.lastAt, s.last, s.kind = r.at, value.value, value.value.Kind
				}
			}
		}
		for _, s := range v.series {
			out = append(out, domain.Series{Name: s.name, Unit: s.unit, Kind: s.kind, Last: s.last,
				LastAt: store.Time(s.lastAt)})
		}
		return nil
	})
	return out, err
}

// wanted returns which slots the names are of.
func (v *view) wanted(names []string) (map[uint32]string, func(uint32) bool) {
	slots := make(map[uint32]string)
	for i, s := range v.series {
		if slices.Contains(names, s.name) {
			slots[uint32(i)] = s.name
		}
	}
	return slots, func(slot uint32) bool { _, ok := slots[slot]; return ok }
}

// bodies returns the rows of a device in a table whose ids begin with an hour or a day, of those
// from first to last.
func (v *view) bodies(ctx context.Context, table string, first, last int64) ([]part, error) {
	low, high, err := v.extent(ctx, table)
	if err != nil {
		return nil, err
	}
	first, last = max(first, low), min(last, high)
	if first > last {
		return nil, nil
	}
	rows, err := v.q.QueryContext(ctx, stretches(table, "c.id, c.body", "$1", "$2", "$3")+` ORDER BY c.id`,
		first, last, v.number)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanPart)
}

// extent is the first and the last hour or day that a table has of any device; first is after last if it
// has none.
func (v *view) extent(ctx context.Context, table string) (first, last int64, err error) {
	err = v.q.QueryRowContext(ctx, `SELECT COALESCE(min(id), $1), COALESCE(max(id), $2) FROM `+table,
		int64(math.MaxInt64), int64(math.MinInt64)).Scan(&first, &last)
	return stretchOf(first), stretchOf(last), err
}

// hours calls fn with the sorted records of each hour of [from, to), in milliseconds, with the values of
// the slots that are wanted, until it returns false. No more than an hour is unpacked at a time.
func (repo *Repository) hours(
	ctx context.Context, v *view, from, to int64, want func(uint32) bool, fn func([]record) bool,
) error {
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
		stored, err := v.bodies(ctx, "reading_chunks", first, min(last, first+hoursAtOnce-1))
		if err != nil {
			return err
		}
		for hour := first; hour <= min(last, first+hoursAtOnce-1); hour++ {
			n := slices.IndexFunc(stored, func(p part) bool { return stretchOf(p.id) > hour })
			if n < 0 {
				n = len(stored)
			}
			rs, err := repo.hourOf(stored[:n], waiting[hour], from, to, want)
			if err != nil || len(rs) > 0 && !fn(rs) {
				return err
			}
			stored = stored[n:]
		}
	}
	return nil
}

const hoursAtOnce = 24 // whose chunks are read by one query

// hourOf returns the sorted records of an hour, from its chunks and of those that wait, in [from, to).
func (repo *Repository) hourOf(
	chunks []part, waiting []record, from, to int64, want func(uint32) bool,
) (rs []record, err error) {
	for _, p := range chunks {
		has, err := repo.unpack(p.body, want)
		if err != nil {
			return nil, err
		}
		rs = append(rs, has...)
	}
	for _, r := range waiting {
		r.values = slices.DeleteFunc(slices.Clone(r.values), func(s slotValue) bool { return !want(s.slot) })
		rs = append(rs, r)
	}
	rs = slices.DeleteFunc(rs, func(r record) bool { return r.at < from || r.at >= to || len(r.values) == 0 })
	sortRecords(rs)
	return rs, nil
}

// Points returns the single values of some series of a device in [from, to), by name, in the order
// of their times. If there are more than limit of them, it returns the first ones.
func (repo *Repository) Points(
	ctx context.Context, device string, names []string, from, to time.Time, limit int,
) (map[string][]domain.Point, error) {
	points := make(map[string][]domain.Point)
	_, err := repo.read(ctx, device, func(v view) error {
		slots, want := v.wanted(names)
		n := 0
		return repo.hours(ctx, &v, from.UnixMilli(), to.UnixMilli(), want, func(rs []record) bool {
			for _, r := range rs {
				for _, value := range r.values {
					if n++; n > limit {
						return false
					}
					name := slots[value.slot]
					points[name] = append(points[name], domain.Point{At: store.Time(r.at), Value: value.value, Quality: r.quality})
				}
			}
			return n < limit
		})
	})
	return points, err
}

// Buckets summarises some series of a device in [from, to), each stretch of step, by name. Stretches
// begin at multiples of step since 1970. It reads from single values, or from the coarsest stored
// buckets of which a stretch is whole: no finer ones than atLeast.
func (repo *Repository) Buckets(
	ctx context.Context, device string, names []string, from, to time.Time, step time.Duration, atLeast domain.Resolution,
) (map[string][]domain.Bucket, error) {
	out := make(map[string][]domain.Bucket)
	width := step.Milliseconds()
	begin := floorDiv(from.UnixMilli(), width) * width
	_, err := repo.read(ctx, device, func(v view) error {
		slots, want := v.wanted(names)
		bs, err := repo.gather(ctx, &v, begin, to.UnixMilli(), width, resolutionFor(step, atLeast), want)
		if err != nil {
			return err
		}
		for slot, of := range bs.coarser(width) {
			for _, b := range of {
				out[slots[slot]] = append(out[slots[slot]], domain.Bucket{At: store.Time(b.at), Count: b.n, First: b.first,
					Last: b.last, Min: b.min, Max: b.max, Sum: b.sum})
			}
		}
		return nil
	})
	return out, err
}

func resolutionFor(step time.Duration, atLeast domain.Resolution) domain.Resolution {
	for _, r := range []domain.Resolution{domain.PerDay, domain.PerHour, domain.PerMinute} {
		if step%time.Duration(r) == 0 || r == atLeast {
			return r
		}
	}
	return domain.Raw
}

// gather returns buckets of a resolution. Those of single values are of width milliseconds, or of less at
// the border of two hours. Hours of which records wait are read from single values: their stored buckets
// lack some.
func (repo *Repository) gather(
	ctx context.Context, v *view, from, to, width int64, r domain.Resolution, want func(uint32) bool,
) (buckets, error) {
	bs := make(buckets)
	switch r {
	case domain.Raw:
		return bs, repo.hours(ctx, v, from, to, want, func(rs []record) bool {
			bs.follow(bucketsOf(rs, width))
			return true
		})
	case domain.PerDay:
		return repo.gatherDays(ctx, v, from, to, want)
	}
	table, stretch := "reading_minutes", int64(hourMillis)
	width = minuteMillis
	if r == domain.PerHour {
		table, stretch, width = "reading_hours", dayMillis, hourMillis
	}
	stored, err := v.bodies(ctx, table, floorDiv(from, stretch), floorDiv(to-1, stretch))
	if err != nil {
		return nil, err
	}
	for _, p := range stored {
		of, err := repo.unpackBuckets(p.body, want)
		if err != nil {
			return nil, err
		}
		bs.follow(of)
	}
	for _, hour := range v.waitingHours(from, to) {
		bs.without(hour*hourMillis, (hour+1)*hourMillis)
		err := repo.hours(ctx, v, hour*hourMillis, (hour+1)*hourMillis, want, func(rs []record) bool {
			bs.join(bucketsOf(rs, width))
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	bs.without(0, from)
	bs.without(to, 1<<62)
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
) (buckets, error) {
	bs := make(buckets)
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
		hours, err := repo.gather(ctx, v, day*dayMillis, (day+1)*dayMillis, hourMillis, domain.PerHour, want)
		if err != nil {
			return nil, err
		}
		bs.without(day*dayMillis, (day+1)*dayMillis)
		bs.join(hours.coarser(dayMillis))
	}
	return bs, nil
}
