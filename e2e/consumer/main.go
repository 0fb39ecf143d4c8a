// Command consumer follows the feed of a server, whose settings it reads, and does nothing with
// the events. A server alone has no consumer, and its metrics of the feed no series without one.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := consume(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "consumer:", err)
		os.Exit(1)
	}
}

func consume(ctx context.Context) error {
	c, err := config.Load(os.Environ(), nil)
	if err != nil {
		return err
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Tool: true, NoMigrate: true})
	if err != nil {
		return err
	}
	defer db.Close()
	feed.Run(ctx, feed.Deps[domain.Event]{
		Source: db.Feed, Cursors: db.Feed, DeadLetters: db.Feed,
		Observer: feed.NewMetrics(prometheus.NewRegistry(), db.Feed.Lags), Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	},
		feed.Consumer[domain.Event]{
			Name: "observe", Handle: func(context.Context, []feed.Entry[domain.Event]) error { return nil },
		}, &feed.Signal{})
	return nil
}
