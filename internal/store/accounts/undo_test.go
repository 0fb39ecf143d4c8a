package accounts_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// TestAnUndoneChangeRemovesWhatWasAddedSince: since the change was begun, and nothing from
// before.
func TestAnUndoneChangeRemovesWhatWasAddedSince(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, began := t.Context(), time.Now()
		add := func(user, name string, at time.Time) {
			t.Helper()
			if err := db.Factors.AddPasskey(ctx, domain.Passkey{ID: name + user, User: user, Name: name,
				Credential: []byte("{}")}, 0, nil, at); err != nil {
				t.Fatal(err)
			}
			if err := db.Factors.LinkIdentity(ctx, domain.Identity{Issuer: "i", Subject: name + user, User: user, CreatedAt: at},
				0); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			user          string
			app           time.Duration // was added so long after the change was begun
			removed, left string
		}{
			{"usr_late", 2 * time.Second, "1 app, 2 codes, 2 passkeys, 2 identities", "own"},
			{"usr_early", -time.Second, "0 app, 0 codes, 2 passkeys, 2 identities", "own, app, 2 codes"},
		} {
			u := domain.User{ID: c.user, Kind: domain.KindUser, Username: c.user[4:], Email: c.user + "@example.org",
				Role: domain.SystemUser, CreatedAt: began}
			if err := db.Accounts.CreateUser(ctx, u, "record", domain.Signup{}, began); err != nil {
				t.Fatal(err)
			}
			codes := [][]byte{[]byte("1"), []byte("2")}
			add(c.user, "own", began.Add(-time.Minute))
			change := domain.Ticket{Kind: domain.EmailTicket, User: c.user, Data: "thief" + c.user,
				Expires: began.Add(time.Hour)}
			if err := db.Accounts.CreateTicket(ctx, []byte("change"+c.user), change, began); err != nil {
				t.Fatal(err)
			}
			add(c.user, "begun", began.Add(time.Second))
			confirmed := began.Add(time.Minute)
			if _, _, err := db.Accounts.ChangeEmail(ctx, []byte("change"+c.user), []byte("undo"+c.user),
				confirmed.Add(time.Hour), confirmed); err != nil {
				t.Fatal(err)
			}
			add(c.user, "late", confirmed.Add(time.Second))
			if err := db.Factors.TryTOTP(ctx, domain.TOTP{User: c.user, Seed: []byte("s"), Expires: confirmed}); err != nil {
				t.Fatal(err)
			}
			if err := db.Factors.ConfirmTOTP(ctx, c.user, 1, codes, began.Add(c.app)); err != nil {
				t.Fatal(err)
			}
			_, r, err := db.Accounts.UndoEmail(ctx, []byte("undo"+c.user), confirmed.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%d app, %d codes, %d passkeys, %d identities", r.TOTP, r.RecoveryCodes, r.Passkeys,
				r.Identities); got != c.removed {
				t.Errorf("%s: removed %s", c.user, got)
			}
			if got := waysIn(t, db, c.user); got != c.left {
				t.Errorf("%s: left are %s", c.user, got)
			}
		}
	})
}

// waysIn names what a user signs in with, beside the password.
func waysIn(t *testing.T, db *all.Store, user string) string {
	t.Helper()
	keys, err := db.Factors.Passkeys(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	identities, err := db.Factors.Identities(t.Context(), user)
	if err != nil || len(identities) != len(keys) {
		t.Fatal(identities, err)
	}
	var ways []string
	for _, k := range keys {
		ways = append(ways, k.Name)
	}
	f, err := db.Factors.Factors(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if f.TOTP {
		ways = append(ways, "app")
	}
	if f.RecoveryCodes > 0 {
		ways = append(ways, fmt.Sprint(f.RecoveryCodes, " codes"))
	}
	return strings.Join(ways, ", ")
}
