package main

import (
	"context"
	"fmt"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
)

const migrateText = `migrate [flags]

Updates the database schema to this version and exits. The server does the same
when it starts; use this to do it beforehand. Stop the server and make a backup
first: a schema update cannot be undone.
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
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: obs.NewLogger(e.stderr, c.Log.Level, c.Log.Format)})
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "The database is up to date.")
	return err
}
