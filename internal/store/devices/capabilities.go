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
		_, err := t.ExecContext(ctx, `INSERT INTO device_capabilities (device_id, described_at, data) VALUES ($1, $2, $3)
			ON CONFLICT (device_id) DO UPDATE SET described_at = excluded.described_at, data = excluded.data`,
			device, store.Millis(now), string(b))
		return err
	})
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
