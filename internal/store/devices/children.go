package devices

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// BridgeChildren returns the bridges of an owner that are not revoked, with the devices that they speak for. A
// bridge without any is there once, without the id of a device.
func (repo *Repository) BridgeChildren(ctx context.Context, owner string) ([]domain.BridgeChild, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT b.id, COALESCE(c.bridge_key, ''), COALESCE(c.id, ''),
			COALESCE(c.revoked_at, 0) <> 0 OR COALESCE(c.suspended_at, 0) <> 0
		FROM devices b LEFT JOIN devices c ON c.bridge_id = b.id
		WHERE b.owner_id = $1 AND b.access = $2 AND b.revoked_at = 0 ORDER BY b.id, c.id`, owner, domain.AccessBridge)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (c domain.BridgeChild, err error) {
		err = rows.Scan(&c.Bridge, &c.Key, &c.ID, &c.Out)
		return c, err
	})
}

// AdoptChild returns the device that a bridge calls key, and makes it if there is none: then made is true. It fails
// with conflict if the bridge has limit devices, and with not_found if d.Bridge is none.
func (repo *Repository) AdoptChild(
	ctx context.Context, d domain.Device, key string, limit int, now time.Time,
) (c domain.BridgeChild, made bool, err error) {
	c = domain.BridgeChild{Bridge: d.Bridge, Key: key}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		made = false
		var owner string
		err := t.QueryRowContext(ctx, `SELECT owner_id FROM devices WHERE id = $1 AND access = $2 AND revoked_at = 0`+
			t.ForUpdate(), d.Bridge, domain.AccessBridge).Scan(&owner)
		if errors.Is(err, sql.ErrNoRows) {
			return errNoDevice()
		}
		if err != nil {
			return err
		}
		err = t.QueryRowContext(ctx, `SELECT id, revoked_at <> 0 OR suspended_at <> 0 FROM devices
			WHERE bridge_id = $1 AND bridge_key = $2`, d.Bridge, key).Scan(&c.ID, &c.Out)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		var n int
		err = t.QueryRowContext(ctx, `SELECT count(*) FROM devices WHERE bridge_id = $1`, d.Bridge).Scan(&n)
		if err == nil && n >= limit {
			err = domain.Conflict.Errorf(domain.CodeTooManyDevices, "a bridge speaks for at most %d devices", limit)
		}
		if err != nil {
			return err
		}
		c.ID, made, d.Owner.ID = d.ID, true, owner
		return insertKeyless(ctx, t, d, key, now)
	})
	return c, made, err
}
