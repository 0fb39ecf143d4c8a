package devices

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
)

// A device has a row in users too, with its name. As a member of rooms it is that user.
const deviceColumns = `d.id, u.display_name, d.created_at, d.expires_at, d.revoked_at,
	d.type, d.serial, d.notes, d.tags, d.access, d.bridge_id, d.suspended_at, d.away_until, d.away_reason,
	d.transferred_at,
	COALESCE(s.session, 0), COALESCE(s.online, FALSE), COALESCE(s.since, 0), COALESCE(s.reason, ''),
	COALESCE(s.doubled_at, 0), COALESCE(s.doubled, ''),
	o.id, o.kind, o.username, o.display_name, o.avatar`

const deviceTables = `devices d JOIN users u ON u.id = d.id JOIN users o ON o.id = d.owner_id
	LEFT JOIN device_states s ON s.device_id = d.id`

type deviceRow struct {
	d                         domain.Device
	created, expires, revoked int64
	tags                      string
	suspended, away, received int64
	status                    statusRow
	owner                     accounts.RefRow
}

func (r *deviceRow) dest() []any {
	return slices.Concat([]any{&r.d.ID, &r.d.Name, &r.created, &r.expires, &r.revoked, &r.d.Type, &r.d.Serial, &r.d.Notes,
		&r.tags, &r.d.Access, &r.d.Bridge, &r.suspended, &r.away, &r.d.Away, &r.received}, r.status.dest(), r.owner.Dest())
}

func (r *deviceRow) device() domain.Device {
	r.d.CreatedAt, r.d.Expires, r.d.RevokedAt, r.d.Owner = store.Time(r.created), store.Time(r.expires),
		store.Time(r.revoked), r.owner.Ref()
	r.d.Tags, r.d.Suspended, r.d.AwayUntil = strings.Fields(r.tags), store.Time(r.suspended), store.Time(r.away)
	r.d.Received = store.Time(r.received)
	r.d.Status = r.status.status()
	r.d.Status.Device, r.d.Status.Owner, r.d.Status.Away = r.d.ID, r.d.Owner.ID, r.d.AwayUntil
	return r.d
}

func devicesWhere(ctx context.Context, q store.Queryer, rest string, args ...any) ([]domain.Device, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+deviceColumns+` FROM `+deviceTables+` WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	devices, err := store.Collect(rows, func(rows *sql.Rows) (domain.Device, error) {
		var r deviceRow
		err := rows.Scan(r.dest()...)
		return r.device(), err
	})
	if err != nil {
		return nil, err
	}
	return devices, addKeys(ctx, q, devices)
}

// addKeys reads the keys of devices, and when each device last used one.
func addKeys(ctx context.Context, q store.Queryer, devices []domain.Device) error {
	if len(devices) == 0 {
		return nil
	}
	byID := make(map[string]*domain.Device, len(devices))
	var ids []string
	for i := range devices {
		byID[devices[i].ID] = &devices[i]
		ids = append(ids, devices[i].ID)
	}
	rows, err := q.QueryContext(ctx, `SELECT `+deviceKeyColumns+` FROM device_keys k WHERE k.device_id IN (`+
		store.Placeholders(1, len(ids))+`) ORDER BY k.created_at DESC, k.id`, store.Args(ids)...)
	if err != nil {
		return err
	}
	keys, err := store.Collect(rows, scanDeviceKey)
	for _, k := range keys {
		d := byID[k.Device]
		d.Keys = append(d.Keys, k)
		if k.LastUsed.After(d.LastUsed) {
			d.LastUsed, d.LastIP = k.LastUsed, k.LastIP
		}
	}
	return err
}

// CreateDevice stores a new device with its first key, and what a template has; nil: none. It fails with conflict if
// the owner has
// limit devices that can still connect; 0 means no limit.
func (repo *Repository) CreateDevice(
	ctx context.Context, d domain.Device, k domain.DeviceKey, secret domain.DeviceSecret, from *domain.NamedTemplate,
	limit int, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		n, err := lockOwner(ctx, t, d.Owner.ID, now)
		if err != nil {
			return err
		}
		if limit > 0 && n >= limit {
			return errTooManyDevices(n)
		}
		if err := insertDevice(ctx, t, d, k, secret, now); err != nil {
			return err
		}
		return begin(ctx, t, d, from, now)
	})
}

// insertDevice adds a device with its first key.
func insertDevice(
	ctx context.Context, t *store.Tx, d domain.Device, k domain.DeviceKey, secret domain.DeviceSecret, now time.Time,
) error {
	if err := insertKeyless(ctx, t, d, "", now); err != nil {
		return err
	}
	return insertDeviceKey(ctx, t, k, secret)
}

// insertKeyless adds a device without a key; its bridge, if it has one, calls it key.
func insertKeyless(ctx context.Context, t *store.Tx, d domain.Device, key string, now time.Time) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO users (id, kind, username, display_name, created_at) VALUES ($1, $2, $1, $3, $4)`,
		d.ID, domain.KindDevice, d.Name, store.Millis(now))
	if err != nil {
		return err
	}
	if err := naming.FoldUser(ctx, t, d.ID); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO devices (id, owner_id, created_at, expires_at, type, serial, notes, tags,
		access, bridge_id, bridge_key) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, d.ID, d.Owner.ID,
		store.Millis(now), store.Millis(d.Expires), d.Type, d.Serial, d.Notes, tagsColumn(d.Tags), d.Access, d.Bridge, key)
	return err
}

