package rollouts

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// AddCrash stores a crash of a device. Which product it is of follows from what the device last reported.
func (repo *Repository) AddCrash(ctx context.Context, c domain.Crash) error {
	data, err := json.Marshal(c.CrashReport)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO firmware_crashes (id, device_id, product, elf, version, signature, at, data)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, c.ID, c.Device, c.Product, c.ELFSHA256, c.Version, c.Signature,
			store.Millis(c.At), string(data))
		if err != nil {
			return err
		}
		// Of one device the newest are kept, so that one which crashes all the time costs no room.
		_, err = t.ExecContext(ctx, `DELETE FROM firmware_crashes WHERE device_id = $1 AND id NOT IN (SELECT id
			FROM firmware_crashes WHERE device_id = $1 ORDER BY id DESC LIMIT $2)`, c.Device, domain.MaxCrashes)
		return err
	})
}

// CrashGroups returns the crashes of a product's devices since a moment, by where they happened, the most first. Only
// devices of the owner are looked at.
func (repo *Repository) CrashGroups(
	ctx context.Context, owner, product, version string, since time.Time, limit int,
) ([]domain.CrashGroup, error) {
	const some = ` FROM firmware_crashes c JOIN devices d ON d.id = c.device_id WHERE c.product = $1 AND d.owner_id = $2
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
			groups[i].Example, err = repo.crash(ctx, groups[i].Example.ID)
		}
	}
	return groups, err
}

func (repo *Repository) crash(ctx context.Context, id string) (c domain.Crash, err error) {
	var at int64
	var data string
	err = repo.db.QueryRowContext(ctx, `SELECT id, device_id, product, version, signature, at, data FROM firmware_crashes
		WHERE id = $1`, id).Scan(&c.ID, &c.Device, &c.Product, &c.Version, &c.Signature, &at, &data)
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
