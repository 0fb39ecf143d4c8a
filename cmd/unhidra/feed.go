package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store/all"
)

const feedText = `feed <action> [flags] [arguments]

Shows the progress of background consumers, the parts of the server that process
events after they are stored, and the events that failed. It may be used while the
server runs.

  feed list               list the consumers, how far behind each is, and how many
                          events failed
  feed failed             list the oldest 1000 failed events, with the error
  feed retry <consumer>   have the server process a consumer's failed events again
`

// deadLettersShown is the maximum number of entries that "feed failed" lists.
const deadLettersShown = 1000

func feedCommand() command {
	return command{"feed", "show background consumers, and retry failed events", manageFeed}
}

func manageFeed(ctx context.Context, e *env, args []string) error {
	fs := e.flags("feed", feedText)
	flags := config.NewFlags(fs, "data-dir", "db")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	actions := []action{{name: "list"}, {name: "failed"}, {name: "retry", names: []string{"<consumer>"}}}
	if err := checkAction("feed", actions, words); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Tool: true, NoMigrate: true})
	if err != nil {
		return err
	}
	defer db.Close()
	switch words[0] {
	case "list":
		return e.listConsumers(ctx, db)
	case "failed":
		return e.listFailed(ctx, db)
	}
	return e.retryFailed(ctx, db, words[1])
}

func (e *env) listConsumers(ctx context.Context, db *all.Store) error {
	lags, err := db.Feed.Lags(ctx)
	if err != nil {
		return err
	}
	if len(lags) == 0 {
		_, err := fmt.Fprintln(e.stdout, "There are no consumers yet.")
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONSUMER\tBEHIND\tFAILED")
	for _, l := range lags {
		behind := "no"
		if !l.Oldest.IsZero() {
			behind = time.Since(l.Oldest).Round(time.Second).String()
		}
		fmt.Fprintf(w, "%s\t%s\t%d\n", l.Consumer, behind, l.DeadLetters)
	}
	return w.Flush()
}

func (e *env) listFailed(ctx context.Context, db *all.Store) error {
	failed, err := db.Feed.DeadLetters(ctx, deadLettersShown)
	if err != nil {
		return err
	}
	if len(failed) == 0 {
		_, err := fmt.Fprintln(e.stdout, "No events have failed.")
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "CONSUMER\tEVENT\tSINCE\tERROR")
	for _, a := range failed {
		fmt.Fprintf(w, "%s\t%s\t%s\t%q\n", a.Consumer, a.Key, a.At.Format(time.RFC3339), a.Cause)
	}
	return w.Flush()
}

// retryFailed schedules the failed entries of consumer again. It prints a message if there are
// none, and fails if the consumer does not exist.
func (e *env) retryFailed(ctx context.Context, db *all.Store, consumer string) error {
	n, err := db.Feed.RetryDeadLetters(ctx, consumer)
	if err != nil {
		return err
	}
	if n > 0 {
		_, err = fmt.Fprintf(e.stdout, "The server will process %s again.\n", count(n, "event"))
		return err
	}
	lags, err := db.Feed.Lags(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, l := range lags {
		if l.Consumer == consumer {
			_, err := fmt.Fprintf(e.stdout, "%s has no failed events.\n", consumer)
			return err
		}
		names = append(names, l.Consumer)
	}
	if len(names) == 0 {
		return errors.New("there are no consumers yet")
	}
	return fmt.Errorf("there is no consumer %q; there are %s", consumer, strings.Join(names, ", "))
}
