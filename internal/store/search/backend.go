package search

import (
	"context"

	"github.com/unhidra/unhidra/internal/store"
)

// A backend is the full-text index of one kind of database: FTS5 on SQLite, tsvector on PostgreSQL.
type backend interface {
	// match returns the statement that finds the newest positions of matching messages in some
	// rooms, and its first argument. Its other arguments are the user, the range of positions, the
	// range of times, a limit, those whom messages are to mention, and with has:pin the rooms.
	match(s scope, rooms []int64) (query, match string)
	// next indexes a batch of appended messages and reports whether there may be more.
	next(ctx context.Context, db *store.DB) (more bool, err error)
	// unindexed returns the query that counts the messages that are still to be indexed.
	unindexed() string
	// update replaces the index entry of the message at a position.
	update(ctx context.Context, t *store.Tx, pos int64, deleted bool) error
	// deleteUpTo forgets a room's messages up to a number.
	deleteUpTo(ctx context.Context, t *store.Tx, room string, to int64) error
	// lowerHead adjusts the indexer's position after events were deleted, so that next skips none
	// that reuse their positions.
	lowerHead(ctx context.Context, t *store.Tx) error
	// beginRebuild schedules a rebuild if the index has another format.
	beginRebuild(ctx context.Context, t *store.Tx) error
	// rebuild indexes a batch of the messages up to position todo again, and reports whether there
	// may be more.
	rebuild(ctx context.Context, db *store.DB, todo int64) (more bool, err error)
}

// backendOf returns the index for a kind of database.
func backendOf(kind string) backend {
	if kind == "postgres" {
		return tsvector{}
	}
	return fts5{}
}
