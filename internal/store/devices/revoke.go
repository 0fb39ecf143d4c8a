package devices

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// CountKeys counts the devices that a query describes, and their keys that are good.
func (repo *Repository) CountKeys(ctx context.Context, q domain.DeviceQuery, now time.Time) (domain.KeyTally, error) {
	return countKeys(ctx, repo.db, q, now)
}

const goodKey = `k.revoked_at = 0 AND (k.expires_at = 0 OR k.expires_at > ?)`

func countKeys(
	ctx context.Context, db store.Queryer, q domain.DeviceQuery, now time.Time,
) (n domain.KeyTally, err error) {
	f, err := filterOf(ctx, db, q, now)
	if err != nil || f.none {
		return n, err
	}
	online := f
	online.args = append([]any(nil), f.args...)
	f.add(goodKey, store.Millis(now))
	err = db.QueryRowContext(ctx, `SELECT count(DISTINCT d.id), count(*) FROM `+deviceTables+
		` JOIN device_keys k ON k.device_id = d.id WHERE `+f.sql(), f.args...).Scan(&n.Devices, &n.Keys)
	if err != nil {
		return n, err
	}
	online.add(`EXISTS (SELECT 1 FROM device_links l WHERE l.device_id = d.id)`)
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM `+deviceTables+` WHERE `+online.sql(), online.args...).
		Scan(&n.Connected)
	return n, err
}

// RevokeKeys revokes all keys of the devices that a query describes, whose ids it returns. If not as many devices as
// expected have good keys, it changes nothing, and fails with invalid.
func (repo *Repository) RevokeKeys(
	ctx context.Context, q domain.DeviceQuery, expect int, reason string, now time.Time,
) (n domain.KeyTally, devices []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if n, err = countKeys(ctx, t, q, now); err != nil {
			return err
		}
		if devices, err = withGoodKeys(ctx, t, q, now); err != nil {
			return err
		}
		if n.Devices = len(devices); n.Devices != expect { // of those whose keys end, and not of the count before
			return domain.InvalidField("/confirm", "%d devices have keys that are good, and not %d; look again",
				n.Devices, expect)
		}
		for _, id := range devices {
			if err := revokeKeys(ctx, t, `device_id = $3`, reason, now, id); err != nil {
				return err
			}
		}
		return nil
	})
	return n, devices, err
}

// withGoodKeys returns the ids of the devices that a query describes and that have keys that are good.
func withGoodKeys(ctx context.Context, db store.Queryer, q domain.DeviceQuery, now time.Time) ([]string, error) {
	f, err := filterOf(ctx, db, q, now)
	if err != nil || f.none {
		return nil, err
	}
	f.add(goodKey, store.Millis(now))
	rows, err := db.QueryContext(ctx, `SELECT DISTINCT d.id FROM `+deviceTables+
		` JOIN device_keys k ON k.device_id = d.id WHERE `+f.sql()+` ORDER BY d.id`, f.args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}
