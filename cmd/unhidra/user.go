package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

const userText = `user <action> [flags] [arguments]

Manages accounts. It needs access to the data folder instead of a sign-in, and may
be used while the server runs; changes take effect within seconds.

  user create <name>            create an account (--admin, --display-name, --email)
  user list                     list all accounts
  user set-role <name> <role>   set the role: admin or user
  user disable <name>           block sign-in, and end all sessions
  user enable <name>            allow sign-in again
  user reset-password <name>    set a new password, and end all sessions
  user reset-factors <name>     remove all second factors, and end all sessions
  user end-sessions <name>      sign one user out everywhere
  user end-sessions --all       sign everyone out, and revoke the links in sent mails;
                                run it after pg_restore, which brings ended sessions back
  user guest <name>             make a guest for --days, extend that, or --end their access now;
                                set-role makes them a regular user again
  user invite <administrator>   print a link by which one person registers within a week, in the
                                name of an administrator; --guest: as a guest for --days, and
                                --rooms: in rooms of this administrator
  user import <file>            create accounts from a file; - reads standard input

An import file has one JSON object per line: {"username": "ann", "display_name":
"Ann", "email": "ann@example.org", "password_hash": "$2b$12$...", "admin": false}.
The hash may be bcrypt, scrypt, PBKDF2 or Argon2, as a PHC string or in Django's
format; it is replaced with a new one at the first sign-in. A line that cannot be
imported is reported and skipped.

The password is read from UNHIDRA_PASSWORD, or asked for; --generate creates a
strong one and prints it.
`

// userFlags are the flags of all actions. There is one flag set, so that flags can be at any
// position.
type userFlags struct {
	admin, generate    bool
	all                bool
	displayName, email string
	guest, end         bool
	days               int
	rooms, note        string
}

func userCommand() command {
	return command{"user", "create, list and change accounts", manageUsers}
}

