package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/unhidra/unhidra/internal/app"
)

// supervised returns a function that tells the service manager that the server is ready. It also
// tells the manager when the server stops. Without NOTIFY_SOCKET, which systemd sets for
// Type=notify, it does nothing.
func (e *env) supervised(ctx context.Context, log *slog.Logger) (ready func(app.Addrs)) {
	socket, ok := e.getenv("NOTIFY_SOCKET")
	if !ok || socket == "" {
		return nil
	}
	tell := func(state string) {
		if err := notify(ctx, socket, state); err != nil {
			log.WarnContext(ctx, "the service manager cannot be told", "state", state, "err", err)
		}
	}
	return func(a app.Addrs) {
		tell("READY=1\nSTATUS=on " + a.URL)
		context.AfterFunc(ctx, func() { tell("STOPPING=1\nSTATUS=connections are closed one after the other") })
	}
}

func notify(ctx context.Context, socket, state string) error {
	c, err := (&net.Dialer{}).DialContext(context.WithoutCancel(ctx), "unixgram", socket)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte(state)); err != nil {
		return fmt.Errorf("write to NOTIFY_SOCKET: %w", err)
	}
	return nil
}
