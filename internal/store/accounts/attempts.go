package accounts

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// forGood is the end of a lock that does not expire: only Refund ends it.
var forGood = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// strikesKept is how long a counter remembers its earlier locks, each of which doubles the next.
const strikesKept = 24 * time.Hour

type attempt struct {
	failures, streak, strikes int
	since, locked, at         time.Time
}

// Reserve counts a failure under each of counters before the attempt is made. All are counted in
// one commit, so that parallel attempts are limited like consecutive ones. If one of the counters
// is locked, nothing is counted. If the attempt succeeds, the caller calls Refund.
func (repo *Sessions) Reserve(
	ctx context.Context, counters []domain.Counter, now time.Time,
) (r domain.Reserved, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, err = reserve(ctx, t, counters, now)
		return err
	})
	return r, err
}

func reserve(
	ctx context.Context, t *store.Tx, counters []domain.Counter, now time.Time,
) (r domain.Reserved, err error) {
	counters = slices.Clone(counters)
	// All transactions lock counters in this order.
	slices.SortFunc(counters, func(a, b domain.Counter) int { return bytes.Compare(a.Hash, b.Hash) })
	rows := make([]attempt, len(counters))
	for i, c := range counters {
		a, err := lockAttempt(ctx, t, c.Hash, now)
		if err != nil {
			return r, err
		}
		if a.locked.After(now) && a.locked.After(r.Locked) {
			r.Locked, r.ForGood = a.locked, a.locked.Equal(forGood)
		}
		rows[i] = a
	}
	if !r.Locked.IsZero() {
		return r, nil
	}
	for i, c := range counters {
		if err := count(ctx, t, c, rows[i], &r, now); err != nil {
			return r, err
		}
	}
	return r, nil
}

// lockAttempt reads a counter and locks its row until the commit. It inserts the row if there is
// none. One statement does both, because a concurrent success may delete the row.
func lockAttempt(ctx context.Context, t *store.Tx, hash []byte, now time.Time) (a attempt, err error) {
	var since, locked, when int64
	err = t.QueryRowContext(ctx, `INSERT INTO attempts (hash, failures, since_at, streak, strikes, locked_until, at)
		VALUES ($1, 0, $2, 0, 0, 0, $2) ON CONFLICT (hash) DO UPDATE SET hash = excluded.hash
		RETURNING failures, streak, strikes, since_at, locked_until, at`, hash, store.Millis(now)).
		Scan(&a.failures, &a.streak, &a.strikes, &since, &locked, &when)
	a.since, a.locked, a.at = store.Time(since), store.Time(locked), store.Time(when)
	return a, err
}

func count(ctx context.Context, t *store.Tx, c domain.Counter, a attempt, r *domain.Reserved, now time.Time) error {
	if !a.locked.IsZero() {
		a.locked, r.Unlocked = time.Time{}, true
	}
	if now.Sub(a.at) > strikesKept {
		a.strikes = 0
	}
	if now.Sub(a.since) > c.Window {
		a.failures, a.since = 0, now
	}
	r.Failures = max(r.Failures, a.failures)
	a.failures++
	a.streak++
	switch {
	case c.Streak > 0 && a.streak >= c.Streak:
		a.locked = forGood
	case a.failures >= c.Limit:
		a.locked = now.Add(min(c.Most, c.Lock<<min(a.strikes, 16)))
		a.failures, a.since = 0, now
		a.strikes++
	}
	if !a.locked.IsZero() {
		r.Began, r.LockUntil = true, a.locked
		r.ForGood = r.ForGood || a.locked.Equal(forGood)
	}
	_, err := t.ExecContext(ctx,
		`UPDATE attempts SET failures = $2, since_at = $3, streak = $4, strikes = $5, locked_until = $6, at = $7
			WHERE hash = $1`,
		c.Hash, a.failures, store.Millis(a.since), a.streak, a.strikes, store.Millis(a.locked), store.Millis(now))
	return err
}

// Failures returns the highest number of failures that one of counters has within its window. It
// counts nothing.
func (repo *Sessions) Failures(ctx context.Context, counters []domain.Counter, now time.Time) (n int, err error) {
	for _, c := range counters {
		var failures int
		var since int64
		err := repo.db.QueryRowContext(ctx, `SELECT failures, since_at FROM attempts WHERE hash = $1`, c.Hash).Scan(&failures,
			&since)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return 0, err
		}
		if now.Sub(store.Time(since)) <= c.Window {
			n = max(n, failures)
		}
	}
	return n, nil
}

// Refund deletes the counters of hashes, with their locks: after a success, or when somebody with
// the permission ends a lock.
func (repo *Sessions) Refund(ctx context.Context, hashes ...[]byte) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return refund(ctx, t, hashes) })
}

// refund locks the counters in the same order as reserve.
func refund(ctx context.Context, t *store.Tx, hashes [][]byte) error {
	if len(hashes) == 0 {
		return nil
	}
	_, err := t.ExecContext(ctx, `DELETE FROM attempts WHERE hash IN (SELECT hash FROM attempts
		WHERE hash IN (`+store.Placeholders(1, len(hashes))+`) ORDER BY hash`+t.ForUpdate()+`)`, store.Args(hashes)...)
	return err
}

// Release takes one failure back from each of hashes, because the reserved attempt was not made.
// Locks that it caused remain.
func (repo *Sessions) Release(ctx context.Context, hashes ...[]byte) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE attempts SET failures = CASE WHEN failures > 0 THEN failures - 1 ELSE 0 END,
			streak = CASE WHEN streak > 0 THEN streak - 1 ELSE 0 END WHERE hash IN
			(`+store.Placeholders(1, len(hashes))+`)`, store.Args(hashes)...)
		return err
	})
}
