package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/webhook/outgoing"
)

const commandText = `command <action> [flags] [arguments]

Manages slash commands of the server, which people can write in every room, beside
those of rooms. It needs access to the data folder instead of a sign-in, and may be
used while the server runs. Every change is recorded in the audit log.

  command list                       list them, and what is wrong with each
  command create <name> <url>        make one, and print its secret (--by,
                                     --description, --hint, --rooms, --guests)
  command set <name>                 change one (--url, --description, --hint,
                                     --rooms, --guests; --url needs --by)
  command on <name>                  switch one on (--by)
  command off <name>                 switch one off
  command renew <name>               print another secret; for a day both sign
  command remove <name>              remove one; what it wrote stays
`

func slashCommand() command {
	return command{"command", "create, list and change slash commands of the server", manageCommands}
}

// serverCommands changes slash commands of a database, as the operator of the server.
type serverCommands struct {
	*env
	db      *all.Store
	service *outgoing.Service
	flags   *flag.FlagSet
	by      *string
	url     *string
	about   *string
	hint    *string
	rooms   *string
	guests  *bool
}

func manageCommands(ctx context.Context, e *env, args []string) error {
	fs := e.flags("command", commandText)
	m := &serverCommands{env: e, flags: fs,
		by:     fs.String("by", "", "create, on: administrator who stands for it"),
		url:    fs.String("url", "", "set: address that is asked"),
		about:  fs.String("description", "", "create, set: what it does"),
		hint:   fs.String("hint", "", "create, set: what is written after its name"),
		rooms:  fs.String("rooms", "all", "create, set: rooms that have it: all, public or private"),
		guests: fs.Bool("guests", false, "create, set: guests may use it, too"),
	}
	flags := config.NewFlags(fs, storeFlags()...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	name := []string{"<name>"}
	if err := checkAction("command", []action{{name: "list"}, {name: "create", names: []string{"<name>", "<url>"}},
		{name: "set", names: name}, {name: "on", names: name}, {name: "off", names: name}, {name: "renew", names: name},
		{name: "remove", names: name}}, words); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	keys, err := keyring(c)
	if err != nil {
		return err
	}
	db, audit, err := e.auditLog(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	m.db, m.service = db, outgoing.New(outgoing.Deps{Slash: db.Slash, Audit: audit, Networks: c.PrivateNetworks,
		Key: keys.Derive(app.OutgoingKey), Log: obs.NewLogger(e.stderr, "warn", c.Log.Format)})
	return m.act(ctx, words)
}

// given reports whether a flag was set.
func (m *serverCommands) given(name string) (yes bool) {
	m.flags.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// standing returns who does something, with the administrator who stands for it.
func (m *serverCommands) standing(ctx context.Context) (outgoing.By, error) {
	by := outgoing.By{AuditActor: domain.AuditActor{Kind: domain.ActorOperator}}
	if *m.by == "" {
		return by, usagef("--by is needed: the administrator who stands for the command")
	}
	u, err := m.db.Accounts.UserByUsername(ctx, *m.by)
	if err == nil && (u.Role != domain.SystemAdmin || u.Disabled) {
		err = fmt.Errorf("%s is not an administrator of the server", u.Username)
	}
	by.Stands = u.ID
	return by, err
}

func (m *serverCommands) kind() (k domain.RoomKind, err error) {
	switch *m.rooms {
	case "all":
	case "public", "private":
		k = domain.RoomKind(*m.rooms)
	default:
		err = usagef("--rooms is all, public or private")
	}
	return k, err
}

func (m *serverCommands) act(ctx context.Context, words []string) (err error) {
	by := outgoing.By{AuditActor: domain.AuditActor{Kind: domain.ActorOperator}}
	var c domain.SlashCommand
	switch words[0] {
	case "list":
		return m.list(ctx)
	case "create":
		return m.create(ctx, words[1], words[2])
	case "set":
		return m.set(ctx, words[1])
	case "on", "off":
		on := words[0] == "on"
		if on {
			if by, err = m.standing(ctx); err != nil {
				return err
			}
		}
		c, err = m.service.ChangeServerCommand(ctx, by, words[1],
			outgoing.ServerChange{CommandChange: outgoing.CommandChange{On: &on}})
	case "renew":
		if c, err = m.service.RotateServerCommand(ctx, by, words[1]); err == nil {
			_, err = fmt.Fprintf(m.stdout, "%s\n", c.Secret)
		}
		return err
	case "remove":
		if err = m.service.RemoveServerCommand(ctx, by, words[1]); err == nil {
			_, err = fmt.Fprintf(m.stdout, "Removed: /%s\n", strings.TrimPrefix(words[1], "/"))
		}
		return err
	}
	if err == nil {
		_, err = fmt.Fprintf(m.stdout, "/%s: %s\n", c.Name, hookState(c.Off, "last failed ", c.FailedAt, c.Failure))
	}
	return err
}

func (m *serverCommands) create(ctx context.Context, name, url string) error {
	by, err := m.standing(ctx)
	if err != nil {
		return err
	}
	kind, err := m.kind()
	if err != nil {
		return err
	}
	c, err := m.service.CreateServerCommand(ctx, by, domain.SlashCommand{Name: name, Description: *m.about, Hint: *m.hint,
		URL: url, Kind: kind, Guests: *m.guests})
	if err == nil {
		_, err = fmt.Fprintf(m.stdout, "%s\n", c.Secret)
	}
	return err
}

func (m *serverCommands) set(ctx context.Context, name string) (err error) {
	by := outgoing.By{AuditActor: domain.AuditActor{Kind: domain.ActorOperator}}
	var change outgoing.ServerChange
	for flag, to := range map[string]struct{ field, from **string }{
		"url": {&change.URL, &m.url}, "description": {&change.Description, &m.about}, "hint": {&change.Hint, &m.hint},
	} {
		if m.given(flag) {
			*to.field = *to.from
		}
	}
	if m.given("guests") {
		change.Guests = m.guests
	}
	if m.given("rooms") {
		kind, err := m.kind()
		if err != nil {
			return err
		}
		change.Kind = &kind
	}
	if change == (outgoing.ServerChange{}) {
		return usagef("say what to change: --url, --description, --hint, --rooms or --guests")
	}
	if change.URL != nil { // who names an address stands for it
		if by, err = m.standing(ctx); err != nil {
			return err
		}
	}
	c, err := m.service.ChangeServerCommand(ctx, by, name, change)
	if err == nil {
		_, err = fmt.Fprintf(m.stdout, "/%s: %s\n", c.Name, hookState(c.Off, "last failed ", c.FailedAt, c.Failure))
	}
	return err
}

func (m *serverCommands) list(ctx context.Context) error {
	found, err := m.service.ServerCommands(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(m.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROOMS\tGUESTS\tBY\tHOST\tLAST USED\tSTATE")
	for _, c := range found {
		rooms, guests, used := "all", "no", "never"
		if c.Kind != "" {
			rooms = string(c.Kind)
		}
		if c.Guests {
			guests = "yes"
		}
		if !c.UsedAt.IsZero() {
			used = c.UsedAt.Format(time.RFC3339)
		}
		fmt.Fprintf(w, "/%s\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, rooms, guests, c.CreatedBy.Username, hostIn(c.URL), used,
			hookState(c.Off, "last failed ", c.FailedAt, c.Failure))
	}
	return w.Flush()
}
