package store

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/unhidra/unhidra/internal/domain"
)

// A fakePostgres is one that answers as a test wants.
type fakePostgres struct {
	refuse     string        // code that every connection is refused with
	silent     bool          // nothing is answered
	fail       string        // code that every statement fails with; empty: none does
	frozen     bool          // statements are not answered
	dropMidway bool          // fail comes after the first row
	dropped    bool          // the connection breaks at the first statement
	breaks     chan struct{} // closed: all connections break
	full       *atomic.Int32 // how many connections are still refused because it has none left
}

// pool opens a pool to it, whose connections are pipes: time may be a test's own.
func (f fakePostgres) pool(t *testing.T) *connector {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://me@fake/db?sslmode=disable&default_query_exec_mode=simple_protocol")
	if err != nil {
		t.Fatal(err)
	}
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.DialFunc = func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go f.serve(theirs)
		return ours, nil
	}
	c := openPool(config, defaultPoolSize, slog.New(slog.DiscardHandler))
	c.enableTimeouts()
	t.Cleanup(func() { _ = c.pool.Close() })
	return c
}

func (f fakePostgres) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	if f.breaks != nil {
		go func() { <-f.breaks; _ = c.Close() }()
	}
	b := pgproto3.NewBackend(c, c)
	if _, err := b.ReceiveStartupMessage(); err != nil {
		return
	}
	if f.full != nil && f.full.Add(-1) >= 0 {
		f.refuse = "53300"
	}
	switch {
	case f.silent:
		_, _ = b.Receive() // until it is given up
		return
	case f.refuse != "":
		b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: f.refuse, Message: "no"})
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		if _, query := m.(*pgproto3.Query); err != nil || !query || f.dropped {
			return
		}
		if f.frozen {
			continue
		}
		if f.dropMidway {
			b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("a"), DataTypeOID: 25}}})
			b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("x")}})
		}
		if f.fail == "" {
			b.Send(&pgproto3.EmptyQueryResponse{})
		} else {
			b.Send(&pgproto3.ErrorResponse{Severity: "ERROR", Code: f.fail, Message: "no"})
		}
		b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
}

func (c *connector) rows(ctx context.Context) error {
	rows, err := c.pool.QueryContext(ctx, `SELECT a`)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
	}
	return rows.Err()
}

// TestConnectErrorsAreUnavailable: whoever asks while the server runs and gets no
// connection is told to come back, whatever PostgreSQL's reason is.
func TestConnectErrorsAreUnavailable(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"08000", "08P01", "0A000", "25006", "28000", "28P01", "3D000", "42501", "42P01", "53000", "53100", "53200", "53300",
		"53400",
		"55000", "55006", "55P03", "57014", "57P01", "57P02", "57P03", "57P04", "57P05", "58000", "58030", "58P01", "XX000",
		"XX001",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { // one that has none left is asked for some seconds
				c := fakePostgres{refuse: code}.pool(t)
				defer func() { _ = c.pool.Close() }()
				err := c.rows(t.Context())
				if domain.CodeOf(err) != domain.CodeStoreUnavailable || postgresCode(err) != code {
					t.Errorf("%v", err)
				}
				time.Sleep(time.Minute) // the driver's own farewells
			})
		})
	}
}

// TestFirstConnectionsAreRetried: a PostgreSQL that refuses many connections at once,
// before the pool has any, is asked again until it gives some, and everybody is served.
func TestFirstConnectionsAreRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var refused atomic.Int32
		refused.Store(3 * defaultPoolSize)
		c := fakePostgres{full: &refused}.pool(t)
		defer func() { _ = c.pool.Close() }()
		var wg sync.WaitGroup
		for range 5 * defaultPoolSize {
			wg.Go(func() {
				conn, err := c.pool.Conn(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				time.Sleep(time.Millisecond) // what it is needed for
				_ = conn.Close()
			})
		}
		wg.Wait()
		time.Sleep(time.Minute) // the driver's own farewells, and the pool widens
		if most, idle := c.pool.Stats().MaxOpenConnections, c.pool.Stats().Idle; most != defaultPoolSize || idle == 0 {
			t.Errorf("afterwards the pool may have %d connections, and keeps %d", most, idle)
		}
	})
}

// TestStatementsOfAnUnreachableDatabaseAreUnavailable: what a statement fails with says whether the database
// is away or the statement is wrong; also once rows have come.
func TestStatementsOfAnUnreachableDatabaseAreUnavailable(t *testing.T) {
	t.Parallel()
	for code, is := range map[string]bool{
		"08006": true, "25006": true, "28000": true, "3D000": true, "42501": true, "42P01": true, "53100": true,
		"53200": true, "53300": true,
		"55000": true, "55P03": true, "57014": true, "57P01": true, "57P05": true, "58030": true,
		"22P02": false, "23505": false, "25001": false, "42601": false, "42703": false, "40001": false,
	} {
		for _, midway := range []bool{false, true} {
			t.Run(code, func(t *testing.T) {
				t.Parallel()
				c := fakePostgres{fail: code, dropMidway: midway}.pool(t)
				err := c.rows(t.Context())
				_, exec := c.pool.ExecContext(t.Context(), `UPDATE a`)
				for _, err := range []error{err, exec} {
					if (domain.CodeOf(err) == domain.CodeStoreUnavailable) != is || postgresCode(err) != code {
						t.Errorf("after a row %v: %v", midway, err)
					}
				}
			})
		}
	}
}

// TestASilentDatabaseTimesOut: one that accepts and says nothing, or freezes, holds up
// nobody for longer than some seconds; and whoever gives up first hears their own reason.
func TestASilentDatabaseTimesOut(t *testing.T) {
	for name, f := range map[string]fakePostgres{"silent": {silent: true}, "frozen": {frozen: true},
		"dropped": {dropped: true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := f.pool(t)
				defer func() { _ = c.pool.Close() }()
				begin := time.Now()
				err := c.rows(t.Context())
				if d := time.Since(begin); domain.CodeOf(err) != domain.CodeStoreUnavailable || d > 12*time.Second {
					t.Errorf("after %v: %v", d, err)
				}
				short, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err = c.rows(short)
				if name != "dropped" && (domain.KindOf(err) == domain.Unavailable || short.Err() == nil) {
					t.Errorf("given up by the caller: %v", err)
				}
				time.Sleep(time.Minute) // the driver's own farewells
			})
		})
	}
}

// TestKeptConnectionsThatBreakAreUnavailable: whoever keeps a connection for several statements, and finds it broken at
// one of them, is told to come back: database/sql repeats none of these.
func TestKeptConnectionsThatBreakAreUnavailable(t *testing.T) {
	t.Parallel()
	type statements interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	}
	for name, keep := range map[string]func(context.Context, *connector) (statements, error){
		"connection": func(ctx context.Context, c *connector) (statements, error) { return c.conn(ctx) },
		"transaction": func(ctx context.Context, c *connector) (statements, error) {
			return c.pool.BeginTx(ctx, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := fakePostgres{breaks: make(chan struct{})}
				c := f.pool(t)
				defer func() { _ = c.pool.Close() }()
				if err := c.rows(t.Context()); err != nil { // so that the pool has a connection
					t.Fatal(err)
				}
				kept, err := keep(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				close(f.breaks)
				synctest.Wait()
				if _, err := kept.ExecContext(t.Context(), `UPDATE a`); domain.CodeOf(err) != domain.CodeStoreUnavailable {
					t.Error(err)
				}
			})
		})
	}
}
