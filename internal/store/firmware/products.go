// Package firmware has the SQL of products, the keys that they trust, releases, and uploads.
package firmware

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Products stores products and their roots.
type Products struct{ db *store.DB }

// NewProducts returns the repository on db.
func NewProducts(db *store.DB) *Products { return &Products{db} }

// roomOf is the room that a product is in, or empty. What its owner does not run any more the product is not in, so
// that whoever runs a room decides what is in it.
var roomOf = fmt.Sprintf(`CASE WHEN EXISTS (SELECT 1 FROM members m WHERE m.room_id = p.room_id
	AND m.user_id = p.owner_id AND m.role IN ('%s', '%s')) THEN p.room_id ELSE '' END`, domain.Owner, domain.Admin)

var productColumns = `p.id, p.name, p.title, ` + roomOf + `, p.open, p.code, p.created_at,
	(SELECT count(*) FROM firmware_joins j JOIN devices d ON d.id = j.device_id AND d.owner_id = j.agreed_by
		WHERE j.product_id = p.id AND d.revoked_at = 0),
	(SELECT COALESCE(max(version), 0) FROM firmware_roots r WHERE r.product_id = p.id),
	u.id, u.kind, u.username, u.display_name, u.avatar`

const fromProducts = ` FROM firmware_products p JOIN users u ON u.id = p.owner_id `

func scanProduct(row interface{ Scan(...any) error }) (p domain.Product, err error) {
	var created int64
	var owner accounts.RefRow
	err = row.Scan(append([]any{&p.ID, &p.Name, &p.Title, &p.Room, &p.Open, &p.Code, &created, &p.Joined,
		&p.Root}, owner.Dest()...)...)
	p.Owner, p.Created = owner.Ref(), store.Time(created)
	return p, err
}

func productOf(ctx context.Context, q store.Queryer, id string) (domain.Product, error) {
	p, err := scanProduct(q.QueryRowContext(ctx, `SELECT `+productColumns+fromProducts+`WHERE p.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNoProduct()
	}
	return p, err
}

// rightOn returns what a user may do with a product.
func rightOn(ctx context.Context, q store.Queryer, p domain.Product, user string) (domain.ProductRight, error) {
	if p.Owner.ID == user {
		return domain.OwnProduct, nil
	}
	if p.Room == "" {
		return domain.NoProductRight, nil
	}
	m, err := rooms.MemberOf(ctx, q, p.Room, user)
	return m.Role.RightOn(), err
}

// authorize returns a product on which a user has a right.
func authorize(
	ctx context.Context, q store.Queryer, id, user string, need domain.ProductRight,
) (domain.Product, error) {
	p, err := productOf(ctx, q, id)
	if err != nil {
		return p, err
	}
	has, err := rightOn(ctx, q, p, user)
	if err == nil {
		err = has.Allow(need)
	}
	return p, err
}

// lock is authorize for a change, which changes of the same product wait for.
func lock(
	ctx context.Context, t *store.Tx, id, user string, need domain.ProductRight,
) (p domain.Product, err error) {
	err = t.QueryRowContext(ctx, `SELECT id FROM firmware_products WHERE id = $1`+t.ForUpdate(), id).Scan(&p.ID)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNoProduct()
	}
	if err != nil {
		return p, err
	}
	return authorize(ctx, t, id, user, need)
}

// CreateProduct stores a product of p.Owner, who must be an administrator or the owner of its room.
func (repo *Products) CreateProduct(ctx context.Context, p domain.Product, now time.Time) error {
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.LockKey(ctx, "firmware_products "+p.Owner.ID); err != nil {
			return err
		}
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM firmware_products WHERE owner_id = $1`, p.Owner.ID).Scan(&n)
		if err == nil && n >= domain.MaxProducts {
			err = domain.Conflict.Errorf(domain.CodeManyProducts,
				"you have as many products as one person may (%d); delete one", n)
		}
		if err != nil {
			return err
		}
		if err := mayAttach(ctx, t, p.Room, p.Owner.ID, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_products (id, owner_id, name, title, room_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, p.ID, p.Owner.ID, p.Name, p.Title, p.Room, store.Millis(now))
		return err
	})
	if store.IsUnique(err) {
		err = domain.Conflict.Errorf(domain.CodeProductExists, "you have a product %q already", p.Name)
	}
	return err
}

// mayAttach returns an error unless user may have a product post to a room.
func mayAttach(ctx context.Context, t *store.Tx, room, user string, now time.Time) error {
	if room == "" {
		return nil
	}
	_, _, err := rooms.LockAndAuthorize(ctx, t, room, user, domain.UpdateRoom, now)
	return err
}

