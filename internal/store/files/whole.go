package files

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/blobs"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// MayAdd returns the error that Add would return for f, as far as that is known before it has arrived, and the file
// that is there by the same key.
func (repo *Repository) MayAdd(
	ctx context.Context, f domain.File, quota int64, now time.Time,
) (had domain.File, found bool, err error) {
	if err := rooms.Authorize(ctx, repo.db, f.Room, f.Owner, domain.UploadFile, now); err != nil {
		return had, false, err
	}
	if had, found, err = repeated(ctx, repo.db, f); found || err != nil {
		return had, found, err
	}
	return had, false, hasRoom(ctx, repo.db, f, quota)
}

// repeated returns the file of the same owner whose id ends as that of f, which says by which key it came.
func repeated(ctx context.Context, q store.Queryer, f domain.File) (had domain.File, found bool, err error) {
	had, err = scan(q.QueryRowContext(ctx, `SELECT `+columns+` FROM files f
		WHERE f.owner_id = $1 AND substr(f.id, 15) = $2`, f.Owner, domain.IDTail(f.ID))) // as files_key has it
	if errors.Is(err, sql.ErrNoRows) {
		return domain.File{}, false, nil
	}
	return had, err == nil, err
}

// Add stores a file that has arrived whole, with the blobs that were made of it. It checks what Create checks. A file
// that is there by the same key is returned instead.
func (repo *Repository) Add(
	ctx context.Context, f domain.File, made []domain.Blob, quota int64, now time.Time,
) (domain.File, error) {
	kept := f
	err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := lockOwner(ctx, t, f, now); err != nil {
			return err
		}
		had, found, err := repeated(ctx, t, f)
		if err != nil {
			return err
		}
		if found {
			kept = had
			return blobs.Add(ctx, t, made, now) // without a reference they are deleted later
		}
		if err := hasRoom(ctx, t, f, quota); err != nil {
			return err
		}
		if err := blobs.Add(ctx, t, made, now); err != nil {
			return err
		}
		if err := insert(ctx, t, f); err != nil {
			return err
		}
		for _, p := range f.Parts {
			if err := putPart(ctx, t, f.ID, p); err != nil {
				return err
			}
		}
		return refer(ctx, t, f, now)
	})
	return kept, err
}

// putPart stores what a part of a file is.
func putPart(ctx context.Context, t *store.Tx, id string, p domain.FilePiece) error {
	_, err := t.ExecContext(ctx, `INSERT INTO file_parts (file_id, n, size, sha256) VALUES ($1, $2, $3, $4)
		ON CONFLICT (file_id, n) DO UPDATE SET size = excluded.size, sha256 = excluded.sha256`, id, p.N, p.Size, p.Hash)
	return err
}

// refer adds the references of a file to its parts and its small picture.
func refer(ctx context.Context, t *store.Tx, f domain.File, now time.Time) error {
	hashes := make([]string, 0, len(f.Parts)+1)
	for _, p := range f.Parts {
		hashes = append(hashes, p.Hash)
	}
	if f.Thumb.Hash != "" {
		hashes = append(hashes, f.Thumb.Hash)
	}
	for _, hash := range hashes {
		if err := blobs.AddRef(ctx, t, blobs.Ref{Holder: holder(f.ID), Hash: hash}, now); err != nil {
			return err
		}
	}
	return nil
}
