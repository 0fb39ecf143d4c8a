package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
)

// An appender carries batches into PostgreSQL, each by a pipeline of few round trips.
type appender struct {
	db     *DB
	number int
	conn   *sql.Conn // kept, with its statements; nil: none yet, or lost
}

// appenders is how many there are: one gathers the next batch while the other waits for
// its commit.
const appenders = 2

// append carries out jobs, and calls written once only the commit is left to
// wait for. A connection that had been idle and turns out to be dead is replaced:
// nothing was written by it, and were it so, the second try would find it.
func (a *appender) append(ctx context.Context, b BatchWriter, items []*Item, written func()) error {
	ctx, cancel := context.WithTimeout(ctx, statementPatience) // whoever sends waits for its end
	defer cancel()
	had := a.conn != nil
	err := a.try(ctx, b, items, false, written)
	if IsUnique(err) || had && a.conn == nil {
		err = a.try(ctx, b, items, true, written)
	}
	if ctx.Err() != nil {
		return unavailable(err) // written or not: a second try will tell
	}
	return err
}

// try loses the connection if it cannot be used again.
func (a *appender) try(ctx context.Context, b BatchWriter, items []*Item, again bool, written func()) error {
	if err := a.connect(ctx); err != nil {
		return err
	}
	t := &Tx{querier: a.conn, conn: a.conn, d: a.db.dialect}
	err := b.PipelineBatch(ctx, t, items, again, written)
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
	if a.conn, err = a.db.write1.Conn(ctx); err != nil {
		return err
	}
	// A plan for batches of this very size is no better, and costs as much as a small
	// batch does.
	if _, err = a.conn.ExecContext(ctx, `SET plan_cache_mode = force_generic_plan`); err != nil {
		a.close(driver.ErrBadConn)
	}
	return err
}

// close gives the connection back, or with an error ends it.
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
