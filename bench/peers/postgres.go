package main

import (
	"context"
	"database/sql"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
)

// kept is a connection that stays open, so that its process does.
var kept *sql.DB

// backendOf returns a process of the PostgreSQL at url, by which its family is
// found.
func backendOf(ctx context.Context, url string) (pid int, err error) {
	if kept, err = sql.Open("pgx", url); err != nil {
		return 0, err
	}
	kept.SetMaxOpenConns(1)
	err = kept.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&pid)
	return pid, err
}
