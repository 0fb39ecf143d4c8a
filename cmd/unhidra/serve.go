package main

import (
	"context"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
)

const serveText = `serve [flags]

Starts the server and runs until it is told to stop. Nothing needs to be set:
it opens http://localhost:9000 and keeps its data in ./data. The first start
prints a link by which the first administrator is made.

SIGTERM or Ctrl-C stops it in order: no new work, connections are closed one
after the other, everything accepted is on disk. A second signal stops at once;
what was acknowledged is safe in either case.

All settings, flags and otherwise: docs/config.md, or unhidra config --docs.
`

func serve(ctx context.Context, e *env, args []string) error {
	fs := e.flags("serve", serveText)
	flags := config.NewFlags(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	log := obs.NewLogger(e.stderr, c.LogLevel, c.LogFormat)
	return app.Run(ctx, app.Options{Config: c, Version: version(), Out: e.stdout, Log: log, Ready: e.supervised(ctx, log)})
}
