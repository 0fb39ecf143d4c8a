// Package store keeps everything that must outlive the process, in SQLite or
// in PostgreSQL. It offers use cases (append a message, kick a member), never
// transactions: whatever a use case must check, it checks inside its own
// transaction on fresh rows.
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
	"sync/atomic"
	"time"

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
	// Rooms bounds rooms and members; the zero value does not.
	Rooms domain.RoomBounds
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	dialect  *dialect
	path     string // of a SQLite file
	log      *slog.Logger
	rooms    domain.RoomBounds
	read     *reader
	pool     *connector // PostgreSQL
	guard    *fileGuard // SQLite
	write1   *sql.DB    // SQLite: the writer's connection. PostgreSQL: the same as read
	writer   *writer
	indexer  *indexer // none in a tool
	unlock   func()   // of the SQLite file
	leave    func()   // the servers of a PostgreSQL database
	onCommit atomic.Pointer[func([]domain.Event)]
}

// Open opens the database, brings its schema up to date, and starts the writer.
// A file that is not a database, a schema from a newer version and a file that
// another server holds are refused with a sentence that says so.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Log, rooms: o.Rooms, unlock: func() {}, leave: func() {}}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	open := db.openSQLite
	if o.URL != "" {
		open = db.openPostgres
	}
	if err := open(ctx, o); err != nil {
		_ = db.release() // what went wrong is told already
		return nil, err
	}
	if err := db.migrate(ctx, !o.NoMigrate); err != nil {
		_ = db.release() // what went wrong is told already
		return nil, err
	}
	db.writer = newWriter(db)
	if !o.Tool {
		if err := db.startIndexer(ctx); err != nil {
			return nil, errors.Join(err, db.Close())
		}
		if db.pool != nil {
			db.pool.serve()
		}
	}
	return db, nil
}

// Close commits what was accepted, stops the writer and lets go of the
// database. No other method may be called after it.
func (db *DB) Close() error {
	if db.indexer != nil {
		db.indexer.stop()
	}
	db.writer.stop()
	return db.release()
}

func (db *DB) release() (err error) {
	db.leave()
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

// OnCommit sets the function that is told of events once they are durable. On
// SQLite the order is that of the log; on PostgreSQL two transactions may report
// in either order. It runs on the writer, and so must not block. Set it once,
// before the first write.
func (db *DB) OnCommit(fn func([]domain.Event)) { db.onCommit.Store(&fn) }

func (db *DB) committed(events []domain.Event) {
	if db.indexer != nil && len(events) > 0 {
		db.indexer.appended.Store(true)
	}
	if fn := db.onCommit.Load(); fn != nil && len(events) > 0 {
		(*fn)(events)
	}
}

// ms is the stored form of t: milliseconds since 1970, 0 for the zero time.
func ms(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// at is the time whose stored form is v.
func at(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}
