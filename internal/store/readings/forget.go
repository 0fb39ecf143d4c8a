package readings

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/chunk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/readings/rollup"
)

const (
	forgetRows    = 1000 // in one transaction
	forgetDevices = 8    // whose days are summarised in one transaction
)

// Forget deletes some of what is stored of a resolution before a time, to the day, or the hour for minutes,
// and reports whether there may be more. Single values of a day are summarised before they go: minutes are
// stored only of what is not there any more. Reports that wait are packed first: it must be called for
// single values only with a time from before which no report is taken any more for some hours.
func (repo *Repository) Forget(ctx context.Context, r domain.Resolution, before time.Time) (more bool, err error) {
	var query string
	day := floorDiv(before.UnixMilli(), dayMillis)
	end := day
	switch r {
	case domain.Raw:
		return repo.forgetSingle(ctx, day)
	case domain.PerMinute:
		query, end = forgetBodies("reading_minutes"), key(floorDiv(before.UnixMilli(), hourMillis), 0)
	case domain.PerHour:
		query, end = forgetBodies("reading_hours"), key(day, 0)
	default:
		query = `DELETE FROM reading_days WHERE (series, day) IN
			(SELECT series, day FROM reading_days WHERE day < $1 LIMIT $2)`
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, query, end, forgetRows)
		if err != nil {
			return err
		}
		deleted, err := res.RowsAffected()
		more = deleted == forgetRows
		return err
	})
	return more, err
}

func forgetBodies(table string) string {
	return `DELETE FROM ` + table + ` WHERE id IN (SELECT id FROM ` + table + ` WHERE id < $1 ORDER BY id LIMIT $2)`
}

// forgetSingle deletes the single values that some devices have of the first day, of those before a day.
func (repo *Repository) forgetSingle(ctx context.Context, before int64) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM reading_chunks WHERE id < $1 ORDER BY id LIMIT $2`,
			key(before*hoursOfDay, 0), forgetDevices)
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanInt64)
		if err != nil {
			return err
		}
		var devices []int64
		for _, id := range ids {
			if dev := deviceOf(id); dayOf(id) == dayOf(ids[0]) && !slices.Contains(devices, dev) {
				devices = append(devices, dev)
			}
		}
		slices.Sort(devices) // all lock them in this order
		for _, dev := range devices {
			if err := repo.forgetDay(ctx, t, dev, dayOf(ids[0])); err != nil {
				return err
			}
		}
		more = len(ids) > 0
		return nil
	})
	return more, err
}

// forgetDay replaces the single values that a device has of a day by its minutes. What is damaged is
// deleted as well: nothing can be read from it.
func (repo *Repository) forgetDay(ctx context.Context, t *store.Tx, dev, day int64) error {
	var locked int64
	err := t.QueryRowContext(ctx, `SELECT id FROM reading_devices WHERE id = $1`+t.ForUpdate(), dev).Scan(&locked)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	v := view{q: t, number: dev}
	single, hours := make(rollup.Buckets), make(map[int64]bool)
	var k chunk.Chunk
	err = v.storedHours(ctx, day*dayMillis, (day+1)*dayMillis, func(h storedHour) (bool, error) {
		of, err := repo.bucketsOf(&k, h, minTime, maxTime, minuteMillis, nil)
		single.Follow(of)
		hours[h.hour] = err == nil
		return true, notDamaged(err)
	})
	if err != nil {
		return err
	}
	stored, err := v.bodies(ctx, "reading_minutes", day*hoursOfDay, (day+1)*hoursOfDay-1)
	if err != nil {
		return err
	}
	minutes, err := repo.minutesOf(stored, hours, nil)
	if notDamaged(err) != nil {
		return err
	}
	minutes.Join(single)
	for _, table := range []string{"reading_chunks", "reading_minutes"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE id IN (`+stretches(table, "c.id", "$1", "$2", "$3")+`)`,
			day*hoursOfDay, (day+1)*hoursOfDay-1, dev); err != nil {
			return err
		}
	}
	if len(minutes) == 0 {
		return nil
	}
	return upsertBody(ctx, t, "reading_minutes", minutesOfDay(day, dev), minutes.Coarser(minuteMillis).Pack(&repo.codec))
}

func notDamaged(err error) error {
	if errors.Is(err, chunk.ErrDamaged) {
		return nil
	}
	return err
}

// ForgetNumbers deletes what is known of boots that were last heard of before a time.
func (repo *Repository) ForgetNumbers(ctx context.Context, before time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM reading_ranges WHERE touched < $1`, before.UnixMilli())
		return err
	})
}

// Compact returns free pages of a SQLite file to the disk, in one small step, and reports whether
// there are more.
func (repo *Repository) Compact(ctx context.Context) (more bool, err error) {
	if !repo.own {
		return false, nil // the database's owner does
	}
	return repo.db.Compact(ctx)
}

// Usage returns how much room the file takes; nothing where readings share a database.
func (repo *Repository) Usage(ctx context.Context) (domain.StoreUsage, error) {
	if !repo.own {
		return domain.StoreUsage{}, nil
	}
	return repo.db.Usage(ctx)
}
