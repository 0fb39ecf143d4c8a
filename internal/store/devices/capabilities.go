package devices

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Describe stores what a device says about itself. changed is false if it has said the same
// before; then nothing is written.
func (repo *Repository) Describe(
	ctx context.Context, device string, c domain.Capabilities, now time.Time,
) (changed bool, err error) {
	b, err := json.Marshal(c)
	if err != nil {
		return false, err
	}
	var before string
	err = repo.db.QueryRowContext(ctx, `SELECT data FROM device_capabilities WHERE device_id = $1`, device).Scan(&before)
	if err == nil && before == string(b) {
		return false, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, err
	}
	return true, repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		return describe(ctx, t, device, c, now)
	})
}

// describe stores a description, in place of the one before.
func describe(ctx context.Context, t *store.Tx, device string, c domain.Capabilities, now time.Time) error {
	b, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `INSERT INTO device_capabilities (device_id, described_at, data, model, serial)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (device_id) DO UPDATE SET described_at = excluded.described_at,
		data = excluded.data, model = excluded.model, serial = excluded.serial`,
		device, store.Millis(now), string(b), c.Model, c.Serial)
	return err
}

// Capabilities returns what a device last said about itself, and when that changed; nothing
// and the zero time if it has said nothing.
func (repo *Repository) Capabilities(
	ctx context.Context, device string,
) (c domain.Capabilities, at time.Time, err error) {
	var data string
	var when int64
	err = repo.db.QueryRowContext(ctx, `SELECT data, described_at FROM device_capabilities WHERE device_id = $1`,
		device).Scan(&data, &when)
	if errors.Is(err, sql.ErrNoRows) {
		return c, at, nil
	}
	if err == nil {
		err = json.Unmarshal([]byte(data), &c)
	}
	return c, store.Time(when), err
}

// Described returns devices with what each last said about itself, in the same order.
func (repo *Repository) Described(
	ctx context.Context, devices []domain.Device,
) ([]domain.DescribedDevice, error) {
	described := make([]domain.DescribedDevice, len(devices))
	ids := make([]string, len(devices))
	at := make(map[string]int, len(devices))
	for i, d := range devices {
		described[i].Device, ids[i], at[d.ID] = d, d.ID, i
	}
	if len(ids) == 0 {
		return described, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT device_id, data, described_at FROM device_capabilities
		WHERE device_id IN (`+store.Placeholders(1, len(ids))+`)`, store.Args(ids)...)
	if err != nil {
		return nil, err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (string, error) {
		var id, data string
		var when int64
		if err := rows.Scan(&id, &data, &when); err != nil {
			return "", err
		}
		d := &described[at[id]]
		d.DescribedAt = store.Time(when)
		return id, json.Unmarshal([]byte(data), &d.Capabilities)
	})
	return described, err
}

// RoomDevices returns the devices in a room that can still connect, by id, with what they last
// said about themselves and without their keys. after is the id of the last one of the page
// before. Viewers who are not in the room are told that there is none.
func (repo *Repository) RoomDevices(
	ctx context.Context, viewer, room, after string, limit int, now time.Time,
) ([]domain.DescribedDevice, error) {
	var in int
	err := repo.db.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE room_id = $1 AND user_id = $2`, room,
		viewer).Scan(&in)
	if err != nil {
		return nil, err
	}
	if in == 0 {
		return nil, domain.ErrNoRoom()
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+deviceColumns+`, COALESCE(c.data, ''), COALESCE(c.described_at, 0)
		FROM `+deviceTables+` JOIN members m ON m.user_id = d.id LEFT JOIN device_capabilities c ON c.device_id = d.id
		WHERE m.room_id = $1 AND d.id > $2 AND d.revoked_at = 0 AND (d.expires_at = 0 OR d.expires_at > $3)
		ORDER BY d.id LIMIT $4`, room, after, store.Millis(now), limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (d domain.DescribedDevice, err error) {
		var r deviceRow
		var data string
		var at int64
		if err := rows.Scan(append(r.dest(), &data, &at)...); err != nil {
			return d, err
		}
		d.Device, d.DescribedAt = r.device(), store.Time(at)
		if data != "" {
			err = json.Unmarshal([]byte(data), &d.Capabilities)
		}
		return d, err
	})
}
