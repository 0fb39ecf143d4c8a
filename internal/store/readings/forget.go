package readings

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Forget deletes at most limit rows of a resolution that are of before a time, to the hour or the
// day, and returns how many. Reports that wait are packed first: it must be called for single values
// only with a time from before which no report is taken any more for some hours.
func (repo *Repository) Forget(
	ctx context.Context, r domain.Resolution, before time.Time, limit int,
) (deleted int64, err error) {
	var query string
	var end int64
	switch r {
	case domain.Raw:
		query, end = forgetBodies("reading_chunks"), key(floorDiv(before.UnixMilli(), hourMillis), 0)
	case domain.PerMinute:
		query, end = forgetBodies("reading_minutes"), key(floorDiv(before.UnixMilli(), hourMillis), 0)
	case domain.PerHour:
		query, end = forgetBodies("reading_hours"), key(floorDiv(before.UnixMilli(), dayMillis), 0)
	default:
		query = `DELETE FROM reading_days WHERE (series, day) IN
			(SELECT series, day FROM reading_days WHERE day < $1 LIMIT $2)`
		end = floorDiv(before.UnixMilli(), dayMillis)
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, query, end, limit)
		if err != nil {
			return err
		}
		deleted, err = res.RowsAffected()
		return err
	})
	return deleted, err
}

func forgetBodies(table string) string {
	return `DELETE FROM ` + table + ` WHERE id IN (SELECT id FROM ` + table + ` WHERE id < $1 ORDER BY id LIMIT $2)`
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
