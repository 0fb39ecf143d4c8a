package firmware

import (
	"context"
	"database/sql"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// Deltas stores which patches between images there are.
type Deltas struct{ db *store.DB }

// NewDeltas returns the repository on db.
func NewDeltas(db *store.DB) *Deltas { return &Deltas{db} }

func deltaHolder(d domain.ImageDelta) string {
	return "delta/" + d.Product + "/" + d.Base + "/" + d.Target
}

// AddDelta stores a patch, or that it is not worth it to have one. If another node was first, it changes nothing.
func (repo *Deltas) AddDelta(ctx context.Context, d domain.ImageDelta) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		p, err := productOf(ctx, t, d.Product)
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `INSERT INTO firmware_deltas
			(product_id, base, target, format, sha256, size, made_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (product_id, base, target, format) DO NOTHING`, d.Product, d.Base, d.Target, d.Format, d.SHA256, d.Size,
			store.Millis(d.Made))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 || d.SHA256 == "" {
			return err
		}
		return blobs.AddRef(ctx, t, blobs.Ref{Holder: deltaHolder(d), Hash: d.SHA256, Owner: p.Owner.ID}, d.Made)
	})
}

// Deltas returns the patches of a product, and the pairs of images that none is worth it for.
func (repo *Deltas) Deltas(ctx context.Context, product string) ([]domain.ImageDelta, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT product_id, base, target, format, sha256, size, made_at
		FROM firmware_deltas WHERE product_id = $1 ORDER BY target, size, base`, product)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, scanDelta)
}

func scanDelta(rows *sql.Rows) (d domain.ImageDelta, err error) {
	var made int64
	err = rows.Scan(&d.Product, &d.Base, &d.Target, &d.Format, &d.SHA256, &d.Size, &made)
	d.Made = store.Time(made)
	return d, err
}

// Rolling returns the products that have active releases.
func (repo *Deltas) Rolling(ctx context.Context) ([]domain.Product, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+productColumns+fromProducts+`WHERE p.id IN
		(SELECT product_id FROM firmware_releases WHERE state = $1) ORDER BY p.id`, domain.ActiveRelease)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Product, error) { return scanProduct(rows) })
}

// PruneDeltas forgets patches to images that no active release of their product has.
func (repo *Deltas) PruneDeltas(ctx context.Context, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT product_id, base, target, format, sha256, size, made_at
			FROM firmware_deltas d WHERE NOT EXISTS (SELECT 1 FROM firmware_images i
				JOIN firmware_releases r ON r.id = i.release_id
				WHERE i.sha256 = d.target AND r.product_id = d.product_id AND r.state = $1)`, domain.ActiveRelease)
		if err != nil {
			return err
		}
		old, err := store.Collect(rows, scanDelta)
		if err != nil {
			return err
		}
		for _, d := range old {
			if err := blobs.RemoveRef(ctx, t, deltaHolder(d), now); err != nil {
				return err
			}
			_, err := t.ExecContext(ctx, `DELETE FROM firmware_deltas WHERE product_id = $1 AND base = $2 AND target = $3
				AND format = $4`, d.Product, d.Base, d.Target, d.Format)
			if err != nil {
				return err
			}
		}
		return nil
	})
}
