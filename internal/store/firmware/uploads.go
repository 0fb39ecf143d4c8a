package firmware

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// Uploads stores files that arrive in parts. Each part is a file among the blobs until the upload is complete.
type Uploads struct{ db *store.DB }

// NewUploads returns the repository on db.
func NewUploads(db *store.DB) *Uploads { return &Uploads{db} }

const uploadColumns = `id, product_id, by_user, kind, size, received, sha256, info, created_at, changed_at`

func scanUpload(row interface{ Scan(...any) error }) (u domain.FirmwareUpload, err error) {
	var created, changed int64
	var info []byte
	err = row.Scan(&u.ID, &u.Product, &u.By, &u.Kind, &u.Size, &u.Received, &u.SHA256, &info, &created, &changed)
	u.Created, u.Changed = store.Time(created), store.Time(changed)
	if err == nil && len(info) > 0 {
		u.Info = &domain.ImageInfo{}
		err = json.Unmarshal(info, u.Info)
	}
	return u, err
}

func uploadOf(ctx context.Context, q store.Queryer, id, by, lock string) (domain.FirmwareUpload, error) {
	u, err := scanUpload(q.QueryRowContext(ctx,
		`SELECT `+uploadColumns+` FROM firmware_uploads WHERE id = $1 AND by_user = $2`+lock, id, by))
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.NotFound.Errorf(domain.CodeNoUpload, "there is no such upload any more; begin again")
	}
	return u, err
}

// CreateUpload begins an upload of u.By.
func (repo *Uploads) CreateUpload(ctx context.Context, u domain.FirmwareUpload, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := lock(ctx, t, u.Product, u.By, domain.ManageProduct); err != nil {
			return err
		}
		var n int
		err := t.QueryRowContext(ctx, `SELECT count(*) FROM firmware_uploads WHERE by_user = $1`, u.By).Scan(&n)
		if err == nil && n >= domain.MaxFirmwareUploads {
			err = domain.Conflict.Errorf(domain.CodeManyUploads,
				"you have %d uploads that no release has; complete or delete some", n)
		}
		if err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_uploads (`+uploadColumns+`)
			VALUES ($1, $2, $3, $4, $5, 0, $6, '', $7, $7)`, u.ID, u.Product, u.By, u.Kind, u.Size, u.SHA256, store.Millis(now))
		return err
	})
}

// Upload returns an upload of by.
func (repo *Uploads) Upload(ctx context.Context, id, by string) (domain.FirmwareUpload, error) {
	return uploadOf(ctx, repo.db, id, by, "")
}

// Uploads returns the uploads of by to a product, the oldest first.
func (repo *Uploads) Uploads(ctx context.Context, product, by string) ([]domain.FirmwareUpload, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+uploadColumns+` FROM firmware_uploads
		WHERE product_id = $1 AND by_user = $2 ORDER BY id`, product, by)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.FirmwareUpload, error) { return scanUpload(rows) })
}

// AddPart adds a part that begins where the last one ended. It fails with CodeUploadOffset if start is another place.
func (repo *Uploads) AddPart(
	ctx context.Context, id, by string, start int64, part domain.Blob, quota int64, now time.Time,
) (u domain.FirmwareUpload, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if u, err = uploadOf(ctx, t, id, by, t.ForUpdate()); err != nil {
			return err
		}
		if start != u.Received {
			return domain.Conflict.Errorf(domain.CodeUploadOffset, "%d bytes are here; go on from there", u.Received)
		}
		ref := blobs.Ref{Holder: uploadHolder(id), Hash: part.Hash, Owner: by, Quota: quota}
		if err := blobs.AddRef(ctx, t, ref, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_parts (upload_id, start, size, sha256) VALUES ($1, $2, $3, $4)`, id,
			start, part.Size, part.Hash)
		if err != nil {
			return err
		}
		u.Received, u.Changed = u.Received+part.Size, store.Trim(now)
		_, err = t.ExecContext(ctx, `UPDATE firmware_uploads SET received = $2, changed_at = $3 WHERE id = $1`, id,
			u.Received, store.Millis(now))
		return err
	})
	return u, err
}

// Parts returns the hashes of an upload's parts, in their order.
func (repo *Uploads) Parts(ctx context.Context, id string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT sha256 FROM firmware_parts WHERE upload_id = $1 ORDER BY start`, id)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// CompleteImage keeps the whole file of an upload in place of its parts, with what the image says.
func (repo *Uploads) CompleteImage(
	ctx context.Context, u domain.FirmwareUpload, quota int64, now time.Time,
) error {
	info, err := json.Marshal(u.Info)
	if err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := uploadOf(ctx, t, u.ID, u.By, t.ForUpdate()); err != nil {
			return err
		}
		if err := blobs.RemoveRef(ctx, t, uploadHolder(u.ID), now); err != nil {
			return err
		}
		ref := blobs.Ref{Holder: uploadHolder(u.ID), Hash: u.SHA256, Owner: u.By, Quota: quota}
		if err := blobs.AddRef(ctx, t, ref, now); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `DELETE FROM firmware_parts WHERE upload_id = $1`, u.ID); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE firmware_uploads SET info = $2, changed_at = $3 WHERE id = $1`, u.ID,
			string(info), store.Millis(now))
		return err
	})
}

// CompleteELF keeps the whole file of an upload for the images that name it, and forgets the upload.
func (repo *Uploads) CompleteELF(
	ctx context.Context, u domain.FirmwareUpload, quota int64, now time.Time,
) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		p, err := lock(ctx, t, u.Product, u.By, domain.ManageProduct)
		if err != nil {
			return err
		}
		if err := dropUpload(ctx, t, u.ID, now); err != nil { // first: its parts count no longer
			return err
		}
		ref := blobs.Ref{Holder: elfHolder(p.ID, u.SHA256), Hash: u.SHA256, Owner: p.Owner.ID, Quota: quota}
		if err := blobs.AddRef(ctx, t, ref, now); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO firmware_elfs (product_id, sha256, size, added_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (product_id, sha256) DO NOTHING`, p.ID, u.SHA256, u.Size, store.Millis(now))
		return err
	})
}

// DeleteUpload forgets an upload of by.
func (repo *Uploads) DeleteUpload(ctx context.Context, id, by string, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := uploadOf(ctx, t, id, by, t.ForUpdate()); err != nil {
			return err
		}
		return dropUpload(ctx, t, id, now)
	})
}

func dropUpload(ctx context.Context, t *store.Tx, id string, now time.Time) error {
	if err := blobs.RemoveRef(ctx, t, uploadHolder(id), now); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `DELETE FROM firmware_uploads WHERE id = $1`, id)
	return err
}

// PruneUploads forgets uploads to which nothing was added since before.
func (repo *Uploads) PruneUploads(ctx context.Context, before, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `SELECT id FROM firmware_uploads WHERE changed_at < $1`, store.Millis(before))
		if err != nil {
			return err
		}
		ids, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := dropUpload(ctx, t, id, now); err != nil {
				return err
			}
		}
		return nil
	})
}
