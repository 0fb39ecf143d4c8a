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

// A window is an hour of a device. It is stored as parts: chunks, whose times may overlap. All parts
// together have room for a device that reports as often as it may, for the whole hour.
const (
	partReports    = 512            // of a part
	bigPartReports = chunk.MaxTimes // of a part, once there are many
	manyParts      = 32
	partValues     = 1 << 21 // of a part
	maxParts       = 1 << partBits
	partBits       = 8
	devBits        = 32
)

// key is the id of the first part of a window, and of a device's hours of a day.
func key(stretch, dev int64) int64 { return stretch<<(devBits+partBits) | dev<<partBits }

// stretchOf is the hour or day that an id is of.
func stretchOf(id int64) int64 { return id >> (devBits + partBits) }

// deviceOf is the device that an id is of.
func deviceOf(id int64) int64 { return id >> partBits & (1<<devBits - 1) }

// dayOf is the day that an id of an hour is of.
func dayOf(id int64) int64 { return floorDiv(stretchOf(id), hoursOfDay) }

// minutesOfDay is the id of the minutes of a day, among those of hours as older programs wrote them.
func minutesOfDay(day, dev int64) int64 { return key(day*hoursOfDay, dev) | 1 }

// isMinutesOfDay reports whether an id is one of minutesOfDay.
func isMinutesOfDay(id int64) bool { return id&(1<<partBits-1) == 1 }

// A series is what is stored of one sensor.
type series struct {
	id     int64
	name   string
	unit   string
	kind   domain.ValueKind
	lastAt int64
	last   domain.Value
}

// A part is a chunk as it is stored.
type part struct {
	id   int64
	body []byte
}

func scanPart(rows *sql.Rows) (p part, err error) {
	err = rows.Scan(&p.id, &p.body)
	return p, err
}

