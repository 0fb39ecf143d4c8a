package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/unhidra/unhidra/internal/domain"
)

var postgres = &dialect{
	name:       "postgres",
	forUpdate:  " FOR UPDATE",
	skipLocked: " FOR UPDATE SKIP LOCKED",
	pairs:      "json_each_text",
	contains:   `position(?::bytea in column) > 0`,
	numbered:   true,
	appenders:  appenders,
	// PostgreSQL's own CREATE TABLE IF NOT EXISTS fails if another's is not committed yet.
	createLock:   fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, 0x756e6864),
	lockKey:      `SELECT pg_advisory_xact_lock(hashtext($1))`,
	snapshot:     sql.LevelRepeatableRead,
	stepLock:     `LOCK TABLE schema_migrations IN EXCLUSIVE MODE`,
	conflict:     postgresConflict,
	retry:        postgresRetry,
	open:         openPostgres,
	lockInstance: lockInstancePostgres,
	usage:        usagePostgres,
	compact:      func(context.Context, *DB) (bool, error) { return false, nil },
	backup:       func(context.Context, *DB, string) error { return errors.New("PostgreSQL is copied by pg_dump") },
	integrity:    func(context.Context, *DB) error { return nil },
	version:      versionPostgres,
	tableSize:    tableSizePostgres,
}

func postgresCode(err error) string {
	var e *pgconn.PgError
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

func postgresConflict(err error) (unique, foreignKey bool) {
	code := postgresCode(err)
	return code == "23505", code == "23503"
}

// Serialization failure and deadlock: the other side won, run again.
func postgresRetry(err error) bool {
	code := postgresCode(err)
	return code == "40001" || code == "40P01"
}

func usagePostgres(ctx context.Context, db *DB) (domain.StoreUsage, error) {
	u := domain.StoreUsage{Kind: db.dialect.name, Free: -1, Log: -1}
	err := db.read.QueryRowContext(ctx,
		`SELECT pg_database_size(current_database()), (SELECT COALESCE(sum(n_dead_tup), 0) FROM pg_stat_user_tables)`).
		Scan(&u.Bytes, &u.DeadRows)
	return u, err
}
