package devices

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Connected stores connections that have ended, and keeps the last domain.MaxConnections of each
// device.
func (repo *Repository) Connected(ctx context.Context, ended []domain.DeviceConnection) error {
	if len(ended) == 0 {
		return nil
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		devices := make(map[string]bool)
		for _, c := range ended {
			devices[c.Device] = true
			_, err := t.ExecContext(ctx, `INSERT INTO device_connections (id, device_id, key_id, addr, opened_at, closed_at, reason)
				VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING`, c.ID, c.Device, c.Key, c.Addr,
				store.Millis(c.Opened), store.Millis(c.Closed), c.Reason)
			if err != nil {
				return err
			}
		}
		for id := range devices {
			_, err := t.ExecContext(ctx, `DELETE FROM device_connections WHERE device_id = $1 AND id <=
				(SELECT id FROM device_connections WHERE device_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)`, id,
				domain.MaxConnections)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Connections returns the last connections of a device that have ended, the latest first.
func (repo *Repository) Connections(ctx context.Context, device string) ([]domain.DeviceConnection, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT id, device_id, key_id, addr, opened_at, closed_at, reason
		FROM device_connections WHERE device_id = $1 ORDER BY id DESC`, device)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (c domain.DeviceConnection, err error) {
		var opened, closed int64
		err = rows.Scan(&c.ID, &c.Device, &c.Key, &c.Addr, &opened, &closed, &c.Reason)
		c.Opened, c.Closed = store.Time(opened), store.Time(closed)
		return c, err
	})
}

// Away stores until when a device is away, and why.
func (repo *Repository) Away(ctx context.Context, device, reason string, until time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE devices SET away_until = $2, away_reason = $3 WHERE id = $1`, device,
			store.Millis(until), reason)
		return err
	})
}
