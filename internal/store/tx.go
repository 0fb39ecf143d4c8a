package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Queryer reads: the database itself, or a write in progress.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// querier is a connection or a transaction.
type querier interface {
	Queryer
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A Tx is a write in progress. It is good until the function that was given it
// returns, and for one goroutine.
type Tx struct {
	querier
	d      *dialect
	conn   *sql.Conn // of an appender to PostgreSQL
	cache  *cache    // SQLite
	events []domain.Event
}

// Added says that e was added to the log of its room: whoever set OnCommit is told of
// it once the transaction is durable.
func (t *Tx) Added(e domain.Event) { t.events = append(t.events, e) }

// LastAdded returns the event that was added last. There must be one.
func (t *Tx) LastAdded() domain.Event { return t.events[len(t.events)-1] }

// Name is the kind of database: "sqlite" or "postgres".
func (t *Tx) Name() string { return t.d.name }

// ForUpdate is what a SELECT ends with that locks the rows it finds.
func (t *Tx) ForUpdate() string { return t.d.forUpdate }

// SkipLocked is ForUpdate for rows of which any will do: those that somebody else has
// locked are passed over.
func (t *Tx) SkipLocked() string { return t.d.skipLocked }

// Rows returns the rows of a VALUES list, "($1,$2),($3,$4),...": n of them, of width
// values each. They are the statement's first arguments.
func (t *Tx) Rows(n, width int) string { return t.d.rowsOf(n, width) }

// LockKey has transactions with the same key come one by one. On SQLite they do so
// anyway.
func (t *Tx) LockKey(ctx context.Context, key string) error {
	if t.d.lockKey == "" {
		return nil
	}
	_, err := t.ExecContext(ctx, t.d.lockKey, key)
	return err
}

// Pipeline sends statements at once and reads their answers in order; sent is called
// in between. Only a transaction that PipelineBatch was given can do it.
func (t *Tx) Pipeline(ctx context.Context, b *pgx.Batch, sent func(), read func(pgx.BatchResults) error) error {
	return t.conn.Raw(func(c any) error {
		results := pgxConn(c).SendBatch(ctx, b)
		sent()
		return errors.Join(read(results), results.Close())
	})
}

// QueryContext reads from the database, beside all writes.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return db.read.QueryContext(ctx, query, args...)
}

// QueryRowContext reads one row from the database, beside all writes.
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return db.read.QueryRowContext(ctx, query, args...)
}

// Write runs fn in a transaction and returns when it is durable. fn may run more than
// once, and so must not keep what it found unless it succeeds. If ctx ends before its
// turn, it is not run.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, t *Tx) error) error {
	if db.dialect.oneWriter {
		return db.writer.do(ctx, &job{Item: &Item{}, fn: fn})
	}
	l := &db.writer.load
	defer l.others.Add(-1)
	if l.others.Add(1) > writesAtOnce {
		l.turned.Add(1)
		return busy(0)
	}
	within, cancel := db.pool.patient(ctx, writePatience)
	defer cancel()
	for attempt := 0; ; attempt++ {
		var events []domain.Event
		err := db.inTx(within, func(t *Tx) error {
			err := fn(within, t)
			events = t.events
			return err
		})
		if err == nil {
			db.committed(events)
			return nil
		}
		if within.Err() != nil && ctx.Err() == nil {
			return unavailable(err)
		}
		if attempt == 5 || !db.dialect.retry(err) {
			return db.failed(err)
		}
	}
}

// inTx runs fn in a transaction of PostgreSQL.
func (db *DB) inTx(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.write1.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&Tx{querier: tx, d: db.dialect}); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// An Item is one write of a batch, and how it went.
type Item struct {
	Value  any            // what its BatchWriter knows it by
	Err    error          // why it was refused; nil: it was written
	Events []domain.Event // what it added to the logs of rooms
}

// A BatchWriter carries out many small writes of one kind in one transaction.
type BatchWriter interface {
	// WriteBatch carries out items within t, on SQLite. An item that is refused takes
	// its error and fails alone: it is refused before anything of it is written. An
	// error means that the whole batch is to be undone. It is then tried once more,
	// with again set, and after that with each item alone.
	WriteBatch(ctx context.Context, t *Tx, items []*Item, again bool) error
	// PipelineBatch is WriteBatch on PostgreSQL, where it begins and commits the
	// transaction itself. It calls written once only the commit is left to wait for.
	PipelineBatch(ctx context.Context, t *Tx, items []*Item, again bool, written func()) error
}

// WriteItem has b carry out item together with what waits beside it, and returns when
// that is durable.
func (db *DB) WriteItem(ctx context.Context, b BatchWriter, item *Item) error {
	return db.writer.do(ctx, &job{Item: item, batch: b})
}
