// Package blobs has the SQL of files that are kept by content: what is there, who
// refers to it, and what is to be deleted.
package blobs

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// A Repository keeps the rows of blobs.
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

// AddBlob keeps b, or counts as adding it again if there is a blob of that content:
// then it returns that one, whose object may be another.
func (repo *Repository) AddBlob(ctx context.Context, b domain.Blob, now time.Time) (kept domain.Blob, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		kept, err = scan(t.QueryRowContext(ctx, `INSERT INTO blobs (`+columns+`, touched_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (hash) DO UPDATE SET touched_at = excluded.touched_at RETURNING `+columns,
			b.Hash, b.Size, b.Type, b.Object, store.Millis(b.Created), store.Millis(now)))
		return err
	})
	return kept, err
}

// TouchBlob counts as adding a blob again, if it is there.
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

// A Ref says that something needs a blob.
type Ref struct {
	Holder string // what needs it, for example avatar/USER
	Hash   string
	Owner  string // whose quota counts it; empty: nobody's
	// Quota is how many bytes the owner's blobs may have together, this one included; 0
	// is no limit. A file that is referred to twice counts once.
	Quota int64
}

// AddRef adds a reference within t. The blob must have been added in the last day.
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

// RemoveRef takes all references of a holder away within t. A file that nothing refers to
// any more lives for another day: a backup that is being written may need it.
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

// Usage returns how many bytes the blobs of an owner have.
func (repo *Repository) Usage(ctx context.Context, owner string) (int64, error) {
	return usage(ctx, repo.db, owner)
}

func usage(ctx context.Context, q store.Queryer, owner string) (n int64, err error) {
	err = q.QueryRowContext(ctx,
		`SELECT COALESCE(sum(size), 0) FROM blobs WHERE hash IN (SELECT hash FROM blob_refs WHERE owner_id = $1)`,
		owner).Scan(&n)
	return n, err
}

// DropBlobs deletes at most limit rows that nothing refers to and that were added
// before a time, and notes their objects. Whoever adds a reference meanwhile locks the
// row, and changes it: on PostgreSQL it is then looked at anew.
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
	if store.IsForeignKey(err) { // somebody came to need one of them: the next time it is left out
		return 0, nil
	}
	return dropped, err
}

// DroppedObjects returns the names of at most limit objects that were noted.
func (repo *Repository) DroppedObjects(ctx context.Context, limit int) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT object FROM blob_garbage ORDER BY object LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// DeleteObjectRecords forgets notes of objects that are deleted.
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

// KnownObjects returns those of names that a row or a note has.
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

// Blobs returns at most limit blobs of hashes above after, in their order.
func (repo *Repository) Blobs(ctx context.Context, after string, limit int) ([]domain.Blob, error) {
	return repo.list(ctx, `SELECT `+columns+` FROM blobs WHERE hash > $1 ORDER BY hash LIMIT $2`, after, limit)
}

// ReferredBlobs returns those of Blobs that something refers to.
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
