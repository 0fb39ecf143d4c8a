package firmware

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

const imageColumns = `i.release_id, i.sha256, i.size, i.chip, i.revision_min, i.revision_max, i.secure_version,
	i.elf_sha256, i.md5, i.sha1, i.info, i.factory_sha256, i.factory_size, i.factory_info,
	EXISTS (SELECT 1 FROM firmware_elfs e
		JOIN firmware_releases r ON r.product_id = e.product_id WHERE r.id = i.release_id AND e.sha256 = i.elf_sha256)`

// imageHolder is holderOf in SQL.
const imageHolder = `'firmware/' || i.release_id || '/' || i.sha256`

// holderOf names the reference to an image's file.
func holderOf(i domain.FirmwareImage) string { return "firmware/" + i.Release + "/" + i.SHA256 }

// factoryHolder names the reference to the file of an image's factory image, and factoryHolderSQL is it in SQL.
func factoryHolder(i domain.FirmwareImage) string { return "factory/" + i.Release + "/" + i.SHA256 }

const factoryHolderSQL = `'factory/' || i.release_id || '/' || i.sha256`

func elfHolder(product, hash string) string { return "elf/" + product + "/" + hash }

func uploadHolder(id string) string { return "upload/" + id }

// release removes the references of holders.
func release(ctx context.Context, t *store.Tx, holders []string, now time.Time) error {
	for _, h := range holders {
		if err := blobs.RemoveRef(ctx, t, h, now); err != nil {
			return err
		}
	}
	return nil
}

func scanImage(rows *sql.Rows) (i domain.FirmwareImage, err error) {
	var info, factoryInfo []byte
	var factory domain.FactoryImage
	err = rows.Scan(&i.Release, &i.SHA256, &i.Size, &i.Chip, &i.RevisionMin, &i.RevisionMax, &i.SecureVersion, &i.ELF,
		&i.MD5, &i.SHA1, &info, &factory.SHA256, &factory.Size, &factoryInfo, &i.HasELF)
	if err == nil {
		err = json.Unmarshal(info, &i.Info)
	}
	if err == nil && factory.SHA256 != "" {
		i.Factory = &factory
		err = json.Unmarshal(factoryInfo, &factory.Info)
	}
	return i, err
}

// imagesOf returns the images of releases, by chip and revision.
func imagesOf(
	ctx context.Context, q store.Queryer, releases []string,
) (map[string][]domain.FirmwareImage, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+imageColumns+` FROM firmware_images i WHERE i.release_id IN (`+
		store.Placeholders(1, len(releases))+`) ORDER BY i.chip, i.revision_min`, store.Args(releases)...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, scanImage)
	byRelease := make(map[string][]domain.FirmwareImage)
	for _, i := range found {
		byRelease[i.Release] = append(byRelease[i.Release], i)
	}
	return byRelease, err
}

// AddImage makes a complete upload an image of a draft, and forgets the upload.
func (repo *Releases) AddImage(
	ctx context.Context, actor string, i domain.FirmwareImage, upload string, quota int64, now time.Time,
) error {
	info, err := json.Marshal(i.Info)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, p, err := lockRelease(ctx, t, i.Release, actor)
		if err == nil {
			err = open(r)
		}
		if err == nil && len(r.Images) >= domain.MaxReleaseImages {
			err = domain.Conflict.Errorf(domain.CodeManyReleases, "a release has at most %d images", domain.MaxReleaseImages)
		}
		if err != nil {
			return err
		}
		for _, other := range r.Images {
			if other.Chip == i.Chip && other.RevisionMin <= i.RevisionMax && i.RevisionMin <= other.RevisionMax ||
				other.SHA256 == i.SHA256 {
				return domain.Conflict.Errorf(domain.CodeImageOverlaps,
					"the release has an image for %s of revisions %d to %d; remove it, or choose other revisions", other.Chip,
					other.RevisionMin, other.RevisionMax)
			}
		}
		ref := blobs.Ref{Holder: holderOf(i), Hash: i.SHA256, Owner: p.Owner.ID, Quota: quota}
		if err := blobs.AddRef(ctx, t, ref, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_images (release_id, sha256, size, chip, revision_min, revision_max,
			secure_version, elf_sha256, md5, sha1, info) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`, i.Release,
			i.SHA256, i.Size, i.Chip, i.RevisionMin, i.RevisionMax, int64(i.SecureVersion), i.ELF, i.MD5, i.SHA1, string(info))
		if err != nil {
			return err
		}
		return dropUpload(ctx, t, upload, now)
	})
}

// open returns an error unless the images of a release may still change.
func open(r domain.Release) error {
	if r.State != domain.DraftRelease || len(r.Manifest) > 0 {
		return domain.Conflict.Errorf(domain.CodeReleaseFixed,
			"somebody has signed this release, so its images stay; make another release")
	}
	return nil
}

// RemoveImage takes an image out of a draft.
func (repo *Releases) RemoveImage(ctx context.Context, actor, id, hash string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := lockRelease(ctx, t, id, actor)
		if err == nil {
			err = open(r)
		}
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM firmware_images WHERE release_id = $1 AND sha256 = $2`, id, hash)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errNoImage())
		}
		i := domain.FirmwareImage{Release: id, SHA256: hash}
		return release(ctx, t, []string{holderOf(i), factoryHolder(i)}, now)
	})
}

