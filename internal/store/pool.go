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

// How long PostgreSQL is waited for. One that accepts connections and is silent, or is
// frozen, must not hold up requests for as long as they would wait.
const (
	connectPatience   = 5 * time.Second
	pingPatience      = 2 * time.Second // of a connection that was idle
	statementPatience = 10 * time.Second
	writePatience     = 20 * time.Second      // for a transaction and the wait for its connection
	fullPatience      = 30 * time.Second      // until the pool tries again to be as large as it may
	fullPause         = 50 * time.Millisecond // between two tries to get a first connection
)

const (
	defaultPool = 20
	// keptConns are held for as long as the server runs: those of the appenders, and the one
	// that holds the lock of the database.
	keptConns = appenders + 1
)

// A connector opens the connections of the pool. It says of a PostgreSQL that cannot be
// reached that it is away for now: to readers as well, who would otherwise take it for a
// fault of the server. Where PostgreSQL has no connection left, the pool goes on with
// those that it has, and whoever needs one waits for it.
type connector struct {
	driver.Connector
	pool    *sql.DB
	log     *slog.Logger
	size    int // of the pool
	serving atomic.Bool
	turn    chan struct{} // held by whoever was refused and tries again

	mu      sync.Mutex
	opening int  // connections that are asked for
	live    int  // connections
	narrow  bool // the pool is smaller than size
}

func openPool(config *pgx.ConnConfig, size int, log *slog.Logger) *connector {
	if config.ConnectTimeout <= 0 || config.ConnectTimeout > connectPatience {
		config.ConnectTimeout = connectPatience
	}
	c := &connector{Connector: stdlib.GetConnector(*config), size: size, log: log, turn: make(chan struct{}, 1)}
	c.pool = sql.OpenDB(c)
	c.widen()
	return c
}

// widen lets the pool be as large as it may.
func (c *connector) widen() {
	c.pool.SetMaxOpenConns(c.size)
	c.pool.SetMaxIdleConns((c.size + 1) / 2) // which a narrow pool lowered
}

// serve bounds statements from now on. Steps of the schema, and commands beside a server,
// may take longer.
func (c *connector) serve() { c.serving.Store(true) }

// Connect opens a connection. Whatever else than its caller's end keeps it from that
// means that the database is away.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	c.mu.Lock()
	c.opening++
	c.mu.Unlock()
	conn, err := c.Connector.Connect(ctx)
	if full(err) {
		conn, err = c.insist(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opening--
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case full(err) && c.live > keptConns:
		c.shrink()
		return nil, driver.ErrBadConn // the pool asks again, and waits for one that is free
	default:
		return nil, unavailable(err)
	}
	c.live++
	return &awayConn{Conn: conn.(*stdlib.Conn), from: c}, nil
}

func full(err error) bool { return postgresCode(err) == "53300" }

// insist asks again after PostgreSQL refused a connection because it has none left, one
// caller at a time: PostgreSQL counts those that it is about to refuse as well, so that of
// many at once it may refuse all. While the pool has nobody's connection to wait for, it
// is asked until it gives one, for as long as connecting may take.
func (c *connector) insist(ctx context.Context, refused error) (driver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectPatience)
	defer cancel()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, refused
	}
	for {
		conn, err := c.Connector.Connect(ctx)
		if !full(err) && ctx.Err() == nil {
			return conn, err
		}
		if c.shared() {
			return nil, refused
		}
		select {
		case <-time.After(fullPause):
		case <-ctx.Done():
			return nil, refused
		}
	}
}

// shared reports whether somebody who waits can hope for a connection.
func (c *connector) shared() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.live > keptConns
}

// shrink makes the pool as large as it is, for a while. Those that are still asked for
// count: the pool would close others in their place. The caller holds mu.
func (c *connector) shrink() {
	c.pool.SetMaxOpenConns(c.live + c.opening)
	if c.narrow {
		return
	}
	c.narrow = true
	c.log.Warn("PostgreSQL has no connection left; going on with fewer. "+
		"Raise its max_connections, or lower UNHIDRA_DATABASE_CONNECTIONS",
		"have", c.live, "want", c.size)
	time.AfterFunc(fullPatience, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.narrow = false
		c.widen()
	})
}

// An awayConn is a connection that says when the database is away, and does not wait for
// it for ever.
type awayConn struct {
	*stdlib.Conn
	from *connector
	end  sync.Once
	used bool // before what is asked now
}

// Close shadows the connection's.
func (c *awayConn) Close() error {
	c.end.Do(func() {
		c.from.mu.Lock()
		defer c.from.mu.Unlock()
		c.from.live--
	})
	return c.Conn.Close()
}

// ResetSession shadows the connection's, which asks whether it is alive if it was idle.
func (c *awayConn) ResetSession(ctx context.Context) error {
	c.used = true
	ctx, cancel := context.WithTimeout(ctx, pingPatience)
	defer cancel()
	return c.Conn.ResetSession(ctx)
}

// Ping shadows the connection's.
func (c *awayConn) Ping(ctx context.Context) error {
	ctx, cancel := c.patient(ctx)
	defer cancel()
	return c.Conn.Ping(ctx)
}

// patient returns the context of a statement.
func (c *awayConn) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return c.from.patient(ctx, statementPatience)
}

// patient bounds ctx once the server runs.
func (c *connector) patient(ctx context.Context, most time.Duration) (context.Context, context.CancelFunc) {
	if !c.serving.Load() {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, most)
}

// away is away for an error of a statement in a context that patient made of ctx.
func (c *awayConn) away(ctx context.Context, err error) error {
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, context.DeadlineExceeded): // it did not answer in time
		return unavailable(err)
	case errors.Is(err, driver.ErrBadConn) && !c.used: // a new one is no better
		return unavailable(err)
	}
	return away(err)
}

// ended reports whether PostgreSQL ended the connection, which carried nothing out then:
// it stopped, and may be back already, while the pool still has connections from before.
func ended(err error) bool {
	code := postgresCode(err)
	return code == "57P01" || code == "57P02" || code == "57P05"
}

// QueryContext shadows the connection's.
func (c *awayConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	within, cancel := c.patient(ctx)
	rows, err := c.Conn.QueryContext(within, query, args)
	if err != nil {
		cancel()
		if c.used && (ended(err) || pgconn.SafeToRetry(err)) {
			return nil, driver.ErrBadConn // nothing was carried out: the pool takes another one
		}
		return nil, c.away(ctx, err)
	}
	return &awayRows{Rows: rows.(*stdlib.Rows), conn: c, ctx: ctx, cancel: cancel}, nil
}

// ExecContext shadows the connection's.
func (c *awayConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	within, cancel := c.patient(ctx)
	defer cancel()
	res, err := c.Conn.ExecContext(within, query, args)
	return res, c.away(ctx, err)
}

// BeginTx shadows the connection's. The driver ends a transaction with the context that
// it began in, which is therefore the caller's.
func (c *awayConn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	tx, err := c.Conn.BeginTx(ctx, o)
	return tx, away(err)
}

// awayRows are rows that come while the database may go.
type awayRows struct {
	*stdlib.Rows
	conn   *awayConn
	ctx    context.Context // that of the query, as the driver keeps it
	cancel context.CancelFunc
}

// Next shadows the rows'.
func (r *awayRows) Next(dest []driver.Value) error { return r.conn.away(r.ctx, r.Rows.Next(dest)) }

// Close shadows the rows'.
func (r *awayRows) Close() error {
	defer r.cancel()
	return r.Rows.Close()
}
