package main

import (
	"context"
	"fmt"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
)

const migrateText = `migrate [flags]

Brings the database to the schema of this version and ends. The server does the
same at its start; this is for those who want to do it beforehand. Stop the
server first, and make a backup: schemas only go forward.
`

func migrate(ctx context.Context, e *env, args []string) error {
	fs := e.flags("migrate", migrateText)
	flags := config.NewFlags(fs, storeFlags("log-level")...)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: obs.NewLogger(e.stderr, c.LogLevel, c.LogFormat)})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "The database is up to date.")
	return err
}
