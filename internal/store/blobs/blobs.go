// Package blobs has the SQL of files stored by their content hash: the files, the references to
// them, and the objects that are to be deleted.
package blobs

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository stores the rows of blobs.
type Repository struct{ db *store.DB }

// New returns the repository on db.
func New(db *store.DB) *Repository { return &Repository{db} }

const columns = `hash, size, type, object, created_at`

func scan(row interface{ Scan(...any) error }) (b domain.Blob, err error) {
	var created int64
	err = row.Scan(&b.Hash, &b.Size, &b.Type, &b.Object, &created)
	b.Created = store.Time(created)
	return b, err
}

// AddBlob stores b. If a blob with this hash exists, AddBlob renews its time and returns it; its
// object may be another than b's.
func (repo *Repository) AddBlob(ctx context.Context, b domain.Blob, now time.Time) (kept domain.Blob, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		kept, err = add(ctx, t, b, now)
		return err
	})
	return kept, err
}

// TouchBlob renews the time of a blob as AddBlob does. ok is false if there is none.
func (repo *Repository) TouchBlob(ctx context.Context, hash string, now time.Time) (b domain.Blob, ok bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		b, err = scan(t.QueryRowContext(ctx, `UPDATE blobs SET touched_at = $2 WHERE hash = $1 RETURNING `+columns, hash,
			store.Millis(now)))
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	return b, ok, err
}

// Blob returns the blob with a hash.
func (repo *Repository) Blob(ctx context.Context, hash string) (domain.Blob, error) {
	b, err := scan(repo.db.QueryRowContext(ctx, `SELECT `+columns+` FROM blobs WHERE hash = $1`, hash))
	if errors.Is(err, sql.ErrNoRows) {
		return b, domain.NotFound.Errorf(domain.CodeNoSuchFile, "there is no such file")
	}
	return b, err
}

// Add stores blobs within t, whose objects are there. Of one that somebody else has added meanwhile, the second object
// is deleted later.
func Add(ctx context.Context, t *store.Tx, made []domain.Blob, now time.Time) error {
	inOrder := func(a, b domain.Blob) int { return cmp.Compare(a.Hash, b.Hash) } // the same for all who lock them
	for _, b := range slices.SortedFunc(slices.Values(made), inOrder) {
		kept, err := add(ctx, t, b, now)
		if err != nil {
			return err
		}
		if kept.Object == b.Object {
			continue
		}
		if _, err := t.ExecContext(ctx, `INSERT INTO blob_garbage (object) VALUES ($1)`, b.Object); err != nil {
			return err
		}
	}
	return nil
}

func add(ctx context.Context, t *store.Tx, b domain.Blob, now time.Time) (domain.Blob, error) {
	return scan(t.QueryRowContext(ctx, `INSERT INTO blobs (`+columns+`, touched_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (hash) DO UPDATE SET touched_at = excluded.touched_at RETURNING `+columns,
		b.Hash, b.Size, b.Type, b.Object, store.Millis(b.Created), store.Millis(now)))
}

// A Ref is a reference to a blob, which keeps it from being deleted.
type Ref struct {
	Holder string // what refers to it, for example avatar/USER
	Hash   string
	Owner  string // whose quota includes it; empty: nobody's
	// Quota is how many bytes the owner's blobs may have together, including this one; 0 means no
	// limit. A blob with several references counts once.
	Quota int64
}

// AddRef adds a reference within t. It fails with not_found if the blob does not exist any more, which
// cannot happen within a day after it was added.
func AddRef(ctx context.Context, t *store.Tx, r Ref, now time.Time) error {
	res, err := t.ExecContext(ctx, `UPDATE blobs SET touched_at = $2 WHERE hash = $1`, r.Hash, store.Millis(now))
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil {
		return err
	} else if n == 0 {
		return domain.NotFound.Errorf(domain.CodeNoSuchFile, "this file is not there any more; send it again")
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO blob_refs (holder, hash, owner_id) VALUES ($1, $2, $3) ON CONFLICT (holder, hash) DO NOTHING`,
		r.Holder, r.Hash, r.Owner)
	if err != nil || r.Quota == 0 {
		return err
	}
	used, err := usage(ctx, t, r.Owner)
	if err == nil && used > r.Quota {
		return domain.TooLarge.Errorf(domain.CodeQuotaExceeded,
			"your files would take %d bytes, and may take %d; delete some first", used, r.Quota)
	}
	return err
}

// RemoveRef removes all references of a holder within t. A blob without references is kept for
// another day, because a backup in progress may need it.
func RemoveRef(ctx context.Context, t *store.Tx, holder string, now time.Time) error {
	_, err := t.ExecContext(ctx,
		`UPDATE blobs SET touched_at = $2 WHERE hash IN (SELECT hash FROM blob_refs WHERE holder = $1)`,
		holder, store.Millis(now))
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM blob_refs WHERE holder = $1`, holder)
	return err
}

