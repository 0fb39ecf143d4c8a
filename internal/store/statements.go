package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// maxPrepared limits the prepared statements of a connection. The frequent ones of the writer
// are fewer. When rare ones reach the limit, all are closed and prepared anew on use.
const maxPrepared = 128

// preparedConn is a connection with a cache of prepared statements. Without it, parsing would
// take a quarter of the writer's time.
type preparedConn struct {
	*sql.Conn
	stmts map[string]*sql.Stmt
	cache cache
}

func newPreparedConn(c *sql.Conn) *preparedConn {
	return &preparedConn{Conn: c, stmts: make(map[string]*sql.Stmt)}
}

// stmt returns the prepared statement for query.
func (p *preparedConn) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.stmts[query]; ok {
		return s, nil
	}
	if len(p.stmts) == maxPrepared {
		if err := p.closeStatements(); err != nil {
			return nil, err
		}
	}
	s, err := p.PrepareContext(ctx, query)
	if err == nil {
		p.stmts[query] = s
	}
	return s, err
}

func (p *preparedConn) closeStatements() (err error) {
	for _, s := range p.stmts {
		err = errors.Join(err, s.Close())
	}
	clear(p.stmts)
	return err
}

// Close closes the prepared statements and the connection.
func (p *preparedConn) Close() error { return errors.Join(p.closeStatements(), p.Conn.Close()) }

// ExecContext shadows the connection's.
func (p *preparedConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// QueryContext shadows the connection's.
func (p *preparedConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext shadows the connection's.
func (p *preparedConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return p.Conn.QueryRowContext(ctx, query, args...) // returns the same error
	}
	return s.QueryRowContext(ctx, args...)
}

// reader runs queries outside write transactions. On SQLite it caches the prepared statements
// of the first maxCachedReads different queries: parsing most of them takes longer than running
// them. PostgreSQL's driver has a cache of its own.
type reader struct {
	*sql.DB
	cacheStatements bool
	mu              sync.RWMutex
	stmts           map[string]*sql.Stmt
}

// maxCachedReads is more than the queries whose text is fixed. Queries whose text depends on the
// number of arguments may exceed it; those are then not cached.
const maxCachedReads = 128

func (r *reader) stmt(ctx context.Context, query string) *sql.Stmt {
	r.mu.RLock()
	s, enough := r.stmts[query], len(r.stmts) >= maxCachedReads || !r.cacheStatements
	r.mu.RUnlock()
	if s != nil || enough {
		return s
	}
	fresh, err := r.PrepareContext(ctx, query) // not under the lock: it may wait for a connection
	if err != nil {
		return nil // running the query without it returns the same error
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stmts[query]; s != nil || !r.cacheStatements {
		_ = fresh.Close() // another goroutine was faster
		return s
	}
	if r.stmts == nil {
		r.stmts = make(map[string]*sql.Stmt)
	}
	r.stmts[query] = fresh
	return fresh
}

// QueryContext shadows the database's.
func (r *reader) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if s := r.stmt(ctx, query); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return r.DB.QueryContext(ctx, query, args...)
}

// QueryRowContext shadows the database's.
func (r *reader) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	if s := r.stmt(ctx, query); s != nil {
		return s.QueryRowContext(ctx, args...)
	}
	return r.DB.QueryRowContext(ctx, query, args...)
}

// Close closes the prepared statements and the database.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, s := range r.stmts {
		err = errors.Join(err, s.Close())
	}
	clear(r.stmts)
	r.cacheStatements = false
	return errors.Join(err, r.DB.Close())
}
