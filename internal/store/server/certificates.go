package server

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// PutCertificate stores a value under a name, which may have a value already. Names are paths with
// slashes.
func (repo *Repository) PutCertificate(ctx context.Context, name string, value []byte, now time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `INSERT INTO certificates (name, value, modified_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value, modified_at =
			excluded.modified_at`, name, value, store.Millis(now))
		return err
	})
}

// Certificate returns the value of a name and when it was stored.
func (repo *Repository) Certificate(ctx context.Context, name string) (value []byte, modified time.Time, err error) {
	var when int64
	err = repo.db.QueryRowContext(ctx, `SELECT value, modified_at FROM certificates WHERE name = $1`, name).Scan(&value,
		&when)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, domain.NotFound.Errorf(domain.CodeNoCertificate,
			"there is no certificate of this name")
	}
	return value, store.Time(when), err
}

// Certificates returns the names below a path, or all names if path is empty.
func (repo *Repository) Certificates(ctx context.Context, path string) ([]string, error) {
	first, last := below(path)
	rows, err := repo.db.QueryContext(ctx,
		`SELECT name FROM certificates WHERE name >= $1 AND ($2 = '' OR name < $2) ORDER BY name`, first, last)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (name string, err error) {
		err = rows.Scan(&name)
		return name, err
	})
}

// DeleteCertificates deletes a name and everything below it.
func (repo *Repository) DeleteCertificates(ctx context.Context, name string) error {
	first, last := below(name)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM certificates WHERE name = $1 OR name >= $2 AND name < $3`, name, first,
			last)
		return err
	})
}

// below returns the range of the names below a path: first inclusive, last exclusive.
func below(path string) (first, last string) {
	if path == "" {
		return "", ""
	}
	return path + "/", path + "0" // "0" follows "/" in ASCII
}

// LockCertificate takes or extends a lock until a time. got is false if another owner holds it.
func (repo *Repository) LockCertificate(
	ctx context.Context, name, owner string, now, until time.Time,
) (got bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `INSERT INTO certificate_locks (name, owner, until_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until_at = excluded.until_at
			WHERE certificate_locks.owner = $2 OR certificate_locks.until_at <
			$4`, name, owner, store.Millis(until), store.Millis(now))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		got = n == 1
		return err
	})
	return got && err == nil, err
}

// UnlockCertificate releases a lock.
func (repo *Repository) UnlockCertificate(ctx context.Context, name, owner string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM certificate_locks WHERE name = $1 AND owner = $2`, name, owner)
		return err
	})
}
