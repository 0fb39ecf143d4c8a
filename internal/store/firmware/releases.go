package firmware

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Releases stores releases and their images.
type Releases struct{ db *store.DB }

// NewReleases returns the repository on db.
func NewReleases(db *store.DB) *Releases { return &Releases{db} }

const releaseColumns = `id, product_id, version, code, min_code, floor_code, not_after, notes, state, manifest,
	manifest_hash, created_at, created_by, changed_at`

func scanRelease(row interface{ Scan(...any) error }) (r domain.Release, err error) {
	var notAfter, created, changed int64
	err = row.Scan(&r.ID, &r.Product, &r.Version, &r.Code, &r.MinCode, &r.AllowDowngradeTo, &notAfter, &r.Notes, &r.State,
		&r.Manifest, &r.ManifestHash, &created, &r.CreatedBy, &changed)
	r.NotAfter, r.Created, r.Changed = store.Time(notAfter), store.Time(created), store.Time(changed)
	return r, err
}

// releaseOf returns a release with its images. lock is "" or Tx.ForUpdate.
func releaseOf(ctx context.Context, q store.Queryer, id, lock string) (domain.Release, error) {
	r, err := scanRelease(q.QueryRowContext(ctx,
		`SELECT `+releaseColumns+` FROM firmware_releases WHERE id = $1`+lock, id))
	if errors.Is(err, sql.ErrNoRows) {
		return r, domain.ErrNoRelease()
	}
	if err != nil {
		return r, err
	}
	found, err := imagesOf(ctx, q, []string{id})
	r.Images = found[id]
	return r, err
}

// lockRelease returns a release of a product on which actor has ManageProduct. Changes of the same product wait.
func lockRelease(ctx context.Context, t *store.Tx, id, actor string) (r domain.Release, p domain.Product, err error) {
	if r, err = releaseOf(ctx, t, id, ""); err != nil {
		return r, p, err
	}
	p, err = lock(ctx, t, r.Product, actor, domain.ManageProduct)
	if domain.CodeOf(err) == domain.CodeNoProduct {
		err = domain.ErrNoRelease()
	}
	if err != nil {
		return r, p, err
	}
	r, err = releaseOf(ctx, t, id, t.ForUpdate()) // as it is under the lock
	return r, p, err
}

// CreateRelease stores a draft of r.CreatedBy.
func (repo *Releases) CreateRelease(ctx context.Context, r domain.Release, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lock(ctx, t, r.Product, r.CreatedBy, domain.ManageProduct); err != nil {
			return err
		}
		var n, same int
		err := t.QueryRowContext(ctx, `SELECT count(*),
			COALESCE(sum(CASE WHEN version = $2 OR code = $3 THEN 1 ELSE 0 END), 0)
			FROM firmware_releases WHERE product_id = $1`, r.Product, r.Version, int64(r.Code)).Scan(&n, &same)
		switch {
		case err != nil:
			return err
		case same > 0:
			return domain.Conflict.Errorf(domain.CodeReleaseExists,
				"the product has a release of version %s or version_code %d; choose higher ones", r.Version, r.Code)
		case n >= domain.MaxReleases:
			return domain.Conflict.Errorf(domain.CodeManyReleases, "the product has %d releases; delete drafts", n)
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_releases (`+releaseColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '', '', $10, $11, $10)`, r.ID, r.Product, r.Version, int64(r.Code),
			int64(r.MinCode), int64(r.AllowDowngradeTo), store.Millis(r.NotAfter), r.Notes, domain.DraftRelease,
			store.Millis(now), r.CreatedBy)
		return err
	})
}

// Release returns a release with its images. It checks no right.
func (repo *Releases) Release(ctx context.Context, id string) (domain.Release, error) {
	return releaseOf(ctx, repo.db, id, "")
}

// Releases returns the releases of a product with codes below before, or all if that is 0, the highest first, with
// their images.
func (repo *Releases) Releases(
	ctx context.Context, product string, before uint32, limit int,
) ([]domain.Release, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+releaseColumns+` FROM firmware_releases
		WHERE product_id = $1 AND (code < $2 OR $2 = 0) ORDER BY code DESC LIMIT $3`, product, int64(before), limit)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, func(rows *sql.Rows) (domain.Release, error) { return scanRelease(rows) })
	if err != nil || len(found) == 0 {
		return found, err
	}
	ids := make([]string, len(found))
	for i, r := range found {
		ids[i] = r.ID
	}
	images, err := imagesOf(ctx, repo.db, ids)
	for i := range found {
		found[i].Images = images[found[i].ID]
	}
	return found, err
}

// SetNotes stores the notes of a release.
func (repo *Releases) SetNotes(ctx context.Context, actor, id, notes string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, _, err := lockRelease(ctx, t, id, actor); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE firmware_releases SET notes = $2 WHERE id = $1`, id, notes)
		return err
	})
}

// SetState moves a release from one state to another. It fails with CodeReleaseState if it is in another one by now.
func (repo *Releases) SetState(
	ctx context.Context, actor, id string, from, to domain.ReleaseState, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := lockRelease(ctx, t, id, actor)
		if err == nil && r.State != from {
			err = domain.Conflict.Errorf(domain.CodeReleaseState, "the release is %s by now", r.State)
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE firmware_releases SET state = $2, changed_at = $3 WHERE id = $1`, id, to,
			store.Millis(now))
		return err
	})
}

// SignRelease stores the manifest of a release, which the caller has verified beside the release r, in place of
// r.Manifest. r.State is the new state. It fails with CodeReleaseState if the release, or the product's root, has
// changed since r was read.
func (repo *Releases) SignRelease(
	ctx context.Context, actor string, r domain.Release, root int, envelope []byte, hash string, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		is, p, err := lockRelease(ctx, t, r.ID, actor)
		if err != nil {
			return err
		}
		if p.Root != root || string(is.Manifest) != string(r.Manifest) || !sameImages(is.Images, r.Images) ||
			is.State == domain.WithdrawnRelease {
			return domain.Conflict.Errorf(domain.CodeReleaseState, "the release or its product has changed meanwhile; try again")
		}
		changed := is.Changed
		if r.State == is.State || is.State != domain.DraftRelease {
			r.State = is.State
		} else {
			changed = now
		}
		_, err = t.ExecContext(ctx, `UPDATE firmware_releases SET manifest = $2, manifest_hash = $3, state = $4,
			changed_at = $5 WHERE id = $1`, r.ID, string(envelope), hash, r.State, store.Millis(changed))
		return err
	})
}

func sameImages(a, b []domain.FirmwareImage) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].SHA256 != b[i].SHA256 || a[i].Chip != b[i].Chip || a[i].RevisionMin != b[i].RevisionMin ||
			a[i].RevisionMax != b[i].RevisionMax {
			return false
		}
	}
	return true
}

// DeleteRelease deletes a release that was never active, with the references to its files.
func (repo *Releases) DeleteRelease(ctx context.Context, actor, id string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := lockRelease(ctx, t, id, actor)
		if err != nil {
			return err
		}
		if r.State != domain.DraftRelease && r.State != domain.SignedRelease {
			return domain.Conflict.Errorf(domain.CodeReleaseState,
				"devices may have this release, so it stays; withdraw it to have it offered to nobody")
		}
		var holders []string
		for _, i := range r.Images {
			holders = append(holders, holderOf(i), factoryHolder(i))
		}
		if err := release(ctx, t, holders, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM firmware_releases WHERE id = $1`, id)
		return err
	})
}
