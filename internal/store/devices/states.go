package devices

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

const statusColumns = `s.device_id, d.owner_id, s.session, s.online, s.since, s.reason, s.doubled_at, s.doubled,
	d.away_until`

func statuses(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.DeviceStatus, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+statusColumns+` FROM device_states s
		JOIN devices d ON d.id = s.device_id WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.DeviceStatus, error) {
		var r statusRow
		var away int64
		err := rows.Scan(slices.Concat([]any{&r.s.Device, &r.s.Owner}, r.dest(), []any{&away})...)
		r.s.Away = store.Time(away)
		return r.status(), err
	})
}

// A statusRow reads the columns of a status that come after device and owner.
type statusRow struct {
	s              domain.DeviceStatus
	since, doubled int64
	places         string
}

func (r *statusRow) dest() []any {
	return []any{&r.s.Session, &r.s.Online, &r.since, &r.s.Reason, &r.doubled, &r.places}
}

func (r *statusRow) status() domain.DeviceStatus {
	r.s.Since, r.s.Doubled, r.s.Places = store.Time(r.since), store.Time(r.doubled), strings.Fields(r.places)
	return r.s
}

// statusesOf returns the statuses of devices, in their order.
func statusesOf(ctx context.Context, q store.Queryer, devices []string) ([]domain.DeviceStatus, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	devices = store.PadToPowerOfTwo(slices.Sorted(slices.Values(devices)))
	return statuses(ctx, q, `s.device_id IN (`+store.Placeholders(1, len(devices))+`) ORDER BY s.device_id`,
		store.Args(devices)...)
}

// Statuses returns the statuses of devices. Those that never connected are left out.
func (repo *Repository) Statuses(ctx context.Context, devices []string) ([]domain.DeviceStatus, error) {
	return statusesOf(ctx, repo.db, devices)
}

const dueMost = 500 // devices in one transaction

// Overdue takes the devices for offline that did not come back in time, and returns them.
func (repo *Repository) Overdue(ctx context.Context, now time.Time) (gone []domain.DeviceStatus, err error) {
	var any bool
	err = repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM device_states WHERE due <> 0 AND due <= $1)`,
		store.Millis(now)).Scan(&any)
	if err != nil || !any {
		return nil, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		gone = nil
		rows, err := t.QueryContext(ctx, `SELECT device_id FROM device_states WHERE due <> 0 AND due <= $1
			ORDER BY device_id LIMIT $2`+t.SkipLocked(), store.Millis(now), dueMost)
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanString)
		if err != nil || len(ids) == 0 {
			return err
		}
		padded := store.PadToPowerOfTwo(ids)
		_, err = t.ExecContext(ctx, `UPDATE device_states SET online = FALSE, since = due, due = 0
			WHERE device_id IN (`+store.Placeholders(1, len(padded))+`)`, store.Args(padded)...)
		if err != nil {
			return err
		}
		gone, err = statusesOf(ctx, t, ids)
		return err
	})
	return gone, err
}

// Doubled stores that a key of a device is in use at several places. It returns the device's status, and
// whether that is news: nothing of the kind was stored since a time.
func (repo *Repository) Doubled(
	ctx context.Context, device string, places []string, since, now time.Time,
) (s domain.DeviceStatus, news bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE device_states SET doubled_at = $2, doubled = $3
			WHERE device_id = $1 AND doubled_at < $4`, device, store.Millis(now), strings.Join(places, " "), store.Millis(since))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if news = n > 0; err != nil || !news {
			return err
		}
		of, err := statusesOf(ctx, t, []string{device})
		if len(of) > 0 {
			s = of[0]
		}
		return err
	})
	return s, news, err
}
