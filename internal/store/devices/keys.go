package devices

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

const deviceKeyColumns = `k.id, k.device_id, k.created_at, k.expires_at, k.revoked_at, k.last_used_at, k.last_ip`

type deviceKeyRow struct {
	k                               domain.DeviceKey
	created, expires, revoked, used int64
}

func (r *deviceKeyRow) dest() []any {
	return []any{&r.k.ID, &r.k.Device, &r.created, &r.expires, &r.revoked, &r.used, &r.k.LastIP}
}

func (r *deviceKeyRow) key() domain.DeviceKey {
	r.k.CreatedAt, r.k.Expires, r.k.RevokedAt, r.k.LastUsed = store.Time(r.created), store.Time(r.expires),
		store.Time(r.revoked), store.Time(r.used)
	return r.k
}

func scanDeviceKey(rows *sql.Rows) (domain.DeviceKey, error) {
	var r deviceKeyRow
	err := rows.Scan(r.dest()...)
	return r.key(), err
}

func insertDeviceKey(ctx context.Context, t *store.Tx, k domain.DeviceKey, secret domain.DeviceSecret) error {
	_, err := t.ExecContext(ctx,
		`INSERT INTO device_keys (id, device_id, hash, pepper, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, k.Device, secret.Hash, secret.Pepper, store.Millis(k.CreatedAt), store.Millis(k.Expires))
	return err
}

// DeviceLogin returns a key by its id, with its device and owner. The caller checks whether the key
// is valid.
func (repo *Repository) DeviceLogin(ctx context.Context, key string) (l domain.DeviceLogin, err error) {
	var d deviceRow
	var k deviceKeyRow
	dest := append(append(d.dest(), k.dest()...), &l.Secret.Hash, &l.Secret.Pepper, &l.Barred)
	err = repo.db.QueryRowContext(ctx, `SELECT `+deviceColumns+`, `+deviceKeyColumns+`, k.hash, k.pepper, o.disabled
		FROM `+deviceTables+` JOIN device_keys k ON k.device_id = d.id WHERE k.id = $1`, key).Scan(dest...)
	if errors.Is(err, sql.ErrNoRows) {
		return l, domain.NotFound.Errorf(domain.CodeNoDeviceKey, "there is no such key")
	}
	l.Device, l.Key = d.device(), k.key()
	return l, err
}

// RotateDeviceKey adds a key to a device of owner. The previous key expires at until, or earlier if
// it was to. At most two keys stay valid: the new one and the newest before it.
func (repo *Repository) RotateDeviceKey(
	ctx context.Context, owner string, k domain.DeviceKey, secret domain.DeviceSecret, until, now time.Time,
) (d domain.Device, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if d, err = ownDevice(ctx, t, owner, k.Device); err != nil {
			return err
		}
		if !d.RevokedAt.IsZero() {
			return errDeviceRevoked()
		}
		if d.Bridge != "" {
			return domain.InvalidField("/device", "this device has no key: its bridge speaks for it")
		}
		if err := addKey(ctx, t, d, k, secret, until, now); err != nil {
			return err
		}
		d, err = oneDevice(ctx, t, k.Device)
		return err
	})
	return d, err
}

// addKey gives d one more key, as RotateDeviceKey says.
func addKey(
	ctx context.Context, t *store.Tx, d domain.Device, k domain.DeviceKey, secret domain.DeviceSecret, until,
	now time.Time,
) (err error) {
	live := 1 // the new one
	for _, old := range d.Keys {
		if old.Ended(now) || old.Certificate() {
			continue
		}
		if live++; live > domain.MaxDeviceKeys {
			err = revokeKeys(ctx, t, `id = $3`, "rotated", now, old.ID)
		} else {
			_, err = t.ExecContext(ctx,
				`UPDATE device_keys SET expires_at = $2 WHERE id = $1 AND (expires_at = 0 OR expires_at > $2)`, old.ID,
				store.Millis(until))
		}
		if err != nil {
			return err
		}
	}
	return insertDeviceKey(ctx, t, k, secret)
}

// AddCertificate adds a certificate to the keys of a device. It fails with conflict if the device has MaxDeviceCerts.
func (repo *Repository) AddCertificate(
	ctx context.Context, k domain.DeviceKey, secret domain.DeviceSecret, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		d, err := oneDevice(ctx, t, k.Device)
		switch {
		case err != nil:
			return err
		case !d.RevokedAt.IsZero():
			return errDeviceRevoked()
		case d.Bridge != "":
			return domain.InvalidField("/device", "this device has no certificate: its bridge speaks for it")
		}
		live := 0
		for _, old := range d.Keys {
			if old.Certificate() && !old.Ended(now) {
				live++
			}
		}
		if live >= domain.MaxDeviceCerts {
			return domain.Conflict.Errorf(domain.CodeTooManyDevices, "this device has %d certificates; revoke one", live)
		}
		return insertDeviceKey(ctx, t, k, secret)
	})
}

func revokeKeys(ctx context.Context, t *store.Tx, which, reason string, now time.Time, arg string) error {
	_, err := t.ExecContext(ctx, `UPDATE device_keys SET revoked_at = $1, reason = $2 WHERE revoked_at = 0 AND `+which,
		store.Millis(now), reason, arg)
	return err
}

// RevokeDeviceKey revokes a key of a device. Revoking a revoked key does nothing.
func (repo *Repository) RevokeDeviceKey(ctx context.Context, device, key, reason string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var n string
		err := t.QueryRowContext(ctx, `SELECT id FROM device_keys WHERE id = $1 AND device_id = $2`, key, device).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return domain.NotFound.Errorf(domain.CodeNoDeviceKey, "this device has no such key")
		}
		if err != nil {
			return err
		}
		return revokeKeys(ctx, t, `id = $3`, reason, now, key)
	})
}

// UsedDeviceKeys stores when and from which address keys were last used.
func (repo *Repository) UsedDeviceKeys(ctx context.Context, uses []domain.DeviceUse) error {
	if len(uses) == 0 {
		return nil
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		for _, u := range uses {
			_, err := t.ExecContext(ctx,
				`UPDATE device_keys SET last_used_at = $2, last_ip = $3 WHERE id = $1 AND last_used_at < $2`, u.Key,
				store.Millis(u.At), u.IP)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// EndedDevices returns the keys that any server or command has revoked since a time, and the keys
// and devices that have expired between since and until.
func (repo *Repository) EndedDevices(ctx context.Context, since, until time.Time) ([]domain.DeviceEnd, error) {
	rows, err := repo.db.QueryContext(ctx, `
		SELECT k.device_id, k.id, k.reason FROM device_keys k WHERE k.revoked_at <> 0 AND k.revoked_at >= $1
		UNION ALL SELECT k.device_id, k.id, 'expired' FROM device_keys k WHERE k.expires_at <> 0 AND k.expires_at >= $1
		AND k.expires_at <= $2
		UNION ALL SELECT d.id, '', 'expired' FROM devices d WHERE d.expires_at <> 0 AND d.expires_at >= $1
		AND d.expires_at <= $2`, store.Millis(since), store.Millis(until))
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (e domain.DeviceEnd, err error) {
		err = rows.Scan(&e.Device, &e.Key, &e.Reason)
		return e, err
	})
}

// DisabledOwners returns those of owners who are disabled or do not exist.
func (repo *Repository) DisabledOwners(ctx context.Context, owners []string) ([]string, error) {
	users, err := accounts.ByIDs(ctx, repo.db, owners)
	if err != nil {
		return nil, err
	}
	good := make(map[string]bool, len(users))
	for _, u := range users {
		good[u.ID] = !u.Disabled
	}
	var barred []string
	for _, id := range owners {
		if !good[id] {
			barred = append(barred, id)
		}
	}
	return barred, nil
}

// PruneDeviceKeys deletes the keys that were revoked or expired before a time.
func (repo *Repository) PruneDeviceKeys(ctx context.Context, before time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`DELETE FROM device_keys WHERE revoked_at <> 0 AND revoked_at < $1 OR expires_at <> 0 AND expires_at < $1`,
			store.Millis(before))
		return err
	})
}
