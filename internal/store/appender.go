package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// An appender writes batches to PostgreSQL. Each batch is one pipeline of a few round trips.
type appender struct {
	db     *DB
	number int
	conn   *sql.Conn // kept open, with its prepared statements; nil: not open
}

// appenders is the number of appenders. One gathers the next batch while the other waits
// for its commit.
const appenders = 2

// append writes items, and calls written when only the commit is outstanding. If the
// connection was idle and turns out to be dead, append opens another one and tries once
// more. The second attempt looks up the keys, so it writes nothing twice.
func (a *appender) append(ctx context.Context, b BatchWriter, items []*Item, written func()) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout) // the callers wait for the outcome
	defer cancel()
	had := a.conn != nil
	err := a.attempt(ctx, b, items, false, written)
	if IsUnique(err) || had && a.conn == nil {
		err = a.attempt(ctx, b, items, true, written)
	}
	if ctx.Err() != nil {
		return errUnavailable(err) // it may be written; the caller retries with the same key
	}
	return err
}

// attempt writes items once. It closes the connection if it cannot be used again.
func (a *appender) attempt(ctx context.Context, b BatchWriter, items []*Item, retry bool, written func()) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	t := &Tx{querier: a.conn, conn: a.conn, d: a.db.dialect}
	err := b.PipelineBatch(ctx, t, items, retry, written)
	if err == nil {
		return nil
	}
	if _, failed := a.conn.ExecContext(ctx, "ROLLBACK"); failed != nil {
		a.close(driver.ErrBadConn)
	}
	return err
}

func (a *appender) connect(ctx context.Context) (err error) {
	if a.conn != nil {
		return nil
	}
	if a.conn, err = a.db.pool.conn(ctx); err != nil {
		return err
	}
	// A custom plan for each batch size is no better, and planning costs as much as a small
	// batch.
	if _, err = a.conn.ExecContext(ctx, `SET plan_cache_mode = force_generic_plan`); err != nil {
		a.close(driver.ErrBadConn)
	}
	return err
}

// close returns the connection to the pool. With an error it closes the connection.
func (a *appender) close(bad error) {
	if a.conn == nil {
		return
	}
	if bad != nil {
		_ = a.conn.Raw(func(any) error { return bad })
	}
	_ = a.conn.Close()
	a.conn = nil
}
