package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/usergroup"
)

const userGroupText = `user-group <action> [flags] [arguments]

Manages groups of people, whom messages mention together by the group's handle, as
@backend. It needs access to the data folder instead of a sign-in, and may be used
while the server runs. Every change is recorded in the audit log.

  user-group list                      list all groups
  user-group show <handle>             list who is in a group
  user-group create <handle>           make a group without people (--name)
  user-group rename <handle> <handle>  give a group another handle
  user-group add <handle> <user>       add somebody to a group
  user-group remove <handle> <user>    remove somebody from a group
  user-group delete <handle>           delete a group; messages stay as they are
`

func userGroupCommand() command {
	return command{"user-group", "create, list and change groups of people to mention", manageUserGroups}
}

func manageUserGroups(ctx context.Context, e *env, args []string) error {
	fs := e.flags("user-group", userGroupText)
	name := fs.String("name", "", "create: name that people see; empty: the handle")
	flags := config.NewFlags(fs, storeFlags()...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	handle, member := []string{"<handle>"}, []string{"<handle>", "<user>"}
	if err := checkAction("user-group", []action{{name: "list"}, {name: "show", names: handle},
		{name: "create", names: handle}, {name: "rename", names: []string{"<handle>", "<handle>"}},
		{name: "add", names: member}, {name: "remove", names: member}, {name: "delete", names: handle}}, words); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	db, audit, err := e.auditLog(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	g := &userGroups{e, db, usergroup.New(usergroup.Deps{Store: db.UserGroups, Audit: audit,
		Log: obs.NewLogger(e.stderr, "warn", c.Log.Format)})}
	return g.act(ctx, *name, words)
}

// userGroups changes groups of a database, as the operator of the server.
type userGroups struct {
	*env
	db     *all.Store
	groups *usergroup.Service
}

func (g *userGroups) act(ctx context.Context, name string, words []string) (err error) {
	by := usergroup.By{AuditActor: domain.AuditActor{Kind: domain.ActorOperator}}
	switch words[0] {
	case "list":
		return g.list(ctx)
	case "create":
		_, err = g.groups.Create(ctx, by, words[1], name, nil)
	case "rename":
		_, err = g.groups.Change(ctx, by, words[1], &words[2], nil)
		words[1] = words[2]
	case "delete":
		if err = g.groups.Delete(ctx, by, words[1]); err == nil {
			_, err = fmt.Fprintf(g.stdout, "Deleted: %s\n", words[1])
		}
		return err
	case "add", "remove":
		var u domain.User
		if u, err = g.db.Accounts.UserByUsername(ctx, words[2]); err != nil {
			return err
		}
		if words[0] == "add" {
			err = g.groups.Add(ctx, by, words[1], []string{u.ID})
		} else {
			err = g.groups.Remove(ctx, by, words[1], u.ID)
		}
	}
	if err != nil {
		return err
	}
	return g.show(ctx, words[1])
}

func (g *userGroups) list(ctx context.Context) error {
	all, err := g.groups.List(ctx, domain.Principal{})
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(g.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "HANDLE\tNAME\tPEOPLE")
	for _, group := range all {
		fmt.Fprintf(w, "@%s\t%s\t%d\n", group.Handle, plain(group.Name), group.Size)
	}
	return w.Flush()
}

func (g *userGroups) show(ctx context.Context, handle string) error {
	group, members, err := g.groups.Group(ctx, domain.Principal{}, handle)
	if err != nil {
		return err
	}
	fmt.Fprintf(g.stdout, "@%s: %s, %d of at most %d people\n", group.Handle, plain(group.Name), group.Size,
		domain.MaxUserGroupSize)
	w := tabwriter.NewWriter(g.stdout, 0, 4, 2, ' ', 0)
	for _, m := range members {
		fmt.Fprintf(w, "%s\t%s\n", m.Username, plain(m.DisplayName))
	}
	return w.Flush()
}