// SetFactory makes a complete upload the factory image of a release's image, in place of the one before, and forgets
// the upload.
func (repo *Releases) SetFactory(
	ctx context.Context, actor, id, hash string, f domain.FactoryImage, upload string, quota int64, now time.Time,
) error {
	info, err := json.Marshal(f.Info)
	if err != nil {
		return err
	}
	return repo.changeFactory(ctx, actor, id, hash, now, func(ctx context.Context, t *store.Tx, p domain.Product) error {
		ref := blobs.Ref{Holder: factoryHolder(domain.FirmwareImage{Release: id, SHA256: hash}), Hash: f.SHA256,
			Owner: p.Owner.ID, Quota: quota}
		if err := blobs.AddRef(ctx, t, ref, now); err != nil {
			return err
		}
		if err := dropUpload(ctx, t, upload, now); err != nil {
			return err
		}
		return setFactory(ctx, t, id, hash, f.SHA256, f.Size, string(info))
	})
}

// RemoveFactory takes the factory image of a release's image away.
func (repo *Releases) RemoveFactory(ctx context.Context, actor, id, hash string, now time.Time) error {
	return repo.changeFactory(ctx, actor, id, hash, now, func(ctx context.Context, t *store.Tx, _ domain.Product) error {
		return setFactory(ctx, t, id, hash, "", 0, "")
	})
}

// changeFactory has change do its work once the factory image that is there has no reference any more.
func (repo *Releases) changeFactory(
	ctx context.Context, actor, id, hash string, now time.Time,
	change func(context.Context, *store.Tx, domain.Product) error,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, p, err := lockRelease(ctx, t, id, actor)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(r.Images, func(i domain.FirmwareImage) bool { return i.SHA256 == hash })
		if at < 0 {
			return errNoImage()
		}
		if err := blobs.RemoveRef(ctx, t, factoryHolder(r.Images[at]), now); err != nil {
			return err
		}
		return change(ctx, t, p)
	})
}

func setFactory(ctx context.Context, t *store.Tx, id, hash, factory string, size int64, info string) error {
	_, err := t.ExecContext(ctx, `UPDATE firmware_images SET factory_sha256 = $3, factory_size = $4, factory_info = $5
		WHERE release_id = $1 AND sha256 = $2`, id, hash, factory, size, info)
	return err
}

func errNoImage() error {
	return domain.NotFound.Errorf(domain.CodeNoImage, "there is no such image, or you may not load it")
}

// ImageProducts returns the products that have an image of a hash: in any release, or in an active one. Patches
// are those of the products that they were made for, and factory images, which devices never get, those of any release.
func (repo *Releases) ImageProducts(ctx context.Context, hash string, active bool) ([]domain.Product, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+productColumns+fromProducts+`WHERE p.id IN
		(SELECT r.product_id FROM firmware_images i JOIN firmware_releases r ON r.id = i.release_id
			WHERE i.sha256 = $1 AND (r.state = $2 OR NOT $3)
		UNION ALL SELECT r.product_id FROM firmware_images i JOIN firmware_releases r ON r.id = i.release_id
			WHERE i.factory_sha256 = $1 AND i.factory_sha256 <> '' AND NOT $3
		UNION ALL SELECT product_id FROM firmware_deltas WHERE sha256 = $1) ORDER BY p.id`, hash,
		domain.ActiveRelease, active)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Product, error) { return scanProduct(rows) })
}

// SecureVersion returns the highest secure version for a chip among releases of a product that devices may have; 0 if
// there is none.
func (repo *Releases) SecureVersion(ctx context.Context, product, chip string) (v uint32, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT COALESCE(max(i.secure_version), 0) FROM firmware_images i
		JOIN firmware_releases r ON r.id = i.release_id WHERE r.product_id = $1 AND i.chip = $2 AND r.state IN ($3, $4)`,
		product, chip, domain.ActiveRelease, domain.WithdrawnRelease).Scan(&v)
	return v, err
}

// ELFNamed returns the hash of the only file for debugging of a product that begins with some digits; empty: there is
// none, or several.
func (repo *Releases) ELFNamed(ctx context.Context, product, digits string) (hash string, err error) {
	var n int
	err = repo.db.QueryRowContext(ctx, `SELECT count(*), COALESCE(min(sha256), '') FROM firmware_elfs WHERE product_id = $1
		AND substr(sha256, 1, $3) = $2`, product, digits, len(digits)).Scan(&n, &hash)
	if n != 1 {
		return "", err
	}
	return hash, err
}

// ELF returns the size of a file for debugging, if it is here.
func (repo *Releases) ELF(ctx context.Context, product, hash string) (size int64, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT size FROM firmware_elfs WHERE product_id = $1 AND sha256 = $2`, product,
		hash).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.NotFound.Errorf(domain.CodeNoImage, "the ELF file %.16s is not here; upload it", hash)
	}
	return size, err
}