// parts are the chunks of a window, named by the id of its first part.
func parts(ctx context.Context, q store.Queryer, first int64) ([]part, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, body FROM reading_chunks WHERE id BETWEEN $1 AND $2 ORDER BY id`,
		first, first+maxParts-1)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanPart)
}

// writeWindow adds records, which come from the journal up to mark, to what is stored of an hour of
// a device, and brings the buckets of the hour and of its day up to date. What a full hour has no room
// for is dropped: only a device that sends more of an hour, later, than it may send in an hour has that.
func (repo *Repository) writeWindow(
	ctx context.Context, t *store.Tx, dev, hour int64, all []series, rs []record, mark int64,
) error {
	rs = slices.DeleteFunc(slices.Clone(rs), func(r record) bool { return len(r.values) == 0 })
	if len(rs) == 0 {
		return nil
	}
	sortRecords(rs)
	stored, err := parts(ctx, t, key(hour, dev))
	if err != nil {
		return err
	}
	if isFull(key(hour, dev), stored) {
		return writeLast(ctx, t, all, rs)
	}
	whole, err := repo.writeParts(ctx, t, key(hour, dev), stored, rs, mark)
	if err != nil {
		return err
	}
	if err := repo.writeHour(ctx, t, dev, hour, all, bucketsOf(whole, hourMillis)); err != nil {
		return err
	}
	return writeLast(ctx, t, all, rs)
}

// isFull reports whether the parts of a window, which begins with the id first, have no room left.
func isFull(first int64, stored []part) bool {
	if len(stored) == 0 {
		return false
	}
	last := stored[len(stored)-1]
	h, err := chunk.ReadHeader(last.body)
	return err == nil && last.id == first+maxParts-1 && h.Count >= partSize(maxParts-1)
}

// writeParts adds sorted records to the parts of a window, and returns all records of it, sorted.
// The last part is written anew while there is room in it.
func (repo *Repository) writeParts(
	ctx context.Context, t *store.Tx, first int64, stored []part, rs []record, mark int64,
) ([]record, error) {
	whole, next, add := rs, 0, rs
	for i, p := range stored {
		has, err := repo.unpack(p.body, nil)
		if err != nil {
			return nil, err
		}
		whole = append(whole[:len(whole):len(whole)], has...)
		number := int(p.id - first)
		next = number + 1
		if i == len(stored)-1 && len(has) < partSize(number) {
			add, next = append(add[:len(add):len(add)], has...), number
			sortRecords(add)
		}
	}
	sortRecords(whole)
	for ; len(add) > 0 && next < maxParts; next++ {
		n := partLength(add, partSize(next))
		if err := upsertBody(ctx, t, "reading_chunks", first+int64(next), repo.pack(add[:n], mark)); err != nil {
			return nil, err
		}
		add = add[n:]
	}
	return whole, nil
}

// partSize is how many reports the part with a number has at most.
func partSize(number int) int {
	if number < manyParts {
		return partReports
	}
	return bigPartReports
}

// partLength is how many of the records a part of a size takes: no more values than a chunk may have.
func partLength(rs []record, size int) int {
	values := 0
	for i, r := range rs[:min(len(rs), size)] {
		if values += len(r.values); values > partValues {
			return i
		}
	}
	return min(len(rs), size)
}

func upsertBody(ctx context.Context, t *store.Tx, table string, id int64, body []byte) error {
	_, err := t.ExecContext(ctx, `INSERT INTO `+table+
		` (id, body) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET body = excluded.body`, id, body)
	return err
}

// writeHour replaces the buckets of an hour among those of its day, and the buckets of the day.
func (repo *Repository) writeHour(
	ctx context.Context, t *store.Tx, dev, hour int64, all []series, bs rollup.Buckets,
) error {
	day := floorDiv(hour*hourMillis, dayMillis)
	rows, err := t.QueryContext(ctx, `SELECT id, body FROM reading_hours WHERE id = $1`, key(day, dev))
	if err != nil {
		return err
	}
	stored, err := store.Collect(rows, scanPart)
	if err != nil {
		return err
	}
	hours := make(rollup.Buckets)
	if len(stored) > 0 {
		if hours, err = rollup.Unpack(&repo.codec, stored[0].body, nil); err != nil {
			return err
		}
		hours.Without(hour*hourMillis, (hour+1)*hourMillis)
	}
	hours.Join(bs)
	if err := upsertBody(ctx, t, "reading_hours", key(day, dev), hours.Pack(&repo.codec)); err != nil {
		return err
	}
	days := hours.Coarser(dayMillis)
	for slot := range bs {
		if err := writeDay(ctx, t, all[slot].id, day, days[slot][0]); err != nil {
			return err
		}
	}
	return nil
}

func writeDay(ctx context.Context, t *store.Tx, series, day int64, b rollup.Bucket) error {
	_, err := t.ExecContext(ctx, `INSERT INTO reading_days (series, day, n, first, last, min, max, sum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (series, day) DO UPDATE SET n = excluded.n,
		first = excluded.first, last = excluded.last, min = excluded.min, max = excluded.max, sum = excluded.sum`,
		series, day, b.Count, b.First, b.Last, b.Min, b.Max, rollup.Round(b.Sum))
	return err
}

// writeLast stores the last values of sorted records, where they are newer than those stored.
func writeLast(ctx context.Context, t *store.Tx, all []series, rs []record) error {
	seen := make(map[uint32]bool)
	for _, r := range slices.Backward(rs) {
		for _, v := range r.values {
			if seen[v.slot] {
				continue
			}
			seen[v.slot] = true
			number := 0.0
			if v.value.Kind != domain.TextValue {
				number = v.value.Float()
			}
			_, err := t.ExecContext(ctx, `UPDATE reading_series SET last_at = $2, kind = $3, last_number = $4, last_text = $5
				WHERE id = $1 AND last_at <= $2`, all[v.slot].id, r.at, int64(v.value.Kind), number, v.value.Text)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// writeRanges replaces the numbers of a boot that have come.
func writeRanges(ctx context.Context, t *store.Tx, dev int64, boot uint64, s intervals, now int64) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM reading_ranges WHERE dev = $1 AND boot = $2`, dev,
		int64(boot)); err != nil {
		return err
	}
	for _, v := range s {
		_, err := t.ExecContext(ctx, `INSERT INTO reading_ranges (dev, boot, first, last, touched)
			VALUES ($1, $2, $3, $4, $5)`, dev, int64(boot), int64(v.first), int64(v.last), now)
		if err != nil {
			return err
		}
	}
	return nil
}