// Usage returns how many bytes the blobs of an owner have together.
func (repo *Repository) Usage(ctx context.Context, owner string) (int64, error) {
	return usage(ctx, repo.db, owner)
}

func usage(ctx context.Context, q store.Queryer, owner string) (n int64, err error) {
	err = q.QueryRowContext(ctx,
		`SELECT COALESCE(sum(size), 0) FROM blobs WHERE hash IN (SELECT hash FROM blob_refs WHERE owner_id = $1)`,
		owner).Scan(&n)
	return n, err
}

// DropBlobs deletes at most limit blobs without references that were added before a time, and
// records their objects for deletion. A concurrent AddRef locks and changes the row, which makes
// PostgreSQL check the condition again.
func (repo *Repository) DropBlobs(ctx context.Context, before time.Time, limit int) (dropped int, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `DELETE FROM blobs WHERE touched_at < $1 AND hash IN (SELECT hash FROM blobs b
			WHERE touched_at < $1 AND NOT EXISTS (SELECT 1 FROM blob_refs r WHERE r.hash = b.hash) ORDER BY touched_at LIMIT $2)
			RETURNING object`, store.Millis(before), limit)
		if err != nil {
			return err
		}
		objects, err := store.Collect(rows, store.ScanString)
		if err != nil {
			return err
		}
		dropped = len(objects)
		for _, o := range objects {
			if _, err := t.ExecContext(ctx, `INSERT INTO blob_garbage (object) VALUES ($1)`, o); err != nil {
				return err
			}
		}
		return nil
	})
	if store.IsForeignKey(err) { // a reference was added meanwhile; the next call leaves that blob out
		return 0, nil
	}
	return dropped, err
}

// DroppedObjects returns the names of at most limit objects that are recorded for deletion.
func (repo *Repository) DroppedObjects(ctx context.Context, limit int) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT object FROM blob_garbage ORDER BY object LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// DeleteObjectRecords deletes the records of objects that have been deleted.
func (repo *Repository) DeleteObjectRecords(ctx context.Context, names []string) error {
	if len(names) == 0 {
		return nil
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM blob_garbage WHERE object IN (`+store.Placeholders(1, len(names))+`)`,
			store.Args(names)...)
		return err
	})
}

// KnownObjects returns those of names that belong to a blob or are recorded for deletion.
func (repo *Repository) KnownObjects(ctx context.Context, names []string) (map[string]bool, error) {
	known := make(map[string]bool, len(names))
	if len(names) == 0 {
		return known, nil
	}
	in := ` IN (` + store.Placeholders(1, len(names)) + `)`
	rows, err := repo.db.QueryContext(ctx, `SELECT object FROM blobs WHERE object`+in+
		` UNION ALL SELECT object FROM blob_garbage WHERE object`+in,
		store.Args(names)...)
	if err != nil {
		return nil, err
	}
	found, err := store.Collect(rows, store.ScanString)
	for _, name := range found {
		known[name] = true
	}
	return known, err
}

// Blobs returns at most limit blobs with hashes above after, in order.
func (repo *Repository) Blobs(ctx context.Context, after string, limit int) ([]domain.Blob, error) {
	return repo.list(ctx, `SELECT `+columns+` FROM blobs WHERE hash > $1 ORDER BY hash LIMIT $2`, after, limit)
}

// ReferredBlobs is Blobs without those that have no reference.
func (repo *Repository) ReferredBlobs(ctx context.Context, after string, limit int) ([]domain.Blob, error) {
	return repo.list(ctx, `SELECT `+columns+` FROM blobs b WHERE hash > $1
		AND EXISTS (SELECT 1 FROM blob_refs r WHERE r.hash = b.hash) ORDER BY hash LIMIT $2`, after, limit)
}

func (repo *Repository) list(ctx context.Context, query, after string, limit int) ([]domain.Blob, error) {
	rows, err := repo.db.QueryContext(ctx, query, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (domain.Blob, error) { return scan(rows) })
}
