// Package naming has the SQL of the columns derived from names of users, rooms and user groups: the folded forms
// for search, and the skeletons of usernames and handles.
package naming

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/store"
)

// The folded form (package fulltext) makes search independent of the databases' collations. The
// skeleton (package names) is equal for usernames that look alike.

const namesBatch = 500

// FoldUser updates the derived columns of a user. It must be called after a change of the names.
func FoldUser(ctx context.Context, t *store.Tx, id string) error {
	var username, display string
	if err := t.QueryRowContext(ctx, `SELECT username, display_name FROM users WHERE id = $1`, id).Scan(&username,
		&display); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE users SET folded = $2, skeleton = $3 WHERE id = $1`, id,
		fulltext.Name(username+" "+display), names.Skeleton(username))
	return err
}

// FoldRoom updates the derived column of a room. It must be called after a change of name or topic.
func FoldRoom(ctx context.Context, t *store.Tx, id string) error {
	var name, topic string
	if err := t.QueryRowContext(ctx, `SELECT name, topic FROM rooms WHERE id = $1`, id).Scan(&name, &topic); err != nil {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE rooms SET folded = $2 WHERE id = $1`, id, roomFold(name, topic))
	return err
}

// roomFold returns the folded name and, on a line of its own, the folded topic.
func roomFold(name, topic string) string { return fulltext.Name(name) + "\n" + fulltext.Name(topic) }

// CheckLookalikes fails if username looks like that of another user, or like the handle of a user group.
func CheckLookalikes(ctx context.Context, t *store.Tx, username string) error {
	skeleton := names.Skeleton(username)
	if err := t.LockKey(ctx, skeleton); err != nil { // serialize concurrent registrations
		return err
	}
	var other string
	err := t.QueryRowContext(ctx,
		`SELECT username FROM users WHERE skeleton = $1 AND username <> $2 AND NOT pending LIMIT 1`, skeleton,
		username).Scan(&other)
	if err == sql.ErrNoRows {
		err = t.QueryRowContext(ctx, `SELECT handle FROM user_groups WHERE skeleton = $1 LIMIT 1`, skeleton).Scan(&other)
	}
	return lookalike(err, "/username", "this username")
}

// CheckHandle fails if handle is a username or the handle of another user group than the one with id, or looks like
// one. Names of accounts that are not confirmed count as well.
func CheckHandle(ctx context.Context, t *store.Tx, id, handle string) error {
	skeleton := names.Skeleton(handle)
	if err := t.LockKey(ctx, skeleton); err != nil { // as in CheckLookalikes
		return err
	}
	var other string
	err := t.QueryRowContext(ctx, `SELECT username FROM users WHERE skeleton = $1 OR username = $2
		UNION ALL SELECT handle FROM user_groups WHERE skeleton = $1 AND id <> $3 LIMIT 1`, skeleton, handle, id).Scan(&other)
	return lookalike(err, "/handle", "this handle")
}

// lookalike returns the error for a name, if a query has found one that looks like it.
func lookalike(err error, pointer, what string) error {
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	} else if err != nil {
		return err
	}
	e := domain.Conflict.Errorf(domain.CodeNameTaken,
		"%s is taken by a person or a user group, or looks like one that is; choose another", what)
	e.Fields = []domain.Field{{Pointer: pointer, Detail: "is already taken, or looks like one that is"}}
	return e
}

// backfill updates the derived columns of all users, rooms and user groups that differ from what this program
// computes, for example after an upgrade. It works in small batches.
func backfill(ctx context.Context, db *store.DB) error {
	users := func(row nameRow) (string, string) {
		return fulltext.Name(row.name + " " + row.more), names.Skeleton(row.name)
	}
	groups := func(row nameRow) (string, string) { return "", names.Skeleton(row.name) }
	if err := backfillTable(ctx, db,
		`SELECT id, handle, name, '', skeleton FROM user_groups WHERE id > $1 ORDER BY id LIMIT $2`,
		`UPDATE user_groups SET skeleton = $2 || $3 WHERE id = $1 AND handle = $4 AND name = $5`, groups); err != nil {
		return err
	}
	if err := backfillTable(ctx, db,
		`SELECT id, username, display_name, folded, skeleton FROM users WHERE id > $1 ORDER BY id LIMIT $2`,
		`UPDATE users SET folded = $2, skeleton = $3 WHERE id = $1 AND username = $4 AND display_name = $5`,
		users); err != nil {
		return err
	}
	rooms := func(row nameRow) (string, string) { return roomFold(row.name, row.more), "" }
	return backfillTable(ctx, db, `SELECT id, name, topic, folded, '' FROM rooms WHERE id > $1 ORDER BY id LIMIT $2`,
		`UPDATE rooms SET folded = $2 || $3 WHERE id = $1 AND name = $4 AND topic = $5`, rooms)
}

// nameRow is a row with names and their derived columns.
type nameRow struct{ id, name, more, folded, skeleton string }

func backfillTable(
	ctx context.Context, db *store.DB, read, write string, want func(nameRow) (folded, skeleton string),
) error {
	for after := ""; ; {
		rows, err := db.QueryContext(ctx, read, after, namesBatch)
		if err != nil {
			return err
		}
		found, err := store.Collect(rows, func(rows *sql.Rows) (n nameRow, err error) {
			err = rows.Scan(&n.id, &n.name, &n.more, &n.folded, &n.skeleton)
			return n, err
		})
		if err != nil || len(found) == 0 {
			return err
		}
		after = found[len(found)-1].id
		var stale []nameRow
		for _, n := range found {
			if folded, skeleton := want(n); folded != n.folded || skeleton != n.skeleton {
				n.folded, n.skeleton = folded, skeleton
				stale = append(stale, n)
			}
		}
		if len(stale) == 0 {
			continue
		}
		err = db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			for _, n := range stale {
				if _, err := t.ExecContext(ctx, write, n.id, n.folded, n.skeleton, n.name, n.more); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
}

// Backfill runs backfill until it succeeds or ctx is done.
func Backfill(ctx context.Context, db *store.DB, log *slog.Logger, pause time.Duration) {
	for {
		err := backfill(ctx, db)
		if err == nil || ctx.Err() != nil {
			return
		}
		log.ErrorContext(ctx, "update the derived columns of names", "err", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// SubstringPattern is PrefixPattern, but q may match anywhere in a name.
func SubstringPattern(q string) (pattern string, some bool) {
	form := strings.TrimSpace(fulltext.Name(q))
	return "%" + store.EscapeLike(form) + "%", q == "" || form != ""
}

// PrefixPattern returns the LIKE pattern of names with a word that begins with q. some is false if
// q can match nothing.
func PrefixPattern(q string) (pattern string, some bool) {
	form := fulltext.Name(q)
	return "%" + store.EscapeLike(form) + "%", q == "" || strings.TrimSpace(form) != ""
}
