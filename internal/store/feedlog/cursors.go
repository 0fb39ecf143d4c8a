package feedlog

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
)

// ClaimCursor implements feed.Cursors. On SQLite it takes the lease from any other owner: only one
// server can use the file, so that owner is gone.
func (repo *Repository) ClaimCursor(
	ctx context.Context, name, owner string, from feed.From, until, now time.Time,
) (c feed.Cursor, ok bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		begin := int64(0)
		if from == feed.Now {
			if begin, err = repo.newest(ctx, t); err != nil {
				return err
			}
		}
		err := t.QueryRowContext(ctx,
			`INSERT INTO feed_cursors (name, pos, owner, lease_until, updated_at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until, updated_at =
			excluded.updated_at
			WHERE feed_cursors.owner = excluded.owner OR feed_cursors.lease_until < $5 OR $6
			RETURNING pos, (SELECT version FROM feed_places)`,
			name, begin, owner, store.Millis(until), store.Millis(now), repo.db.SingleWriter()).Scan(&c.Pos, &c.Version)
		if ok = err == nil; errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	c.Until = repo.leaseEnd(until)
	return c, ok, err
}

// singleWriterExtension extends leases on SQLite, where no other server could take them. An idle
// consumer then costs one write a day, which keeps Prune from deleting its cursor.
const singleWriterExtension = 24 * time.Hour

// leaseEnd returns the end of a lease for its owner.
func (repo *Repository) leaseEnd(lease time.Time) time.Time {
	if repo.db.SingleWriter() {
		return lease.Add(singleWriterExtension)
	}
	return lease
}

// AdvanceCursor implements feed.Cursors.
func (repo *Repository) AdvanceCursor(
	ctx context.Context, name, owner string, c feed.Cursor, now time.Time,
) (until time.Time, ok bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE feed_cursors SET pos = $4, lease_until = $5, updated_at = $6
			WHERE name = $1 AND owner = $2 AND (SELECT version FROM feed_places) = $3`,
			name, owner, c.Version, c.Pos, store.Millis(c.Until), store.Millis(now))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		ok = n == 1
		return err
	})
	return repo.leaseEnd(c.Until), ok, err
}

// ReleaseCursor implements feed.Cursors.
func (repo *Repository) ReleaseCursor(ctx context.Context, name, owner string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE feed_cursors SET lease_until = 0 WHERE name = $1 AND owner = $2`, name, owner)
		return err
	})
}

// AddDeadLetter implements feed.DeadLetters.
func (repo *Repository) AddDeadLetter(ctx context.Context, a feed.DeadLetter) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx,
			`INSERT INTO feed_asides (consumer, entry, cause, at, retry) VALUES ($1, $2, $3, $4, FALSE)
			ON CONFLICT (consumer, entry) DO UPDATE SET cause = excluded.cause, at = excluded.at, retry = FALSE`,
			a.Consumer, a.Key, a.Cause, store.Millis(a.At))
		return err
	})
}

// DeadLettersToRetry implements feed.DeadLetters.
func (repo *Repository) DeadLettersToRetry(ctx context.Context, consumer string, limit int) ([]feed.DeadLetter, error) {
	return repo.deadLetters(ctx, `consumer = $1 AND retry ORDER BY at, entry LIMIT $2`, consumer, limit)
}

// DeadLetters returns at most limit dead letters, the oldest first.
func (repo *Repository) DeadLetters(ctx context.Context, limit int) ([]feed.DeadLetter, error) {
	return repo.deadLetters(ctx, `TRUE ORDER BY at, consumer, entry LIMIT $1`, limit)
}

func (repo *Repository) deadLetters(ctx context.Context, rest string, args ...any) ([]feed.DeadLetter, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT consumer, entry, cause, at FROM feed_asides WHERE `+rest, args...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (a feed.DeadLetter, err error) {
		var at int64
		err = rows.Scan(&a.Consumer, &a.Key, &a.Cause, &at)
		a.At = store.Time(at)
		return a, err
	})
}

// RetryDeadLetters marks all dead letters of a consumer for a retry and returns their number.
func (repo *Repository) RetryDeadLetters(ctx context.Context, consumer string) (n int64, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		res, err := t.ExecContext(ctx, `UPDATE feed_asides SET retry = TRUE WHERE consumer = $1`, consumer)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// DeleteDeadLetter implements feed.DeadLetters.
func (repo *Repository) DeleteDeadLetter(ctx context.Context, consumer, key string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `DELETE FROM feed_asides WHERE consumer = $1 AND entry = $2`, consumer, key)
		return err
	})
}
