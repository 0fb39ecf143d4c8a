package search

import (
	"context"

	"github.com/unhidra/unhidra/internal/store"
)

// A backend is the index of one kind of database. SQLite searches by a table with a
// language of its own (fts5), PostgreSQL by a type of column with another (tsvector): the
// two have nothing in common but this.
type backend interface {
	// match returns the statement that finds the newest places in the log where messages
	// of some rooms match, and its first argument. The others are the user, the places
	// and the times between which it looks, and a limit.
	match(s scope, rooms []int64) (query, match string)
	// next indexes some of what was appended, and reports whether there may be more.
	next(ctx context.Context, db *store.DB) (more bool, err error)
	// unindexed is the question how many messages are still to be indexed.
	unindexed() string
	// update replaces what the index holds of the message at a place.
	update(ctx context.Context, t *store.Tx, pos int64, deleted bool) error
	// deleteUpTo forgets a room's messages up to a number.
	deleteUpTo(ctx context.Context, t *store.Tx, room string, to int64) error
	// lowerHead keeps next from passing over messages, after events were deleted.
	lowerHead(ctx context.Context, t *store.Tx) error
	// beginRebuild notes what is to be indexed anew, if the index is of another form.
	beginRebuild(ctx context.Context, t *store.Tx) error
	// rebuild indexes anew some of that, which is the places up to todo, and reports
	// whether there may be more.
	rebuild(ctx context.Context, db *store.DB, todo int64) (more bool, err error)
}

// backendOf returns the index of a kind of database. Only here is asked which it is.
func backendOf(kind string) backend {
	if kind == "postgres" {
		return tsvector{}
	}
	return fts5{}
}
