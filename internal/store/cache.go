package store

import "context"

// A Cache holds rows that a transaction on SQLite has read, for later transactions. All
// writes of the server go through one writer, so a cached row stays valid until a
// transaction changes it. That transaction calls Tx.Invalidate. A rollback empties the
// cache, and so does a write by another program (PRAGMA data_version).
type Cache interface {
	// Verify compares the cache with the tables and returns an error that names the
	// difference. It is called before every commit if Options.VerifyCache is set.
	Verify(ctx context.Context, t *Tx) error
}

// cache belongs to the writer's connection.
type cache struct {
	version int64 // PRAGMA data_version
	value   Cache // nil: empty
}

// Cache returns the cache that an earlier transaction stored by SetCache, or nil if it is
// empty. On PostgreSQL it is always nil: other servers write as well.
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
	return t.cache.value, nil
}

// SetCache stores c for later transactions. Call Cache first.
func (t *Tx) SetCache(c Cache) {
	if t.cache != nil {
		t.cache.value = c
	}
}

// Invalidate empties the cache. A transaction must call it if it writes to rooms, to
// members, or to the public columns of users.
func (t *Tx) Invalidate() {
	if t.cache != nil {
		t.cache.value = nil
	}
}

// verify returns an error if the cache differs from the tables.
func (t *Tx) verify(ctx context.Context) error {
	if t.cache == nil || t.cache.value == nil {
		return nil
	}
	return t.cache.value.Verify(ctx, t)
}
