package devices

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Link stores that links of a node's devices are open or have ended, in their order. It returns the
// devices that came or went thereby, and the keys that are in use from several addresses. A change
// that is stored already changes nothing.
func (repo *Repository) Link(
	ctx context.Context, node string, changes []domain.LinkChange,
) (came []domain.DeviceStatus, rivals []domain.LinkRivals, err error) {
	sorted := slices.SortedStableFunc(slices.Values(changes), func(a, b domain.LinkChange) int {
		return cmp.Compare(a.Device, b.Device) // so that two nodes lock devices in the same order
	})
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		came, rivals = nil, nil
		for _, c := range sorted {
			var changed bool
			var others []string
			err := lockState(ctx, t, c.Device)
			switch {
			case err != nil:
			case c.Ended.IsZero():
				changed, others, err = openLink(ctx, t, node, c.DeviceLink)
			default:
				changed, err = endLink(ctx, t, c)
			}
			if err != nil {
				return err
			}
			if len(others) > 0 {
				rivals = append(rivals, domain.LinkRivals{DeviceLink: c.DeviceLink, Others: others})
			}
			if changed {
				if came, err = appendStatus(ctx, t, came, c.Device); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return came, rivals, err
}

// lockState makes a device's state, and locks it until the commit: two nodes must not both take the
// link of the other for one that stays.
func lockState(ctx context.Context, t *store.Tx, device string) error {
	_, err := t.ExecContext(ctx, `INSERT INTO device_states (device_id, session, online, since, due, reason)
		VALUES ($1, 0, FALSE, 0, 0, '') ON CONFLICT (device_id) DO UPDATE SET session = device_states.session`, device)
	return err
}

// openLink reports whether the device was offline before, and the addresses of other links of the key.
func openLink(
	ctx context.Context, t *store.Tx, node string, l domain.DeviceLink,
) (came bool, others []string, err error) {
	res, err := t.ExecContext(ctx, `INSERT INTO device_links (id, device_id, node, key_id, addr, opened_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`, l.ID, l.Device, node, l.Key, l.Addr,
		store.Millis(l.Opened))
	if err != nil {
		return false, nil, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, nil, err
	}
	var online bool
	if err := t.QueryRowContext(ctx, `SELECT online FROM device_states WHERE device_id = $1`, l.Device).Scan(
		&online); err != nil {
		return false, nil, err
	}
	_, err = t.ExecContext(ctx, `UPDATE device_states SET session = session + 1, online = TRUE, due = 0, reason = '',
		since = CASE WHEN online THEN since ELSE $2 END WHERE device_id = $1`, l.Device, store.Millis(l.Opened))
	if err != nil {
		return false, nil, err
	}
	_, err = t.ExecContext(ctx, `UPDATE devices SET away_until = 0, away_reason = '' WHERE id = $1 AND away_until <> 0`,
		l.Device)
	if err != nil {
		return false, nil, err
	}
	rows, err := t.QueryContext(ctx, `SELECT DISTINCT addr FROM device_links
		WHERE device_id = $1 AND key_id = $2 AND addr <> $3 ORDER BY addr`, l.Device, l.Key, l.Addr)
	if err != nil {
		return false, nil, err
	}
	others, err = store.Collect(rows, store.ScanString)
	return !online, others, err
}

// endLink reports whether the device is offline now: it has no link, and is not expected any more.
func endLink(ctx context.Context, t *store.Tx, c domain.LinkChange) (gone bool, err error) {
	res, err := t.ExecContext(ctx, `DELETE FROM device_links WHERE id = $1`, c.ID)
	if err != nil {
		return false, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return false, err
	}
	return unlinked(ctx, t, c)
}

// unlinked settles when a device is offline, unless it has a link.
func unlinked(ctx context.Context, t *store.Tx, c domain.LinkChange) (gone bool, err error) {
	var away int64
	err = t.QueryRowContext(ctx, `SELECT away_until FROM devices WHERE id = $1`, c.Device).Scan(&away)
	if err != nil {
		return false, err
	}
	if store.Time(away).After(c.Ended) {
		c.Due = c.Ended // it said so
	}
	online, since, due := true, c.Ended, c.Due
	if !c.Due.After(c.Ended) {
		online, due = false, time.Time{}
	}
	res, err := t.ExecContext(ctx, `UPDATE device_states SET online = $2, due = $3, reason = $4,
		since = CASE WHEN $2 THEN since ELSE $5 END WHERE device_id = $1 AND online
		AND NOT EXISTS (SELECT 1 FROM device_links WHERE device_id = $1)`, c.Device, online, store.Millis(due), c.Reason,
		store.Millis(since))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0 && !online, err
}

const statusColumns = `s.device_id, d.owner_id, s.session, s.online, s.since, s.reason, s.doubled_at, s.doubled, d.away_until`

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

func appendStatus(
	ctx context.Context, q store.Queryer, to []domain.DeviceStatus, device string,
) ([]domain.DeviceStatus, error) {
	s, err := statuses(ctx, q, `s.device_id = $1`, device)
	return append(to, s...), err
}

// Statuses returns the statuses of devices. Those that never connected are left out.
func (repo *Repository) Statuses(ctx context.Context, devices []string) ([]domain.DeviceStatus, error) {
	if len(devices) == 0 {
		return nil, nil
	}
	return statuses(ctx, repo.db, `s.device_id IN (`+store.Placeholders(1, len(devices))+`) ORDER BY s.device_id`,
		store.Args(devices)...)
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
		for _, id := range ids {
			if err == nil {
				_, err = t.ExecContext(ctx, `UPDATE device_states SET online = FALSE, since = due, due = 0 WHERE device_id = $1`,
					id)
			}
			if err == nil {
				gone, err = appendStatus(ctx, t, gone, id)
			}
		}
		return err
	})
	return gone, err
}

