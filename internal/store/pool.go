package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// Timeouts of PostgreSQL. A database that accepts connections but does not answer must not
// hold up requests until their own timeout.
const (
	connectTimeout     = 5 * time.Second
	pingTimeout        = 2 * time.Second // for the check of an idle connection
	statementTimeout   = 10 * time.Second
	transactionTimeout = 20 * time.Second      // for a transaction, including the wait for its connection
	poolGrowDelay      = 30 * time.Second      // until a shrunk pool may grow to its configured size again
	connectRetryDelay  = 50 * time.Millisecond // between two attempts to open the first connection
)

const (
	defaultPoolSize = 20
	// reservedConns is the number of connections that are never returned to the pool: one for
	// each appender, also of the lane for readings, and the one that holds the instance lock.
	reservedConns = 2*appenders + 1
)

// A connector opens the connections of the pool. If PostgreSQL cannot be reached, it returns
// an unavailable error, for reads and writes alike. If PostgreSQL has no connection left, the
// pool shrinks to the connections that it has, and callers wait for one of these.
type connector struct {
	driver.Connector
	pool      *sql.DB
	log       *slog.Logger
	size      int           // configured size of the pool
	timeouts  atomic.Bool   // whether statements have a timeout
	retrySlot chan struct{} // held by the one caller that retries after a refusal

	mu      sync.Mutex
	opening int  // connections that are being opened
	open    int  // open connections
	shrunk  bool // the pool is smaller than size
}

func openPool(config *pgx.ConnConfig, size int, log *slog.Logger) *connector {
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectTimeout {
		config.ConnectTimeout = connectTimeout
	}
	c := &connector{Connector: stdlib.GetConnector(*config), size: size, log: log, retrySlot: make(chan struct{}, 1)}
	c.pool = sql.OpenDB(c)
	c.restoreSize()
	return c
}

// restoreSize sets the pool to its configured size.
func (c *connector) restoreSize() {
	c.pool.SetMaxOpenConns(c.size)
	c.pool.SetMaxIdleConns((c.size + 1) / 2) // shrink lowered it
}

// enableTimeouts gives each statement a timeout from now on. Migrations and commands of an
// operator run without one.
func (c *connector) enableTimeouts() { c.timeouts.Store(true) }

// Connect opens a connection. It returns the error of ctx if ctx has ended, and an
// unavailable error for every other failure.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	c.opening++
	c.mu.Unlock()
	conn, err := c.Connector.Connect(ctx)
	if isTooManyConnections(err) {
		conn, err = c.retryConnect(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opening--
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case isTooManyConnections(err) && c.open > reservedConns:
		c.shrink()
		return nil, driver.ErrBadConn // database/sql retries, and then waits for a free connection
	default:
		return nil, errUnavailable(err)
	}
	c.open++
	return &poolConn{Conn: conn.(*stdlib.Conn), connector: c}, nil
}

func isTooManyConnections(err error) bool { return postgresCode(err) == "53300" }

// retryConnect retries after PostgreSQL refused a connection because it has none left. One
// caller retries at a time: PostgreSQL also counts connections that it is about to refuse,
// so it may refuse all of several concurrent attempts. While the pool has no connection that
// a caller could wait for, retryConnect repeats until connectTimeout.
func (c *connector) retryConnect(ctx context.Context, refused error) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	select {
	case c.retrySlot <- struct{}{}:
		defer func() { <-c.retrySlot }()
	case <-ctx.Done():
		return nil, refused
	}
	for {
		conn, err := c.Connector.Connect(ctx)
		if !isTooManyConnections(err) && ctx.Err() == nil {
			return conn, err
		}
		if c.hasPooledConns() {
			return nil, refused
		}
		select {
		case <-time.After(connectRetryDelay):
		case <-ctx.Done():
			return nil, refused
		}
	}
}

// hasPooledConns reports whether the pool has connections that return to it, so that waiting
// for one makes sense.
func (c *connector) hasPooledConns() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open > reservedConns
}

