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
			FROM firmware_crashes WHERE device_id = $1 ORDER BY id DESC LIMIT $2)`, c.Device, domain.MaxCrashes)
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
	had, err := store.Collect(rows, scanCrash)
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
	const some = ` FROM firmware_crashes c JOIN devices d ON d.id = c.device_id` + withJoin + `WHERE c.product = $1
		AND CASE WHEN j.product = c.product AND c.at >= j.joined_at THEN j.publisher_id ELSE d.owner_id END = $2
		AND c.at > $3 AND ($4 = '' OR c.version = $4) `
	rows, err := repo.db.QueryContext(ctx, `SELECT c.signature, count(*), count(DISTINCT c.device_id), min(c.at), max(c.at),
		max(c.id)`+some+`GROUP BY c.signature ORDER BY 2 DESC, 1 LIMIT $5`, product, owner, store.Millis(since), version, limit)
	if err != nil {
		return nil, err
	}
	groups, err := store.Collect(rows, func(rows *sql.Rows) (g domain.CrashGroup, err error) {
		var first, last int64
		err = rows.Scan(&g.Signature, &g.Count, &g.Devices, &first, &last, &g.Example.ID)
		g.First, g.Last = store.Time(first), store.Time(last)
		return g, err
	})
	for i := range groups {
		if err == nil {
			groups[i].Example, err = repo.crash(ctx, owner, groups[i].Example.ID)
		}
	}
	return groups, err
}

const crashColumns = `id, device_id, product, version, signature, at, data`

func scanCrash(rows *sql.Rows) (c domain.Crash, err error) {
	var at int64
	var data string
	if err := rows.Scan(&c.ID, &c.Device, &c.Product, &c.Version, &c.Signature, &at, &data); err != nil {
		return c, err
	}
	c.At = store.Time(at)
	return c, json.Unmarshal([]byte(data), &c.CrashReport)
}

// crash returns a crash, without its device if that is of another owner.
func (repo *Repository) crash(ctx context.Context, owner, id string) (c domain.Crash, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT id, CASE WHEN EXISTS (SELECT 1 FROM devices d WHERE d.id = device_id
		AND d.owner_id = $2) THEN device_id ELSE '' END, product, version, signature, at, data FROM firmware_crashes
		WHERE id = $1`, id, owner)
	if err != nil {
		return c, err
	}
	found, err := store.Collect(rows, scanCrash)
	if err == nil && len(found) == 0 {
		err = sql.ErrNoRows // it was forgotten meanwhile
	}
	if err != nil {
		return c, err
	}
	return found[0], nil
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
