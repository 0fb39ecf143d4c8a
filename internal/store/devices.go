package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A device's row in users has its name and stands for it in rooms.
const deviceColumns = `d.id, u.display_name, d.created_at, d.expires_at, d.revoked_at, o.id, o.kind, o.username, o.display_name, o.avatar`

const deviceTables = `devices d JOIN users u ON u.id = d.id JOIN users o ON o.id = d.owner_id`

type deviceRow struct {
	d                         domain.Device
	created, expires, revoked int64
	owner                     nullRef
}

func (r *deviceRow) dest() []any {
	return append([]any{&r.d.ID, &r.d.Name, &r.created, &r.expires, &r.revoked}, r.owner.dest()...)
}

func (r *deviceRow) device() domain.Device {
	r.d.CreatedAt, r.d.Expires, r.d.RevokedAt, r.d.Owner = at(r.created), at(r.expires), at(r.revoked), r.owner.ref()
	return r.d
}

func devicesWhere(ctx context.Context, q querier, rest string, args ...any) ([]domain.Device, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+deviceColumns+` FROM `+deviceTables+` WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	devices, err := collect(rows, func(rows *sql.Rows) (domain.Device, error) {
		var r deviceRow
		err := rows.Scan(r.dest()...)
		return r.device(), err
	})
	if err != nil {
		return nil, err
	}
	return devices, addKeys(ctx, q, devices)
}

// addKeys gives devices their keys, and when they were last used.
func addKeys(ctx context.Context, q querier, devices []domain.Device) error {
	if len(devices) == 0 {
		return nil
	}
	byID := make(map[string]*domain.Device, len(devices))
	var ids []string
	for i := range devices {
		byID[devices[i].ID] = &devices[i]
		ids = append(ids, devices[i].ID)
	}
	rows, err := q.QueryContext(ctx, `SELECT `+deviceKeyColumns+` FROM device_keys k WHERE k.device_id IN (`+holders(1, len(ids))+`) ORDER BY k.created_at DESC, k.id`, anys(ids)...)
	if err != nil {
		return err
	}
	keys, err := collect(rows, scanDeviceKey)
	for _, k := range keys {
		d := byID[k.Device]
		d.Keys = append(d.Keys, k)
		if k.LastUsed.After(d.LastUsed) {
			d.LastUsed, d.LastIP = k.LastUsed, k.LastIP
		}
	}
	return err
}

// CreateDevice keeps a new device with its first key, unless its owner has limit
// devices that can still connect; a limit of 0 is none.
func (db *DB) CreateDevice(ctx context.Context, d domain.Device, k domain.DeviceKey, secret domain.DeviceSecret, limit int, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		owner := d.Owner.ID
		if err := t.mayOwn(ctx, owner, limit, now); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO users (id, kind, username, display_name, created_at) VALUES ($1, $2, $1, $3, $4)`,
			d.ID, domain.KindDevice, d.Name, ms(now))
		if err != nil {
			return err
		}
		if err := t.foldUser(ctx, d.ID); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO devices (id, owner_id, created_at, expires_at) VALUES ($1, $2, $3, $4)`, d.ID, owner, ms(now), ms(d.Expires))
		if err != nil {
			return err
		}
		return t.insertDeviceKey(ctx, k, secret)
	})
}

// mayOwn holds the owner's row, so that two registrations at once do not both
// find room for one.
func (t *tx) mayOwn(ctx context.Context, owner string, limit int, now time.Time) error {
	var kind domain.PrincipalKind
	err := t.QueryRowContext(ctx, `SELECT kind FROM users WHERE id = $1 AND NOT disabled`+t.d.forUpdate, owner).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) || err == nil && kind == domain.KindDevice {
		return errNoUser()
	}
	if err != nil || limit == 0 {
		return err
	}
	var n int
	err = t.QueryRowContext(ctx, `SELECT count(*) FROM devices WHERE owner_id = $1 AND revoked_at = 0 AND (expires_at = 0 OR expires_at > $2)`, owner, ms(now)).Scan(&n)
	if err == nil && n >= limit {
		err = domain.Conflict.Errorf("too_many_devices", "there are %d devices already, which is as many as one person may have; revoke one", n)
	}
	return err
}

// Devices lists devices by id, which is the order in which they were registered,
// those of owner, or all if it is empty. after is the id of the last one of the
// page before.
func (db *DB) Devices(ctx context.Context, owner, after string, limit int) ([]domain.Device, error) {
	return devicesWhere(ctx, db.read, `($1 = '' OR d.owner_id = $1) AND d.id > $2 ORDER BY d.id LIMIT $3`, owner, after, limit)
}

// DeviceByID returns a device with its keys.
func (db *DB) DeviceByID(ctx context.Context, id string) (domain.Device, error) {
	return oneDevice(ctx, db.read, id)
}

func oneDevice(ctx context.Context, q querier, id string) (domain.Device, error) {
	found, err := devicesWhere(ctx, q, `d.id = $1`, id)
	if err != nil {
		return domain.Device{}, err
	}
	if len(found) == 0 {
		return domain.Device{}, errNoDevice()
	}
	return found[0], nil
}

func errNoDevice() error {
	return domain.NotFound.Errorf("no_device", "there is no such device, or it is not yours")
}

// ownDevice holds a device of owner, so that what is found out about it stays
// true until the end of the transaction.
func (t *tx) ownDevice(ctx context.Context, owner, id string) (domain.Device, error) {
	var n string
	err := t.QueryRowContext(ctx, `SELECT id FROM devices WHERE id = $1 AND owner_id = $2`+t.d.forUpdate, id, owner).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Device{}, errNoDevice()
	}
	if err != nil {
		return domain.Device{}, err
	}
	return oneDevice(ctx, t, id)
}

// ChangeDevice changes a device of owner, unless it is revoked.
func (db *DB) ChangeDevice(ctx context.Context, owner, id string, c domain.DeviceChange, now time.Time) (d domain.Device, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		if d, err = t.ownDevice(ctx, owner, id); err != nil {
			return err
		}
		if !d.RevokedAt.IsZero() {
			return errDeviceRevoked()
		}
		if c.Name != nil {
			if _, err := t.ExecContext(ctx, `UPDATE users SET display_name = $2 WHERE id = $1`, id, *c.Name); err != nil {
				return err
			}
			if err := t.foldUser(ctx, id); err != nil {
				return err
			}
		}
		if c.Expires != nil {
			if _, err := t.ExecContext(ctx, `UPDATE devices SET expires_at = $2 WHERE id = $1`, id, ms(*c.Expires)); err != nil {
				return err
			}
		}
		d, err = oneDevice(ctx, t, id)
		return err
	})
	return d, err
}

func errDeviceRevoked() error {
	return domain.Conflict.Errorf("device_revoked", "this device is revoked, for good; register it anew")
}

// RevokeDevice ends a device and its keys for good. It stays in the list, and
// what it said in rooms stays said. Doing it again changes nothing.
func (db *DB) RevokeDevice(ctx context.Context, id, reason string, now time.Time) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		res, err := t.ExecContext(ctx, `UPDATE devices SET revoked_at = $2, reason = $3 WHERE id = $1 AND revoked_at = 0`, id, ms(now), reason)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if err := t.revokeKeys(ctx, `device_id = $3`, reason, now, id); err != nil {
			return err
		}
		// Nobody brings it into another room.
		_, err = t.ExecContext(ctx, `UPDATE users SET disabled = TRUE WHERE id = $1`, id)
		return err
	})
}

// eraseDevices ends all devices of someone whose account is deleted, and leaves of
// them what their messages point to.
func (t *tx) eraseDevices(ctx context.Context, owner string, now time.Time) error {
	_, err := t.ExecContext(ctx, `UPDATE devices SET revoked_at = $2, reason = 'account_deleted' WHERE owner_id = $1 AND revoked_at = 0`, owner, ms(now))
	if err != nil {
		return err
	}
	const theirs = `(SELECT id FROM devices WHERE owner_id = $1)`
	if _, err := t.ExecContext(ctx, `DELETE FROM device_keys WHERE device_id IN `+theirs, owner); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE users SET display_name = 'Deleted device', folded = '', disabled = TRUE, last_seen_at = $2 WHERE id IN `+theirs, owner, ms(now))
	return err
}

