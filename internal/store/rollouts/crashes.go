package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// AddCrash stores a crash of a device. Which product it is of follows from what the device last reported. Of one device
// the newest crashes are kept, and the newest core dump, so that one which crashes all the time costs little room.
func (repo *Repository) AddCrash(ctx context.Context, c domain.Crash) error {
	data, err := json.Marshal(c.CrashReport)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if len(c.Core) > 0 {
			if err := dropCores(ctx, t, c.Device); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `INSERT INTO firmware_crashes (id, device_id, product, elf, version, signature, at, data)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, c.ID, c.Device, c.Product, c.ELFSHA256, c.Version, c.Signature,
			store.Millis(c.At), string(data))
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM firmware_crashes WHERE device_id = $1 AND id NOT IN (SELECT id
			FROM firmware_crashes WHERE device_id = $1 ORDER BY at DESC, id DESC LIMIT $2)`, c.Device, domain.MaxCrashes)
		return err
	})
}

// dropCores forgets the core dumps of a device.
func dropCores(ctx context.Context, t *store.Tx, device string) error {
	rows, err := t.QueryContext(ctx, `SELECT `+crashColumns+` FROM firmware_crashes WHERE device_id = $1
		AND data NOT LIKE '%"Core":null%'`, device)
	if err != nil {
		return err
	}
	had, err := store.Collect(rows, func(rows *sql.Rows) (domain.Crash, error) { return scanCrash(rows) })
	if err != nil {
		return err
	}
	for _, c := range had {
		c.Core = nil
		data, err := json.Marshal(c.CrashReport)
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE firmware_crashes SET data = $2 WHERE id = $1`, c.ID, string(data))
		if err != nil {
			return err
		}
	}
	return nil
}

// CrashGroups returns the crashes of a product's devices since a moment, by where they happened, the most first. Of a
// device of another owner only those count that came after it had joined.
func (repo *Repository) CrashGroups(
	ctx context.Context, owner, product, version string, since time.Time, limit int,
) ([]domain.CrashGroup, error) {
	// One statement, so that no crash is forgotten between the count and the example.
	rows, err := repo.db.QueryContext(ctx, `SELECT g.n, g.devices, g.first, g.last, c.id, CASE WHEN EXISTS (SELECT 1
		FROM devices d WHERE d.id = c.device_id AND d.owner_id = $2) THEN c.device_id ELSE '' END, c.product, c.version,
		c.signature, c.at, c.data FROM (SELECT c.signature, count(*) AS n, count(DISTINCT c.device_id) AS devices,
			min(c.at) AS first, max(c.at) AS last, max(c.id) AS example FROM firmware_crashes c
			JOIN devices d ON d.id = c.device_id`+withJoin+`WHERE c.product = $1
			AND CASE WHEN j.product = c.product AND c.at >= j.joined_at THEN j.publisher_id ELSE d.owner_id END = $2
			AND c.at > $3 AND ($4 = '' OR c.version = $4)
			GROUP BY c.signature ORDER BY 2 DESC, 1 LIMIT $5) g
		JOIN firmware_crashes c ON c.id = g.example ORDER BY g.n DESC, c.signature`,
		product, owner, store.Millis(since), version, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (g domain.CrashGroup, err error) {
		var first, last int64
		g.Example, err = scanCrash(rows, &g.Count, &g.Devices, &first, &last)
		g.Signature, g.First, g.Last = g.Example.Signature, store.Time(first), store.Time(last)
		return g, err
	})
}

const crashColumns = `id, device_id, product, version, signature, at, data`

// scanCrash reads a crash, and what stands before it.
func scanCrash(rows *sql.Rows, before ...any) (c domain.Crash, err error) {
	var at int64
	var data string
	err = rows.Scan(append(before, &c.ID, &c.Device, &c.Product, &c.Version, &c.Signature, &at, &data)...)
	if err != nil {
		return c, err
	}
	c.At = store.Time(at)
	return c, json.Unmarshal([]byte(data), &c.CrashReport)
}

// PruneCrashes deletes crashes from before a moment, some at a time, and reports whether there may be more.
func (repo *Repository) PruneCrashes(ctx context.Context, before time.Time) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `DELETE FROM firmware_crashes WHERE id IN (SELECT id FROM firmware_crashes
			WHERE at < $1 ORDER BY at LIMIT 500)`, store.Millis(before))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		more = n == 500
		return err
	})
	return more, err
}
