package store

import "context"

// A Cache is what transactions on SQLite have read and keep for those that follow:
// they are the only ones that write, so that it stays true until one of them changes
// what it was read from. That one calls Tx.Invalidate. A rollback, and a program beside
// the server that wrote to the file, empty it as well.
type Cache interface {
	// Verify compares what is kept with the tables, and names what differs. It is
	// called before every commit where Options.VerifyCache is set.
	Verify(ctx context.Context, t *Tx) error
}

// cache belongs to the writer's connection.
type cache struct {
	version int64 // PRAGMA data_version
	kept    Cache // nil: nothing
}

// Cache returns what earlier transactions kept by SetCache, or nil. On PostgreSQL it
// is always nil: other servers write as well.
func (t *Tx) Cache(ctx context.Context) (Cache, error) {
	if t.cache == nil {
		return nil, nil
	}
	var version int64
	if err := t.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return nil, err
	}
	if version != t.cache.version {
		*t.cache = cache{version: version}
	}
	return t.cache.kept, nil
}

// SetCache keeps c for the transactions that follow. Call Cache first.
func (t *Tx) SetCache(c Cache) {
	if t.cache != nil {
		t.cache.kept = c
	}
}

// Invalidate empties the cache. Whoever writes to a table that the cache is read from
// calls it in the same transaction: rooms, members, and the columns of users that
// others see.
func (t *Tx) Invalidate() {
	if t.cache != nil {
		t.cache.kept = nil
	}
}

// verify refuses a commit that would leave something else in the cache than in the
// tables.
func (t *Tx) verify(ctx context.Context) error {
	if t.cache == nil || t.cache.kept == nil {
		return nil
	}
	return t.cache.kept.Verify(ctx, t)
}