func manageUsers(ctx context.Context, e *env, args []string) error {
	var f userFlags
	fs := e.flags("user", userText)
	fs.BoolVar(&f.admin, "admin", false, "create: make the account an administrator")
	fs.BoolVar(&f.generate, "generate", false, "create, reset-password: generate a password and print it")
	fs.BoolVar(&f.all, "all", false, "end-sessions: of all accounts")
	fs.StringVar(&f.displayName, "display-name", "", "create: name that others see")
	fs.StringVar(&f.email, "email", "", "create: e-mail address")
	fs.BoolVar(&f.guest, "guest", false, "invite: a guest")
	fs.BoolVar(&f.end, "end", false, "guest: end the access now")
	fs.IntVar(&f.days, "days", 30, "guest, invite --guest: `days` of access, 1 to 365")
	fs.StringVar(&f.rooms, "rooms", "", "invite: `ids` of rooms to add them to, separated by commas")
	fs.StringVar(&f.note, "note", "", "invite: whom it is for")
	flags := config.NewFlags(fs, storeFlags("password-min")...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	if err := knownAction(words, f.all); err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	if words[0] == "guest" || words[0] == "invite" {
		if f.days < 1 || f.days > domain.MaxGuestDays {
			return usagef("--days is 1 to %d", domain.MaxGuestDays)
		}
		return e.guestAction(ctx, c, f, words)
	}
	o, db, err := e.operator(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	return e.userAction(ctx, o, f, words)
}

// knownAction checks the arguments before anything is opened.
func knownAction(words []string, everybody bool) error {
	name := []string{"<name>"}
	ends := action{name: "end-sessions", names: name}
	if everybody {
		ends.names = nil
	}
	actions := []action{
		{name: "create", names: name}, {name: "list"}, {name: "set-role", names: []string{"<name>", "<role>"}},
		{name: "disable", names: name}, {name: "enable", names: name}, {name: "reset-password", names: name},
		{name: "reset-factors", names: name}, {name: "guest", names: name},
		{name: "invite", names: []string{"<administrator>"}}, ends, {name: "import", names: []string{"<file>"}},
	}
	if err := checkAction("user", actions, words); err != nil {
		return err
	}
	if words[0] == "set-role" && words[2] != string(domain.SystemAdmin) && words[2] != string(domain.SystemUser) {
		return usagef("unknown role %q; use admin or user; `user guest` makes a guest", words[2])
	}
	return nil
}

func (e *env) userAction(ctx context.Context, o *auth.Operator, f userFlags, words []string) (err error) {
	var u domain.User
	switch words[0] {
	case "list":
		return e.listUsers(ctx, o)
	case "import":
		return e.importUsers(ctx, o, words[1])
	case "create":
		role := domain.SystemUser
		if f.admin {
			role = domain.SystemAdmin
		}
		var password string
		if password, err = e.newPassword(f.generate); err != nil {
			return err
		}
		u, err = o.Create(ctx, auth.Registration{Username: words[1], DisplayName: f.displayName, Email: f.email,
			Password: password}, role)
	case "reset-password":
		var password string
		if password, err = e.newPassword(f.generate); err != nil {
			return err
		}
		u, err = o.ResetPassword(ctx, words[1], password)
	case "reset-factors":
		u, err = o.ResetFactors(ctx, words[1])
	case "end-sessions":
		if f.all {
			return e.endEverySession(ctx, o)
		}
		u, err = o.EndSessions(ctx, words[1])
	case "set-role":
		u, err = o.SetRole(ctx, words[1], domain.SystemRole(words[2]))
	case "disable", "enable":
		u, err = o.SetDisabled(ctx, words[1], words[0] == "disable")
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %s, %s\n", u.Username, u.Role, state(u))
	return err
}

func (e *env) endEverySession(ctx context.Context, o *auth.Operator) error {
	ended, err := o.EndAllSessions(ctx)
	if err == nil {
		_, err = fmt.Fprintf(e.stdout, "Sessions ended: %d. Everyone has to sign in again, and links in sent mails are "+
			"revoked.\n", ended)
	}
	return err
}

func (e *env) listUsers(ctx context.Context, o *auth.Operator) error {
	users, err := o.List(ctx)
	if err != nil {
		return err
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "USERNAME\tNAME\tROLE\tSTATE\tCREATED\tLAST SEEN")
	for _, u := range users {
		seen := "never"
		if !u.LastSeenAt.IsZero() {
			seen = u.LastSeenAt.Format(time.DateOnly)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Username, plain(u.DisplayName), u.Role, state(u),
			u.CreatedAt.Format(time.DateOnly), seen)
	}
	return w.Flush()
}

func state(u domain.User) string {
	if u.GuestEnded(time.Now()) {
		return "ended " + u.GuestUntil.Format(time.DateOnly)
	}
	if u.Disabled {
		return "disabled"
	}
	if u.Role == domain.SystemGuest {
		return "until " + u.GuestUntil.Format(time.DateOnly)
	}
	return "active"
}

// newPassword generates a password, or reads it from the environment or the terminal.
func (e *env) newPassword(generate bool) (string, error) {
	if generate {
		p := strings.ToLower(rand.Text()[:20])
		p = p[:5] + "-" + p[5:10] + "-" + p[10:15] + "-" + p[15:]
		_, err := fmt.Fprintf(e.stdout, "The password is %s\n", p)
		return p, err
	}
	if p, ok := e.getenv("UNHIDRA_PASSWORD"); ok && p != "" {
		return p, nil
	}
	p, err := askPassword(e, bufio.NewReader(e.stdin))
	if err == nil && p == "" {
		err = errors.New("no password given; enter one, set UNHIDRA_PASSWORD, or use --generate")
	}
	return p, err
}

// operator opens the accounts, whether a server is running or not.
func (e *env) operator(ctx context.Context, c config.Config) (*auth.Operator, *all.Store, error) {
	log := obs.NewLogger(e.stderr, "warn", c.Log.Format)
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: log, Tool: true})
	if err != nil {
		return nil, nil, err
	}
	keys, err := app.Keyring(c)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return &auth.Operator{Store: app.OperatorStore(db), Log: log, Audit: syncRecorder{app.Audit(db, keys), log},
		PasswordMin: c.PasswordMin}, db, nil
}