// lockOwner locks the owner's row, so that concurrent registrations cannot exceed the limit. It
// returns how many devices the owner has that can still connect.
func lockOwner(ctx context.Context, t *store.Tx, owner string, now time.Time) (n int, err error) {
	var kind domain.PrincipalKind
	err = t.QueryRowContext(ctx, `SELECT kind FROM users WHERE id = $1 AND NOT disabled`+t.ForUpdate(), owner).Scan(&kind)
	if errors.Is(err, sql.ErrNoRows) || err == nil && kind == domain.KindDevice {
		return 0, accounts.ErrNoUser()
	}
	if err != nil {
		return 0, err
	}
	err = t.QueryRowContext(ctx,
		`SELECT count(*) FROM devices WHERE owner_id = $1 AND bridge_id = '' AND revoked_at = 0
			AND (expires_at = 0 OR expires_at > $2)`, owner,
		store.Millis(now)).Scan(&n)
	return n, err
}

func errTooManyDevices(n int) error {
	return domain.Conflict.Errorf(domain.CodeTooManyDevices,
		"you have as many devices as one person may have (%d); revoke one", n)
}

// Devices returns the devices of owner, or all if owner is empty, by id, which is the order of
// their registration. after is the id of the last device of the page before.
func (repo *Repository) Devices(ctx context.Context, owner, after string, limit int) ([]domain.Device, error) {
	return repo.FindDevices(ctx, domain.DeviceQuery{Owner: owner}, after, limit, time.Time{})
}

// DeviceByID returns a device with its keys.
func (repo *Repository) DeviceByID(ctx context.Context, id string) (domain.Device, error) {
	return oneDevice(ctx, repo.db, id)
}

func oneDevice(ctx context.Context, q store.Queryer, id string) (domain.Device, error) {
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
	return domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
}

// ownDevice returns a device of owner and locks it until the commit.
func ownDevice(ctx context.Context, t *store.Tx, owner, id string) (domain.Device, error) {
	var n string
	err := t.QueryRowContext(ctx, `SELECT id FROM devices WHERE id = $1 AND owner_id = $2`+t.ForUpdate(), id,
		owner).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.Device{}, errNoDevice()
	}
	if err != nil {
		return domain.Device{}, err
	}
	return oneDevice(ctx, t, id)
}

// ChangeDevice changes a device of owner, unless it is revoked.
func (repo *Repository) ChangeDevice(
	ctx context.Context, owner, id string, c domain.DeviceChange, now time.Time,
) (d domain.Device, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if d, err = ownDevice(ctx, t, owner, id); err != nil {
			return err
		}
		if !d.RevokedAt.IsZero() {
			return errDeviceRevoked()
		}
		if err := changeDevice(ctx, t, id, c, now); err != nil {
			return err
		}
		d, err = oneDevice(ctx, t, id)
		return err
	})
	return d, err
}

// changeDevice changes a device, which the caller has locked.
func changeDevice(ctx context.Context, t *store.Tx, id string, c domain.DeviceChange, now time.Time) error {
	if c.Name != nil {
		t.Invalidate()
		if _, err := t.ExecContext(ctx, `UPDATE users SET display_name = $2 WHERE id = $1`, id, *c.Name); err != nil {
			return err
		}
		if err := naming.FoldUser(ctx, t, id); err != nil {
			return err
		}
	}
	return changeRegistry(ctx, t, id, c, now)
}

