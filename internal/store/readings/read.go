package readings

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/readings/rollup"
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
	return v.bodiesOf(ctx, table, first, last)
}

// bodiesOf is bodies where each hour or day counts: it looks for every one.
func (v *view) bodiesOf(ctx context.Context, table string, first, last int64) ([]part, error) {
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

// Points returns the single values of some series of a device in [from, to), by name, in the order
// of their times. If there are more than limit of them, it returns the first ones.
func (repo *Repository) Points(
	ctx context.Context, device string, names []string, from, to time.Time, limit int,
) (map[string][]domain.Point, error) {
	points := make(map[string][]domain.Point)
	_, err := repo.read(ctx, device, func(v view) error {
		slots, want := v.wanted(names)
		n := 0
		return v.storedHours(ctx, from.UnixMilli(), to.UnixMilli(), func(h storedHour) (bool, error) {
			rs, err := repo.recordsOf(h, from.UnixMilli(), to.UnixMilli(), want)
			for _, r := range rs {
				for _, value := range r.values {
					if n++; n > limit {
						return false, nil
					}
					name := slots[value.slot]
					points[name] = append(points[name], domain.Point{At: store.Time(r.at), Value: value.value, Quality: r.quality})
				}
			}
			return n < limit, err
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
	begin := rollup.Begin(from.UnixMilli(), width)
	_, err := repo.read(ctx, device, func(v view) error {
		slots, want := v.wanted(names)
		bs, err := repo.gather(ctx, &v, begin, to.UnixMilli(), width, resolutionFor(step, atLeast), want)
		if err != nil {
			return err
		}
		for slot, of := range bs.Coarser(width) {
			buckets := make([]domain.Bucket, len(of))
			for i, b := range of {
				buckets[i] = domain.Bucket{At: store.Time(b.At), Count: b.Count, First: b.First, Last: b.Last, Min: b.Min,
					Max: b.Max, Sum: b.Sum}
			}
			out[slots[slot]] = buckets
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
