package alarms

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/devices"
)

const windowColumns = `id, owner_id, name, device_id, type, tag, from_at, to_at, weekdays, start_minute, minutes, zone,
	created_at`

func scanWindow(rows *sql.Rows) (m domain.Maintenance, err error) {
	var from, to, days, start, length, created int64
	err = rows.Scan(&m.ID, &m.Owner, &m.Name, &m.Scope.Device, &m.Scope.Type, &m.Scope.Tag, &from, &to, &days, &start,
		&length,
		&m.Zone, &created)
	m.Scope = readScope(m.Scope)
	m.From, m.To, m.CreatedAt = store.Time(from), store.Time(to), store.Time(created)
	m.Start, m.Length = time.Duration(start)*time.Minute, time.Duration(length)*time.Minute
	for day := time.Sunday; day <= time.Saturday; day++ {
		if days&(1<<day) != 0 {
			m.Weekdays = append(m.Weekdays, day)
		}
	}
	return m, err
}

func windows(ctx context.Context, q store.Queryer, owner string) ([]domain.Maintenance, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+windowColumns+` FROM maintenance_windows WHERE owner_id = $1 ORDER BY id`,
		owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanWindow)
}

// Maintenance returns the windows of a user, the oldest first.
func (repo *Repository) Maintenance(ctx context.Context, owner string) ([]domain.Maintenance, error) {
	return windows(ctx, repo.db, owner)
}

// AddMaintenance stores a window. A user has at most domain.MaxMaintenance.
func (repo *Repository) AddMaintenance(ctx context.Context, m domain.Maintenance) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// The owner is locked, so that requests at the same time do not exceed the limit.
		if err := lockOwner(ctx, t, m.Owner); err != nil {
			return err
		}
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM maintenance_windows WHERE owner_id = $1`, m.Owner).Scan(&n)
		if err == nil && n >= domain.MaxMaintenance {
			err = domain.Conflict.Errorf(domain.CodeTooManyRules, "you have at most %d maintenance windows",
				domain.MaxMaintenance)
		}
		if err != nil {
			return err
		}
		if err := hasGroup(ctx, t, m.Owner, m.Scope); err != nil {
			return err
		}
		var days int64
		for _, day := range m.Weekdays {
			days |= 1 << day
		}
		_, err = t.ExecContext(ctx, `INSERT INTO maintenance_windows (`+windowColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
			m.ID, m.Owner, m.Name, m.Scope.Device, m.Scope.Type, tagOf(m.Scope), store.Millis(m.From), store.Millis(m.To),
			days, int64(m.Start/time.Minute), int64(m.Length/time.Minute), m.Zone, store.Millis(m.CreatedAt))
		return err
	})
}

// DeleteMaintenance deletes a window of a user. Alarms that it holds are looked at anew.
func (repo *Repository) DeleteMaintenance(ctx context.Context, owner, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM maintenance_windows WHERE id = $1 AND owner_id = $2`, id, owner)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.ErrNoMaintenance())
		}
		_, err = t.ExecContext(ctx, `UPDATE alarms SET due_at = $2 WHERE due_at <> 0 AND held_until <> 0
			AND device_id IN (SELECT id FROM devices WHERE owner_id = $1)`, owner, store.Millis(store.Trim(now)))
		return err
	})
}

// maintained returns the name of the window that a device is in, and until when it is: the one that lasts
// longest. The time is zero if there is none.
func maintained(
	ctx context.Context, t *store.Tx, device string, now time.Time,
) (name string, until time.Time, err error) {
	d := domain.Device{ID: device}
	var tags string
	err = t.QueryRowContext(ctx, `SELECT owner_id, type, tags FROM devices WHERE id = $1`, device).Scan(&d.Owner.ID,
		&d.Type,
		&tags)
	if err != nil {
		return "", until, err
	}
	d.Tags = strings.Fields(tags)
	in, err := devices.HandGroups(ctx, t, d.Owner.ID, device)
	if err != nil {
		return "", until, err
	}
	d.Groups = in[device]
	all, err := windows(ctx, t, d.Owner.ID)
	for _, m := range all {
		if end, active := m.Active(now); active && m.Scope.Fits(d) && end.After(until) {
			name, until = m.Name, store.Trim(end)
		}
	}
	return name, until, err
}

// PruneMaintenance deletes windows that came once and ended before a moment.
func (repo *Repository) PruneMaintenance(ctx context.Context, before time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM maintenance_windows WHERE to_at <> 0 AND to_at < $1`, store.Millis(before))
		return err
	})
}

// GroupsOf returns the names of the groups made by hand that a device of owner is in.
func (repo *Repository) GroupsOf(ctx context.Context, owner, device string) ([]string, error) {
	in, err := devices.HandGroups(ctx, repo.db, owner, device)
	return in[device], err
}
