package firmware

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// AddRoot stores a root of a product of its owner, whose envelope the caller has verified against the one before.
func (repo *Products) AddRoot(ctx context.Context, r domain.FirmwareRoot) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		p, err := lock(ctx, t, r.Product, r.AddedBy, domain.OwnProduct)
		if err != nil {
			return err
		}
		if r.Version != p.Root+1 {
			return domain.Invalid.Errorf(domain.CodeBadDocument, "the product has root %d by now; the next one is %d",
				p.Root, p.Root+1)
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_roots
			(product_id, version, envelope, expires_at, added_at, added_by)
			VALUES ($1, $2, $3, $4, $5, $6)`, r.Product, r.Version, string(r.Envelope), store.Millis(r.Expires),
			store.Millis(r.Added), r.AddedBy)
		return err
	})
}

// Roots returns the roots of a product with versions above after, in their order.
func (repo *Products) Roots(ctx context.Context, product string, after int) ([]domain.FirmwareRoot, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT product_id, version, envelope, expires_at, added_at, added_by
		FROM firmware_roots WHERE product_id = $1 AND version > $2 ORDER BY version`, product, after)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.FirmwareRoot, err error) {
		var expires, added int64
		err = rows.Scan(&r.Product, &r.Version, &r.Envelope, &expires, &added, &r.AddedBy)
		r.Expires, r.Added = store.Time(expires), store.Time(added)
		return r, err
	})
}

// NewestRoots returns the newest root of each product with an active release.
func (repo *Products) NewestRoots(ctx context.Context) ([]domain.NewestRoot, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT p.id, p.name, u.username, r.envelope FROM firmware_products p
		JOIN users u ON u.id = p.owner_id JOIN firmware_roots r ON r.product_id = p.id AND r.version = (SELECT max(version)
		FROM firmware_roots WHERE product_id = p.id) WHERE EXISTS (SELECT 1 FROM firmware_releases e
		WHERE e.product_id = p.id AND e.state = $1) ORDER BY p.id`, domain.ActiveRelease)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.NewestRoot, err error) {
		err = rows.Scan(&r.Product, &r.Name, &r.Owner, &r.Envelope)
		return r, err
	})
}