// shrink limits the pool to its present size for poolGrowDelay. Connections that are being
// opened count: otherwise the pool would close others in their place. The caller holds mu.
func (c *connector) shrink() {
	c.pool.SetMaxOpenConns(c.open + c.opening)
	if c.shrunk {
		return
	}
	c.shrunk = true
	c.log.Warn("PostgreSQL has no connection left; going on with fewer. "+
		"Raise its max_connections, or lower UNHIDRA_DATABASE_CONNECTIONS",
		"have", c.open, "want", c.size)
	time.AfterFunc(poolGrowDelay, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.shrunk = false
		c.restoreSize()
	})
}

// A poolConn is a connection whose statements time out, and return an unavailable error if
// the database cannot be reached.
type poolConn struct {
	*stdlib.Conn
	connector *connector
	closeOnce sync.Once
	reused    bool // it was in the pool before the present use
	kept      bool // it has one user for several statements, and so database/sql retries none of them
}

// conn takes a connection for several statements.
func (c *connector) conn(ctx context.Context) (*sql.Conn, error) {
	conn, err := c.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return conn, conn.Raw(func(c any) error { c.(*poolConn).kept = true; return nil })
}

// Close implements driver.Conn.
func (c *poolConn) Close() error {
	c.closeOnce.Do(func() {
		c.connector.mu.Lock()
		defer c.connector.mu.Unlock()
		c.connector.open--
	})
	return c.Conn.Close()
}

// ResetSession implements driver.SessionResetter. The embedded method pings the server if the
// connection was idle.
func (c *poolConn) ResetSession(ctx context.Context) error {
	c.reused, c.kept = true, false
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	return c.Conn.ResetSession(ctx)
}

// Ping implements driver.Pinger.
func (c *poolConn) Ping(ctx context.Context) error {
	ctx, cancel := c.withTimeout(ctx)
	defer cancel()
	return c.Conn.Ping(ctx)
}

// withTimeout returns the context for one statement.
func (c *poolConn) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.connector.withTimeout(ctx, statementTimeout)
}

// withTimeout adds a timeout to ctx if timeouts are enabled.
func (c *connector) withTimeout(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if !c.timeouts.Load() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, most)
}

// classify classifies the error of a statement that ran with withTimeout(ctx).
func (c *poolConn) classify(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded): // the statement timed out
		return errUnavailable(err)
	case errors.Is(err, driver.ErrBadConn) && !c.retried():
		return errUnavailable(err)
	}
	return classify(err)
}

// retried reports whether database/sql takes another connection if this one is bad. There is no use in that if this one
// is new.
func (c *poolConn) retried() bool { return c.reused && !c.kept }

// isTerminated reports whether PostgreSQL ended the connection (it stopped, and may be running
// again by now). The statement was not executed.
func isTerminated(err error) bool {
	code := postgresCode(err)
	return code == "57P01" || code == "57P02" || code == "57P05"
}

// QueryContext implements driver.QueryerContext.
func (c *poolConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	stmtCtx, cancel := c.withTimeout(ctx)
	rows, err := c.Conn.QueryContext(stmtCtx, query, args)
	if err != nil {
		cancel()
		if c.retried() && (isTerminated(err) || pgconn.SafeToRetry(err)) {
			return nil, driver.ErrBadConn // not executed: database/sql takes another connection
		}
		return nil, c.classify(ctx, err)
	}
	return &poolRows{Rows: rows.(*stdlib.Rows), conn: c, ctx: ctx, cancel: cancel}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *poolConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	stmtCtx, cancel := c.withTimeout(ctx)
	defer cancel()
	res, err := c.Conn.ExecContext(stmtCtx, query, args)
	return res, c.classify(ctx, err)
}

// BeginTx implements driver.ConnBeginTx. The driver rolls a transaction back when the context
// that it began with ends, so it gets the caller's context and not one with a timeout.
func (c *poolConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	if err != nil {
		return nil, c.classify(ctx, err)
	}
	c.kept = true
	return tx, nil
}

// poolRows classify the errors of a query that occur while its rows are read.
type poolRows struct {
	*stdlib.Rows
	conn   *poolConn
	ctx    context.Context // of the caller
	cancel context.CancelFunc
}

// Next implements driver.Rows.
func (r *poolRows) Next(dest []driver.Value) error { return r.conn.classify(r.ctx, r.Rows.Next(dest)) }

// Close implements driver.Rows.
func (r *poolRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}