// NodeLives stores that a node lives. known is false if it was not known, or taken for dead: its links
// are not in the store then.
func (repo *Repository) NodeLives(ctx context.Context, node string, now time.Time) (known bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM device_nodes WHERE node = $1`, node).Scan(&n)
		if err != nil {
			return err
		}
		known = n > 0
		_, err = t.ExecContext(ctx, `INSERT INTO device_nodes (node, alive_at) VALUES ($1, $2)
			ON CONFLICT (node) DO UPDATE SET alive_at = excluded.alive_at`, node, store.Millis(now))
		return err
	})
	return known, err
}

// DeadNode ends the links of one node that did not say since a time that it lives, as EndNode does. It
// returns the name of the node; empty: there is none.
func (repo *Repository) DeadNode(ctx context.Context, since, now, due time.Time) (node string, err error) {
	const dead = `SELECT node FROM device_nodes WHERE alive_at < $1 ORDER BY node LIMIT 1`
	err = repo.db.QueryRowContext(ctx, dead, store.Millis(since)).Scan(&node)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return node, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := endLinks(ctx, t, node, now, due); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM device_nodes WHERE node = $1 AND alive_at < $2`, node, store.Millis(since))
		return err
	})
}

// EndNode ends all links of a node. Devices without another one are offline when they are due.
func (repo *Repository) EndNode(ctx context.Context, node string, now, due time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return endLinks(ctx, t, node, now, due)
	})
}

func endLinks(ctx context.Context, t *store.Tx, node string, now, due time.Time) error {
	rows, err := t.QueryContext(ctx, `SELECT DISTINCT device_id FROM device_links WHERE node = $1 ORDER BY device_id`,
		node)
	if err != nil {
		return err
	}
	devices, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, id := range devices {
		if err := lockState(ctx, t, id); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM device_links WHERE node = $1`, node); err != nil {
		return err
	}
	for _, id := range devices {
		c := domain.LinkChange{DeviceLink: domain.DeviceLink{Device: id}, Ended: now, Due: due, Reason: "restart"}
		if _, err := unlinked(ctx, t, c); err != nil {
			return err
		}
	}
	return nil
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
		of, err := appendStatus(ctx, t, nil, device)
		if len(of) > 0 {
			s = of[0]
		}
		return err
	})
	return s, news, err
}