// mayBring says whether a member may bring u into the room. A device comes with
// its owner, or with an admin of a room that its owner is in; to others it does
// not exist.
func (t *tx) mayBring(ctx context.Context, m domain.Member, u domain.UserRef) error {
	if u.Kind != domain.KindDevice {
		return nil
	}
	var owner string
	if err := t.QueryRowContext(ctx, `SELECT owner_id FROM devices WHERE id = $1`, u.ID).Scan(&owner); err != nil {
		return err
	}
	if owner == m.User.ID {
		return nil
	}
	if m.Role.Rank() < domain.Admin.Rank() {
		return errNoUser()
	}
	o, err := memberOf(ctx, t, m.Room, owner)
	if err == nil && o.Role == domain.Outsider {
		err = errNoUser()
	}
	return err
}

// devicesIn returns those of owner's devices that are in room.
func (t *tx) devicesIn(ctx context.Context, room, owner string) ([]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar
		FROM devices d JOIN members m ON m.user_id = d.id AND m.room_id = $1 JOIN users u ON u.id = d.id WHERE d.owner_id = $2 ORDER BY d.id`, room, owner)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanRef)
}

// dropDevices takes the devices of someone who is not in the room any more out
// of it. e is the event of their own departure.
func (t *tx) dropDevices(ctx context.Context, e domain.Event) error {
	devices, err := t.devicesIn(ctx, e.Room, e.Subject.ID)
	if err != nil {
		return err
	}
	for _, d := range devices {
		gone := domain.Event{Room: e.Room, Type: domain.MemberKicked, Actor: e.Actor, Subject: &d, At: e.At, Detail: &domain.Detail{}}
		if e.Type == domain.MemberLeft {
			gone.Type, gone.Actor, gone.Detail = domain.MemberLeft, d, nil
		}
		if err := t.drop(ctx, &gone); err != nil {
			return err
		}
	}
	return nil
}
