package main

import (
	"context"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
)

const serveText = `serve [flags]

Starts the server and runs until it is stopped. No settings are needed: it
listens on port 9000 of all addresses of this machine (--bind 127.0.0.1: of this
machine only), takes MQTT on 127.0.0.1:1883, and stores its data in ./data. The
first start prints a link for creating the first administrator.

SIGTERM or Ctrl-C shuts the server down: it takes no new requests, closes its
connections one after the other and finishes what it has accepted. A second
signal stops it at once. Acknowledged messages are safe either way.

docs/config.md describes all settings; unhidra config --docs prints it.
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
	return app.Run(ctx, app.Options{
		Config: c, Version: version(), Out: e.stdout,
		Log:   obs.NewLogger(e.stderr, "debug", c.Log.Format), // each part has a level of its own
		Ready: e.supervised(ctx, obs.NewLogger(e.stderr, c.Log.Level, c.Log.Format)),
	})
}