// Product returns a product, and what a user may do with it. One that the user may not see is not there.
func (repo *Products) Product(
	ctx context.Context, id, user string,
) (p domain.Product, has domain.ProductRight, err error) {
	if p, err = productOf(ctx, repo.db, id); err != nil {
		return p, has, err
	}
	has, err = rightOn(ctx, repo.db, p, user)
	if err == nil && has == domain.NoProductRight {
		err = domain.ErrNoProduct()
	}
	return p, has, err
}

// ProductByID returns a product. It checks no right.
func (repo *Products) ProductByID(ctx context.Context, id string) (domain.Product, error) {
	return productOf(ctx, repo.db, id)
}

// ProductNamed returns the product of an owner with a name.
func (repo *Products) ProductNamed(ctx context.Context, owner, name string) (domain.Product, error) {
	p, err := scanProduct(repo.db.QueryRowContext(ctx,
		`SELECT `+productColumns+fromProducts+`WHERE p.owner_id = $1 AND p.name = $2`, owner, name))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNoProduct()
	}
	return p, err
}

// Products returns the products that a user may see, by name.
func (repo *Products) Products(ctx context.Context, user string) ([]domain.Product, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+productColumns+fromProducts+`WHERE p.owner_id = $1
		OR `+roomOf+` IN (SELECT room_id FROM members WHERE user_id = $1) ORDER BY p.name, p.id`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Product, error) { return scanProduct(rows) })
}

// ChangeProduct stores title and room of a product of its owner, who must be an administrator or the owner of a new
// room.
func (repo *Products) ChangeProduct(ctx context.Context, actor string, p domain.Product, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		was, err := lock(ctx, t, p.ID, actor, domain.OwnProduct)
		if err == nil && was.Room != p.Room {
			err = mayAttach(ctx, t, p.Room, actor, now)
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE firmware_products SET title = $2, room_id = $3 WHERE id = $1`, p.ID, p.Title,
			p.Room)
		return err
	})
}

// ShareProduct stores how others may join a product of its owner with their devices. Those that have joined stay.
func (repo *Products) ShareProduct(ctx context.Context, actor, id string, s domain.ProductSharing) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := lock(ctx, t, id, actor, domain.OwnProduct)
		if err == nil && s.Open != nil {
			_, err = t.ExecContext(ctx, `UPDATE firmware_products SET open = $2 WHERE id = $1`, id, *s.Open)
		}
		if err == nil && s.Code != nil {
			_, err = t.ExecContext(ctx, `UPDATE firmware_products SET code = $2 WHERE id = $1`, id, *s.Code)
		}
		return err
	})
}

// DeleteProduct deletes a product of its owner with all that belongs to it. It is refused while a release is
// active.
func (repo *Products) DeleteProduct(ctx context.Context, actor, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lock(ctx, t, id, actor, domain.OwnProduct); err != nil {
			return err
		}
		var active int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM firmware_releases WHERE product_id = $1 AND state = $2`, id,
			domain.ActiveRelease).Scan(&active)
		if err == nil && active > 0 {
			err = domain.Conflict.Errorf(domain.CodeProductInUse, "withdraw the releases that are active first (%d)", active)
		}
		if err != nil {
			return err
		}
		return deleteProduct(ctx, t, id, now)
	})
}

// deleteProduct deletes a product with its rows and the references to its files.
func deleteProduct(ctx context.Context, t *store.Tx, id string, now time.Time) error {
	rows, err := t.QueryContext(ctx, `SELECT `+imageHolder+` FROM firmware_images i
			JOIN firmware_releases r ON r.id = i.release_id WHERE r.product_id = $1
		UNION ALL SELECT `+factoryHolderSQL+` FROM firmware_images i
			JOIN firmware_releases r ON r.id = i.release_id WHERE r.product_id = $1
		UNION ALL SELECT 'elf/' || product_id || '/' || sha256 FROM firmware_elfs WHERE product_id = $1
		UNION ALL SELECT 'delta/' || product_id || '/' || base || '/' || target FROM firmware_deltas WHERE product_id = $1
		UNION ALL SELECT 'upload/' || id FROM firmware_uploads WHERE product_id = $1`, id)
	if err != nil {
		return err
	}
	holders, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	if err := release(ctx, t, holders, now); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM firmware_products WHERE id = $1`, id)
	return err
}

// EraseUser deletes the products of a user, whose account is being deleted.
func EraseUser(ctx context.Context, t *store.Tx, user string, now time.Time) error {
	rows, err := t.QueryContext(ctx, `SELECT id FROM firmware_products WHERE owner_id = $1`, user)
	if err != nil {
		return err
	}
	ids, err := store.Collect(rows, store.ScanString)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := deleteProduct(ctx, t, id, now); err != nil {
			return err
		}
	}
	return nil
}
