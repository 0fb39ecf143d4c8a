package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// A Queryer runs queries: the database itself, or a transaction.
type Queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// querier is a connection or a transaction.
type querier interface {
	Queryer
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// A Tx is a write transaction. It is valid until the function that received it returns, and
// for one goroutine at a time.
type Tx struct {
	querier
	d      *dialect
	conn   *sql.Conn // PostgreSQL, in PipelineBatch only: the appender's connection
	cache  *cache    // SQLite
	events []domain.Event
}

// AddEvent records that e was appended to the log of its room. The functions set by OnCommit
// receive it after the commit.
func (t *Tx) AddEvent(e domain.Event) { t.events = append(t.events, e) }

// LastEvent returns the event that was added last. It panics if there is none.
func (t *Tx) LastEvent() domain.Event { return t.events[len(t.events)-1] }

// Name is the kind of database: "sqlite" or "postgres".
func (t *Tx) Name() string { return t.d.name }

// ForUpdate ends a SELECT that locks its rows.
func (t *Tx) ForUpdate() string { return t.d.forUpdate }

// SkipLocked is like ForUpdate, but the SELECT skips rows that another transaction has locked.
func (t *Tx) SkipLocked() string { return t.d.skipLocked }

// ValuesList returns the placeholders of a VALUES list, "($1,$2),($3,$4),...": n rows of width
// values. They are the first arguments of the statement.
func (t *Tx) ValuesList(n, width int) string { return t.d.valuesList(n, width) }

// ExecContext executes a statement.
func (t *Tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	defer t.d.timed(ctx, query)()
	return t.querier.ExecContext(ctx, query, args...)
}

// QueryContext runs a query in the transaction.
func (t *Tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	end := t.d.timed(ctx, query)
	rows, err := t.querier.QueryContext(ctx, query, args...)
	end()
	return rows, err
}

// QueryRowContext is QueryContext for one row.
func (t *Tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	defer t.d.timed(ctx, query)()
	return t.querier.QueryRowContext(ctx, query, args...)
}

// LockKey serializes transactions with the same key: it waits until no other one holds key, and
// holds it until the end of t. On SQLite all writes are serialized anyway.
func (t *Tx) LockKey(ctx context.Context, key string) error {
	if t.d.lockKey == "" {
		return nil
	}
	_, err := t.ExecContext(ctx, t.d.lockKey, key)
	return err
}

// Pipeline sends all statements of b in one round trip. It calls sent when they are sent, and
// then read for the results, which come in order. Only the Tx of PipelineBatch supports it.
func (t *Tx) Pipeline(ctx context.Context, b *pgx.Batch, sent func(), read func(pgx.BatchResults) error) error {
	return t.conn.Raw(func(c any) error {
		results := pgxConn(c).SendBatch(ctx, b)
		sent()
		return errors.Join(read(results), results.Close())
	})
}

// QueryContext runs a query outside all write transactions. It does not wait for writes.
func (db *DB) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	end := db.dialect.timed(ctx, query)
	rows, err := db.read.QueryContext(ctx, query, args...)
	end()
	return rows, err
}

// QueryRowContext is QueryContext for one row.
func (db *DB) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	defer db.dialect.timed(ctx, query)()
	return db.read.QueryRowContext(ctx, query, args...)
}

// Snapshot runs fn on the database as it is at one moment. It does not wait for writes.
func (db *DB) Snapshot(ctx context.Context, fn func(q Queryer) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.dialect.snapshot})
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return fn(tx)
}

// Write runs fn in a transaction and returns after the commit. fn may run more than once, so
// it must not leave results of a failed run behind. If ctx ends before fn has begun, Write
// returns the error of ctx and does not run fn.
func (db *DB) Write(ctx context.Context, fn func(ctx context.Context, t *Tx) error) (err error) {
	if db.dialect.singleWriter {
		return db.writer.submit(ctx, &job{Item: &Item{}, fn: fn})
	}
	l := &db.writer.load
	defer l.transactions.Add(-1)
	if l.transactions.Add(1) > maxTransactions {
		l.transactionsRefused.Add(1)
		return errBusy(0)
	}
	txCtx, cancel := db.pool.withTimeout(ctx, transactionTimeout)
	defer cancel()
	txCtx, span := trace.Start(txCtx, "store.commit")
	defer func() { span.End(err) }()
	for attempt := 0; ; attempt++ {
		var events []domain.Event
		err := db.inTx(txCtx, func(t *Tx) error {
			err := fn(txCtx, t)
			events = t.events
			return err
		})
		if err == nil {
			l.committed.Add(1)
			db.notifyCommit(events)
			return nil
		}
		if txCtx.Err() != nil && ctx.Err() == nil {
			return errUnavailable(err)
		}
		if attempt == 5 || !db.dialect.retry(err) {
			return db.classifyWriteError(err)
		}
	}
}

// inTx runs fn in a transaction of PostgreSQL.
func (db *DB) inTx(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.writeDB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := fn(&Tx{querier: tx, d: db.dialect}); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// An Item is one write of a batch, and its result.
type Item struct {
	Value  any            // belongs to the BatchWriter
	Err    error          // why it was not written; nil: it was written
	Events []domain.Event // that it appended to the logs of rooms
}

// A BatchWriter executes many small writes of one kind in one transaction.
type BatchWriter interface {
	// WriteBatch writes items in t, on SQLite. It refuses an item by setting Item.Err before
	// it has written anything of that item; the other items are still written. If WriteBatch
	// returns an error, the engine rolls the whole batch back and calls it once more with
	// retry set. If that fails too, it calls it for each item separately.
	WriteBatch(ctx context.Context, t *Tx, items []*Item, retry bool) error
	// PipelineBatch is WriteBatch on PostgreSQL. It begins and commits the transaction itself,
	// and calls written when only the commit is outstanding.
	PipelineBatch(ctx context.Context, t *Tx, items []*Item, retry bool, written func()) error
}

// WriteItem writes item by b, in one batch with other waiting items, and returns after the
// commit.
func (db *DB) WriteItem(ctx context.Context, b BatchWriter, item *Item) error {
	return db.writer.submit(ctx, &job{Item: item, batchWriter: b})
}