// changeRegistry changes what the owner says about a device, and whether and until when it may connect.
func changeRegistry(ctx context.Context, t *store.Tx, id string, c domain.DeviceChange, now time.Time) error {
	set := func(column string, value any) error {
		_, err := t.ExecContext(ctx, `UPDATE devices SET `+column+` = $2 WHERE id = $1`, id, value)
		return err
	}
	var errs []error
	if c.Expires != nil {
		errs = append(errs, set("expires_at", store.Millis(*c.Expires)))
	}
	if c.Type != nil {
		errs = append(errs, set("type", *c.Type))
	}
	if c.Serial != nil {
		errs = append(errs, set("serial", *c.Serial))
	}
	if c.Notes != nil {
		errs = append(errs, set("notes", *c.Notes))
	}
	if c.Tags != nil {
		errs = append(errs, set("tags", tagsColumn(*c.Tags)))
	}
	if c.Suspend != nil {
		since := time.Time{}
		if *c.Suspend {
			since = now
		}
		errs = append(errs, set("suspended_at", store.Millis(since)))
	}
	return errors.Join(errs...)
}

// tagsColumn is the stored form of tags: each between two spaces, so that one is found by LIKE.
func tagsColumn(tags []string) string {
	if len(tags) == 0 {
		return ""
	}
	return " " + strings.Join(tags, " ") + " "
}

func errDeviceRevoked() error {
	return domain.Conflict.Errorf(domain.CodeDeviceRevoked, "this device was revoked for good; register it again")
}

// RevokeDevice revokes a device and all its keys. Its row and its messages stay. Revoking a revoked
// device does nothing.
func (repo *Repository) RevokeDevice(ctx context.Context, id, reason string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE devices SET revoked_at = $2, reason = $3 WHERE id = $1 AND revoked_at = 0`, id,
			store.Millis(now), reason)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		if err := revokeKeys(ctx, t, `device_id = $3`, reason, now, id); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx,
			`UPDATE devices SET revoked_at = $2, reason = $3 WHERE bridge_id = $1 AND revoked_at = 0`,
			id, store.Millis(now), reason); err != nil {
			return err
		}
		// A disabled user cannot be added to rooms.
		_, err = t.ExecContext(ctx, `UPDATE users SET disabled = TRUE WHERE id = $1
			OR id IN (SELECT id FROM devices WHERE bridge_id = $1)`, id)
		return err
	})
}

// erasedName is the name of a device whose owner's account was deleted. Other devices have a folded
// name.
const erasedName = "Deleted device"

// EraseUser revokes all devices of a deleted account and erases their data. Their rows stay,
// because messages refer to them.
func EraseUser(ctx context.Context, t *store.Tx, owner string, now time.Time) error {
	_, err := t.ExecContext(ctx,
		`UPDATE devices SET revoked_at = $2, reason = 'account_deleted' WHERE owner_id = $1 AND revoked_at = 0`, owner,
		store.Millis(now))
	if err != nil {
		return err
	}
	const theirs = `(SELECT id FROM devices WHERE owner_id = $1)`
	if _, err := t.ExecContext(ctx, `DELETE FROM device_keys WHERE device_id IN `+theirs, owner); err != nil {
		return err
	}
	for _, table := range []string{"device_capabilities", "device_connections", "device_links", "device_states",
		"device_log", "device_settings", "device_claims"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE device_id IN `+theirs, owner); err != nil {
			return err
		}
	}
	_, err = t.ExecContext(ctx, `UPDATE devices SET type = '', serial = '', notes = '', tags = '' WHERE owner_id = $1`,
		owner)
	if err != nil {
		return err
	}
	for _, what := range []string{"device_groups WHERE owner_id = $1", "device_templates WHERE owner_id = $1",
		"device_transfers WHERE from_user = $1 OR to_user = $1"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+what, owner); err != nil {
			return err
		}
	}
	t.Invalidate()
	_, err = t.ExecContext(ctx,
		`UPDATE users SET display_name = $3, folded = '', disabled = TRUE, last_seen_at = $2 WHERE id IN `+
			theirs, owner, store.Millis(now), erasedName)
	return err
}

// InRoom returns the devices of owner that are members of room.
func InRoom(ctx context.Context, t *store.Tx, room, owner string) ([]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar
		FROM devices d JOIN members m ON m.user_id = d.id AND m.room_id = $1 JOIN users u ON u.id = d.id WHERE d.owner_id = $2
		ORDER BY d.id`, room, owner)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, accounts.ScanRef)
}

// OwnerOf returns the id of a device's owner.
func OwnerOf(ctx context.Context, q store.Queryer, device string) (owner string, err error) {
	err = q.QueryRowContext(ctx, `SELECT owner_id FROM devices WHERE id = $1`, device).Scan(&owner)
	return owner, err
}
