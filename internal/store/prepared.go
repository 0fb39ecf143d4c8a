package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// preparedMax is how many statements a connection keeps. The writer's own are
// fewer; what a rare write adds makes room for itself by starting anew.
const preparedMax = 128

// prepared is a connection that keeps its statements: parsing those of a group
// commit again for each commit would take a quarter of the writer's time.
type prepared struct {
	*sql.Conn
	stmts map[string]*sql.Stmt
	cache cache
}

func prepare(c *sql.Conn) *prepared { return &prepared{Conn: c, stmts: make(map[string]*sql.Stmt)} }

// stmt returns the statement of query.
func (p *prepared) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := p.stmts[query]; ok {
		return s, nil
	}
	if len(p.stmts) == preparedMax {
		if err := p.forget(); err != nil {
			return nil, err
		}
	}
	s, err := p.PrepareContext(ctx, query)
	if err == nil {
		p.stmts[query] = s
	}
	return s, err
}

func (p *prepared) forget() (err error) {
	for _, s := range p.stmts {
		err = errors.Join(err, s.Close())
	}
	clear(p.stmts)
	return err
}

// Close closes the statements and the connection.
func (p *prepared) Close() error { return errors.Join(p.forget(), p.Conn.Close()) }

// ExecContext shadows the connection's.
func (p *prepared) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, args...)
}

// QueryContext shadows the connection's.
func (p *prepared) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext shadows the connection's.
func (p *prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := p.stmt(ctx, query)
	if err != nil {
		return p.Conn.QueryRowContext(ctx, query, args...) // which tells the same
	}
	return s.QueryRowContext(ctx, args...)
}

// reader asks the database what does not change it. On SQLite it keeps the
// statements of the first readsMax different questions: parsing one again takes
// longer than answering it. PostgreSQL's driver keeps them itself.
type reader struct {
	*sql.DB
	keep  bool
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

// readsMax is more than there are questions that do not depend on a number of
// arguments, of which there may be any.
const readsMax = 128

func (r *reader) stmt(ctx context.Context, query string) *sql.Stmt {
	r.mu.RLock()
	s, enough := r.stmts[query], len(r.stmts) >= readsMax || !r.keep
	r.mu.RUnlock()
	if s != nil || enough {
		return s
	}
	fresh, err := r.PrepareContext(ctx, query) // not under the lock: it may wait for a connection
	if err != nil {
		return nil // asking without it tells the same
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stmts[query]; s != nil || !r.keep {
		_ = fresh.Close() // somebody else was faster
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

// Close closes the statements and the database.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var err error
	for _, s := range r.stmts {
		err = errors.Join(err, s.Close())
	}
	clear(r.stmts)
	r.keep = false
	return errors.Join(err, r.DB.Close())
}
