package main

import (
	"context"
	"fmt"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
)

const webhookText = `webhook <action> [flags]

Shows the outgoing webhooks and slash commands of all rooms and of the server, as
alerts about them need somebody to ask. It may be used while the server runs. Of addresses it shows
the host alone, since the rest may be a secret.

  webhook list           list them: room, who stands for each, its host, and what
                         is wrong (--wrong: those with something wrong alone)
`

func webhookCommand() command {
	return command{"webhook", "list outgoing webhooks and slash commands, and what is wrong with them", manageWebhooks}
}

func manageWebhooks(ctx context.Context, e *env, args []string) error {
	fs := e.flags("webhook", webhookText)
	wrong := fs.Bool("wrong", false, "list: only those that fail or were switched off")
	flags := config.NewFlags(fs, "data-dir", "db")
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	if err := checkAction("webhook", []action{{name: "list"}}, words); err != nil {
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
	hooks, err := db.OutHooks.AllOutHooks(ctx)
	if err != nil {
		return err
	}
	commands, err := db.Slash.AllSlashCommands(ctx)
	if err != nil {
		return err
	}
	ofServer, err := db.Slash.ServerCommands(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ROOM\tNAME\tID\tBY\tHOST\tWAITING\tSTATE")
	for _, h := range hooks {
		if !*wrong || h.Off != "" || !h.FailedAt.IsZero() {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", h.Room, plain(h.User.DisplayName), h.ID, h.CreatedBy.Username,
				hostIn(h.URL), h.Waiting, hookState(h.Off, "failing since ", h.FailedAt, h.Failure))
		}
	}
	for _, c := range append(commands, ofServer...) {
		if !*wrong || c.Off != "" || !c.FailedAt.IsZero() {
			room := c.Room
			if c.OfServer() {
				room = "all"
			}
			fmt.Fprintf(w, "%s\t/%s\t%s\t%s\t%s\t\t%s\n", room, c.Name, c.ID, c.CreatedBy.Username, hostIn(c.URL),
				hookState(c.Off, "last failed ", c.FailedAt, c.Failure))
		}
	}
	return w.Flush()
}

// hookState says whether something asks its receiver, and what is wrong with it.
func hookState(off domain.HookOff, failing string, at time.Time, failure string) string {
	state := "on"
	if off != "" {
		state = "off (" + string(off) + ")"
	}
	if !at.IsZero() {
		state += ", " + failing + at.Format(time.RFC3339) + ": " + plain(failure)
	}
	return state
}

func hostIn(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "?"
	}
	return u.Host
}
