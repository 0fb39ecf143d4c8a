// Package store opens a database, SQLite or PostgreSQL, keeps its schema up to date,
// and carries out reads and transactions. It knows no table but its own; the packages
// below it, one for each part of the data, have all other SQL. They offer use cases
// (append a message, kick a member), never transactions: whatever a use case must
// check, it checks inside its own transaction on fresh rows.
//
// On SQLite every write of the server goes through one group-committing writer;
// on PostgreSQL only the appends of messages are grouped. Reads never wait for
// writes on either.
package store

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/unhidra/unhidra/internal/domain"
)

// Options say which database to open.
type Options struct {
	Path string // SQLite file; made if missing
	URL  string // postgres://...; wins over Path
	Log  *slog.Logger
	// Connections is how many a process opens to PostgreSQL at most; 0: 20.
	Connections int
	// Tool opens the database beside a running server, for a command of an
	// administrator: the server's lock on a SQLite file is not taken.
	Tool bool
	// NoMigrate leaves the schema as it is, and refuses one that is too old.
	NoMigrate bool
	// VerifyCache is for tests: on SQLite, before every commit, what transactions keep
	// of what they read is compared with the tables, and a commit is refused that
	// changed one of these without Tx.Invalidate.
	VerifyCache bool
	// Rooms bounds rooms and members, for package rooms; the zero value does not.
	Rooms domain.RoomBounds
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect        *dialect
	path           string // of a SQLite file
	log            *slog.Logger
	verify         bool
	read           *reader
	pool           *connector // PostgreSQL
	guard          *fileGuard // SQLite
	write1         *sql.DB    // SQLite: the writer's connection. PostgreSQL: the same as read
	writer         *writer
	unlock         func() // of the SQLite file
	unlockInstance func() // the servers of a PostgreSQL database
	mu             sync.Mutex
	onCommit       atomic.Pointer[[]func([]domain.Event)]
}

// Open opens the database, brings its schema up to date, and starts the writer.
// A file that is not a database, a schema from a newer version and a file that
// another server holds are refused with a sentence that says so.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{dialect: sqlite, log: o.Log, verify: o.VerifyCache, unlock: func() {}, unlockInstance: func() {}}
	if o.URL != "" {
		db.dialect = postgres
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if err := db.dialect.open(ctx, db, o); err != nil {
		_ = db.release() // what went wrong is told already
		return nil, err
	}
	if err := db.migrate(ctx, !o.NoMigrate); err != nil {
		_ = db.release() // what went wrong is told already
		return nil, err
	}
	db.writer = newWriter(db)
	if !o.Tool && db.pool != nil {
		db.pool.serve()
	}
	return db, nil
}

// Close commits what was accepted, stops the writer and lets go of the
// database. No other method may be called after it.
func (db *DB) Close() error {
	db.writer.stop()
	return db.release()
}

func (db *DB) release() (err error) {
	db.unlockInstance()
	if db.read != nil {
		err = db.read.Close()
	}
	if db.write1 != nil && (db.read == nil || db.write1 != db.read.DB) {
		if e := db.write1.Close(); err == nil {
			err = e
		}
	}
	db.unlock()
	return err
}

// Name is the kind of database: "sqlite" or "postgres".
func (db *DB) Name() string { return db.dialect.name }

// Ping reports whether the database answers, and is still where it was.
func (db *DB) Ping(ctx context.Context) error {
	if db.guard != nil {
		if err := db.guard.present(); err != nil {
			return err
		}
	}
	return db.read.PingContext(ctx)
}

// OnCommit has fn told of events once they are durable. On SQLite the order is that of
// the log; on PostgreSQL two transactions may report in either order. It runs on the
// writer, and so must not block. Set all before the first write.
func (db *DB) OnCommit(fn func([]domain.Event)) {
	db.mu.Lock()
	defer db.mu.Unlock()
	var all []func([]domain.Event)
	if before := db.onCommit.Load(); before != nil {
		all = *before
	}
	all = append(slices.Clone(all), fn)
	db.onCommit.Store(&all)
}

func (db *DB) committed(events []domain.Event) {
	fns := db.onCommit.Load()
	if fns == nil || len(events) == 0 {
		return
	}
	for _, fn := range *fns {
		fn(events)
	}
}

// LockInstance makes this process one of the servers of the database. With others it
// shares it with servers that do the same; without, it refuses to start beside any
// other. On SQLite the lock of the file has decided already.
func (db *DB) LockInstance(ctx context.Context, others bool) error {
	return db.dialect.lockInstance(ctx, db, others)
}

// Use returns how much room the database takes, on the disk.
func (db *DB) Use(ctx context.Context) (domain.StoreUse, error) { return db.dialect.use(ctx, db) }

// Compact gives some of what is free in a SQLite file back to the disk, in one
// small step, and reports whether there is more. PostgreSQL sees to itself.
func (db *DB) Compact(ctx context.Context) (more bool, err error) { return db.dialect.compact(ctx, db) }

// Backup writes a copy of the database, as it is at one moment, to path, which
// must not exist. Writes go on meanwhile. Only SQLite can do this.
func (db *DB) Backup(ctx context.Context, path string) error { return db.dialect.backup(ctx, db, path) }

// Integrity looks through the whole database for damage of its structure, where that
// can be seen: on SQLite.
func (db *DB) Integrity(ctx context.Context) error { return db.dialect.integrity(ctx, db) }

// Lock takes the lock that a server holds on the SQLite file at path, or fails
// because one holds it.
func Lock(path string) (unlock func(), err error) { return lockFile(path + ".lock") }

// failed turns a driver's error into what a caller may act on. Errors that
// are classified already, and ends of contexts, pass through.
func (db *DB) failed(err error) error {
	var e *domain.Error
	switch {
	case err == nil, errors.As(err, &e), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.Is(err, sql.ErrNoRows):
		return err
	}
	if unique, foreign := db.dialect.conflict(err); unique || foreign {
		return err
	}
	return domain.Unavailable.Errorf("store_unavailable", "the server cannot write to its storage just now; try again").After(retryWrite).Because(err)
}
