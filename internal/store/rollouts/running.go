package rollouts

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/store"
)

// Running returns how many devices that take the firmware of a product of an owner, and may connect, run each image
// of it, by its SHA-256.
func (repo *Repository) Running(ctx context.Context, owner, product string) (map[string]int, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT f.sha256, count(*) FROM device_firmware f
		JOIN devices d ON d.id = f.device_id`+withJoin+`WHERE f.product = $1 AND `+publisher+` = $2 AND d.revoked_at = 0
		AND f.sha256 <> '' GROUP BY f.sha256`, product, owner)
	if err != nil {
		return nil, err
	}
	type image struct {
		hash    string
		devices int
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (i image, err error) {
		err = rows.Scan(&i.hash, &i.devices)
		return i, err
	})
	running := make(map[string]int, len(found))
	for _, i := range found {
		running[i.hash] = i.devices
	}
	return running, err
}
