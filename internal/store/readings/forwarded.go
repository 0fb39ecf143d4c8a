package readings

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// Forwarded returns up to which time the readings of a device were forwarded. begin is stored as that of
// a device of which none were yet. ok is false if nothing is known of the device.
func (repo *Repository) Forwarded(
	ctx context.Context, device string, begin time.Time,
) (until time.Time, ok bool, err error) {
	stored := func() (at int64, known bool, err error) {
		rows, err := repo.db.QueryContext(ctx, `SELECT forwarded FROM reading_devices WHERE device = $1`, device)
		if err != nil {
			return 0, false, err
		}
		all, err := store.Collect(rows, store.ScanInt64)
		if err != nil || len(all) == 0 {
			return 0, false, err
		}
		return all[0], true, nil
	}
	at, ok, err := stored()
	if err != nil || !ok || at != 0 {
		return store.Time(at), ok, err
	}
	if _, err := repo.SetForwarded(ctx, device, time.Time{}, begin); err != nil {
		return until, false, err
	}
	at, ok, err = stored() // somebody else may have been faster
	return store.Time(at), ok && at != 0, err
}

// SetForwarded says that the readings after from and up to a time were forwarded. It reports false, and
// changes nothing, if from is not up to where they were.
func (repo *Repository) SetForwarded(ctx context.Context, device string, from, until time.Time) (ok bool, err error) {
	before := int64(0)
	if !from.IsZero() {
		before = from.UnixMilli()
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE reading_devices SET forwarded = $3 WHERE device = $1 AND forwarded = $2`,
			device, before, until.UnixMilli())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		ok = n > 0
		return err
	})
	return ok, err
}

// RewindForwarded has the readings of a device from a time on forwarded again.
func (repo *Repository) RewindForwarded(ctx context.Context, device string, from time.Time) error {
	var until int64
	err := repo.db.QueryRowContext(ctx, `SELECT COALESCE(max(forwarded), 0) FROM reading_devices WHERE device = $1`,
		device).Scan(&until)
	if err != nil || until < from.UnixMilli() {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE reading_devices SET forwarded = $2 WHERE device = $1 AND forwarded > $2`,
			device, from.UnixMilli()-1)
		return err
	})
}

// DevicesAfter returns devices that have readings, in the order of their ids, those after one.
func (repo *Repository) DevicesAfter(ctx context.Context, after string, limit int) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT device FROM reading_devices WHERE device > $1 ORDER BY device LIMIT $2`,
		after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (string, error) { return store.ScanString(rows) })
}
