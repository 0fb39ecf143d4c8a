package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/unhidra/unhidra/internal/domain"
)

func openPostgres(ctx context.Context, db *DB, o Options) error {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return fmt.Errorf("DATABASE_URL: %w", err)
	}
	size := o.Connections
	if size == 0 {
		size = defaultPoolSize
	}
	db.pool = openPool(config, size, db.log)
	db.writeDB = db.pool.pool
	db.read = &reader{DB: db.writeDB}
	if err := db.read.PingContext(ctx); err != nil {
		var e *domain.Error
		if isPermanent(err) && errors.As(err, &e) {
			err = e.Err // which no patience will change
		}
		return fmt.Errorf("PostgreSQL at DATABASE_URL does not answer; "+
			"check that it runs and that the name and password are right: %w", err)
	}
	return errors.Join(db.checkEncoding(ctx), db.checkPooler(ctx))
}

// checkEncoding refuses a database that cannot keep every character. It is asked once:
// the encoding of a database never changes.
func (db *DB) checkEncoding(ctx context.Context) error {
	var encoding, name string
	err := db.read.QueryRowContext(ctx, `SELECT current_setting('server_encoding'), current_database()`).Scan(&encoding,
		&name)
	if err == nil && encoding != "UTF8" {
		err = fmt.Errorf("the PostgreSQL database %q has the encoding %s, which cannot keep what people write; "+
			"make another: CREATE DATABASE unhidra ENCODING 'UTF8' TEMPLATE template0", name, encoding)
	}
	return err
}

const poolerProbes = 4

// checkPooler refuses a pooler that gives one connection's statements to several of
// PostgreSQL's (PgBouncer with pool_mode=transaction or statement): what a server keeps
// on a connection would be lost or met by others, its locks and prepared statements. A
// pooler is known by its telling another process than PostgreSQL does; what is set on one
// of its connections must not be seen on another.
func (db *DB) checkPooler(ctx context.Context) error {
	first, err := db.pool.conn(ctx)
	if err != nil {
		return err
	}
	defer first.Close()
	var pid, told uint32
	err = first.QueryRowContext(ctx, `SELECT pg_backend_pid()`, pgx.QueryExecModeSimpleProtocol).Scan(&pid)
	if err == nil {
		err = first.Raw(func(c any) error { told = pgxConn(c).PgConn().PID(); return nil })
	}
	if err != nil || pid == told {
		return err
	}
	mark := domain.NewID("probe")
	for range poolerProbes {
		if err := probe(ctx, first, mark); err != nil {
			return err
		}
		seen, err := db.seesProbe(ctx, mark)
		if err != nil {
			return err
		}
		if seen {
			return errors.New("the pooler at DATABASE_URL shares connections between transactions, " +
				"and locks and prepared statements are lost by that; " +
				"set pool_mode=session for this database in PgBouncer, or name PostgreSQL itself")
		}
	}
	return nil
}

func probe(ctx context.Context, c *sql.Conn, mark string) error {
	_, err := c.ExecContext(ctx, `SELECT set_config('unhidra.probe', $1, false)`, pgx.QueryExecModeSimpleProtocol, mark)
	return err
}

func (db *DB) seesProbe(ctx context.Context, mark string) (bool, error) {
	second, err := db.pool.conn(ctx)
	if err != nil {
		return false, err
	}
	defer second.Close()
	var value string
	err = second.QueryRowContext(ctx, `SELECT COALESCE(current_setting('unhidra.probe', true), '')`,
		pgx.QueryExecModeSimpleProtocol).Scan(&value)
	return value == mark, err
}

// pgxConn is the driver's connection behind one of the pool.
func pgxConn(c any) *pgx.Conn { return c.(*poolConn).Conn.Conn() }
