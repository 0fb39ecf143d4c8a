// Package store opens a database, SQLite or PostgreSQL, migrates its schema, and executes
// queries and transactions. It knows no tables but its own. The packages below it, one for
// each part of the data, have all other SQL. They offer use cases (append a message, kick a
// member) and no transactions: a use case checks its preconditions inside its own transaction.
//
// On SQLite every write of the server goes through one group-committing writer;
// on PostgreSQL only the appends of messages are grouped. Reads never wait for
// writes on either.
package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/fileaccess"
)

// Options say which database to open.
type Options struct {
	Path string // SQLite file; created if missing
	URL  string // postgres://...; wins over Path
	Log  *slog.Logger
	// Connections is the maximum number of connections to PostgreSQL; 0: 20.
	Connections int
	// Tool opens the database for a command of an operator, possibly while a server runs: the
	// server's lock on a SQLite file is not taken.
	Tool bool
	// NoMigrate does not migrate the schema. Open fails if it is too old.
	NoMigrate bool
	// VerifyCache is for tests. On SQLite the cache is compared with the tables before every
	// commit, and a commit fails that changed them without Tx.Invalidate.
	VerifyCache bool
	// Schema has the migrations, in a folder for each dialect; nil: those of the server's database.
	Schema fs.FS
	// Rooms are the limits that package rooms enforces; the zero value sets none.
	Rooms domain.RoomLimits
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect        *dialect
	path           string // of a SQLite file
	log            *slog.Logger
	schema         fs.FS
	verify         bool
	read           *reader
	pool           *connector // PostgreSQL
	guard          *fileGuard // SQLite
	writeDB        *sql.DB    // SQLite: the writer's connection. PostgreSQL: the same as read
	writer         *writer
	unlock         func() // of the SQLite file
	unlockInstance func() // the servers of a PostgreSQL database
	mu             sync.Mutex
	lanes          []*Lane
	onCommit       atomic.Pointer[[]func([]domain.Event)]
}

// Open opens the database, migrates its schema, and starts the writer. It fails if the file is
// not a database, if the schema belongs to a newer version, or if another server holds the
// file; the error says which.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := newDB(o)
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
		db.pool.enableTimeouts()
	}
	return db, nil
}

func newDB(o Options) *DB {
	db := &DB{dialect: sqlite, log: o.Log, verify: o.VerifyCache, unlock: func() {}, unlockInstance: func() {}}
	if o.URL != "" {
		db.dialect = postgres
	}
	if db.schema = o.Schema; db.schema == nil {
		db.schema = serverSchema()
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	return db
}

// Close executes all queued writes, stops the writer and closes the database. No method may
// be called after it.
func (db *DB) Close() error {
	db.mu.Lock()
	lanes := db.lanes
	db.mu.Unlock()
	for _, l := range lanes {
		l.writer.stop()
	}
	db.writer.stop()
	return db.release()
}

func (db *DB) release() (err error) {
	db.unlockInstance()
	if db.read != nil {
		err = db.read.Close()
	}
	if db.writeDB != nil && (db.read == nil || db.writeDB != db.read.DB) {
		if e := db.writeDB.Close(); err == nil {
			err = e
		}
	}
	db.unlock()
	return err
}

// Name is the kind of database: "sqlite" or "postgres".
func (db *DB) Name() string { return db.dialect.name }

// Ping fails if the database does not answer, or if its SQLite file was removed or replaced.
func (db *DB) Ping(ctx context.Context) error {
	if db.guard != nil {
		if err := db.guard.present(); err != nil {
			return err
		}
	}
	return db.read.PingContext(ctx)
}

// OnCommit adds fn to the functions that are called with the events of each commit. On SQLite
// the calls come in the order of the log; on PostgreSQL the calls of two transactions may come
// in either order. fn runs on the writer's goroutine and must not block. All functions must be
// set before the first write.
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

func (db *DB) notifyCommit(events []domain.Event) {
	fns := db.onCommit.Load()
	if fns == nil || len(events) == 0 {
		return
	}
	for _, fn := range *fns {
		fn(events)
	}
}

// LockInstance registers this process as a server of the database. With others set, it shares
// the database with servers that set it too; otherwise it fails if there is any other server.
// On SQLite it does nothing: Open has locked the file.
func (db *DB) LockInstance(ctx context.Context, others bool) error {
	return db.dialect.lockInstance(ctx, db, others)
}

// Usage returns how much disk space the database takes.
func (db *DB) Usage(ctx context.Context) (domain.StoreUsage, error) { return db.dialect.usage(ctx, db) }

// Compact returns some free pages of a SQLite file to the disk, in one small step, and reports
// whether there are more. On PostgreSQL it does nothing: VACUUM runs there by itself.
func (db *DB) Compact(ctx context.Context) (more bool, err error) { return db.dialect.compact(ctx, db) }

// Backup writes a copy of the database, as it is at one moment, to path, which
// must not exist. Writes go on meanwhile. Only SQLite can do this.
func (db *DB) Backup(ctx context.Context, path string) error { return db.dialect.backup(ctx, db, path) }

// Integrity checks the structure of the whole database. It does so on SQLite only.
func (db *DB) Integrity(ctx context.Context) error { return db.dialect.integrity(ctx, db) }

// Lock takes the lock that a server holds on the SQLite file at path. It fails if a server
// holds it.
func Lock(path string) (unlock func(), err error) { return fileaccess.Lock(path + ".lock") }

// classifyWriteError turns a driver's error into an unavailable error. It returns domain errors,
// constraint violations, sql.ErrNoRows and errors of contexts unchanged.
func (db *DB) classifyWriteError(err error) error {
	var e *domain.Error
	switch {
	case err == nil, errors.As(err, &e), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, sql.ErrNoRows):
		return err
	}
	if unique, foreign := db.dialect.conflict(err); unique || foreign {
		return err
	}
	return domain.Unavailable.Errorf(domain.CodeStoreUnavailable,
		"the server cannot write to its storage just now; try again").After(retryWrite).Because(err)
}
