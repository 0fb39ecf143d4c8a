package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/guest"
	"github.com/unhidra/unhidra/internal/obs"
)

// guestAction does what is about guests and invitations.
func (e *env) guestAction(ctx context.Context, c config.Config, f userFlags, words []string) error {
	log := obs.NewLogger(e.stderr, "warn", c.Log.Format)
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: log, Tool: true})
	if err != nil {
		return err
	}
	defer db.Close()
	keys, err := app.Keyring(c)
	if err != nil {
		return err
	}
	o := guest.Operator{Users: db.Accounts, Guests: db.Guests, Hash: keys.Hash, URL: c.URL(),
		Audit: syncRecorder{app.Audit(db, keys), log}}
	if words[0] == "invite" {
		rooms := strings.FieldsFunc(f.rooms, func(r rune) bool { return r == ',' || r == ' ' })
		i := domain.SignupInvite{Note: f.note, MaxUses: 1, Rooms: rooms}
		if f.guest {
			i.GuestDays = f.days
		}
		link, err := o.Invite(ctx, words[1], i)
		if err == nil {
			_, err = fmt.Fprintln(e.stdout, link)
		}
		return err
	}
	until := time.Now().AddDate(0, 0, f.days)
	if f.end {
		until = time.Now()
	}
	u, err := o.Set(ctx, words[1], until)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s: %s, %s\n", u.Username, u.Role, state(u))
	return err
}
