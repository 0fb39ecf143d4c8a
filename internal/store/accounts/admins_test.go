package accounts_test

import (
	"context"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// TestOneAdministratorStays: two of them take each other away at the same moment,
// in every way that there is.
func TestOneAdministratorStays(t *testing.T) {
	t.Parallel()
	ways := map[string]func(context.Context, *all.Store, string) error{
		"role": func(ctx context.Context, db *all.Store, u string) error {
			_, err := db.Accounts.SetUserRole(ctx, u, domain.SystemUser)
			return err
		},
		"disable": func(ctx context.Context, db *all.Store, u string) error {
			_, err := db.Accounts.SetUserDisabled(ctx, u, true, time.Now())
			return err
		},
		"delete": func(ctx context.Context, db *all.Store, u string) error {
			return db.Departure.DeleteUser(ctx, u, time.Now())
		},
	}
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 8)
		ctx := t.Context()
		next := 1 // 0 owns the room, and cannot be deleted for that
		for name, away := range ways {
			a, b := testkit.UserID(next), testkit.UserID(next+1)
			next += 2
			for _, u := range []string{a, b} {
				if _, err := db.Accounts.SetUserRole(ctx, u, domain.SystemAdmin); err != nil {
					t.Fatal(err)
				}
			}
			errs := make(chan error, 2)
			for _, u := range []string{a, b} {
				go func() { errs <- away(ctx, db, u) }()
			}
			one, other := <-errs, <-errs
			if one != nil {
				one, other = other, one
			}
			if one != nil || domain.CodeOf(other) != domain.CodeLastAdmin {
				t.Errorf("%s: %v and %v; want one to be done, and one refused", name, one, other)
			}
			// Whoever is left makes room for the next two.
			if _, err := db.Accounts.SetUserRole(ctx, testkit.UserID(7), domain.SystemAdmin); err != nil {
				t.Fatal(err)
			}
			for _, u := range []string{a, b} {
				if _, err := db.Accounts.SetUserRole(ctx, u, domain.SystemUser); err != nil {
					t.Error(err)
				}
			}
			if err := away(ctx, db, testkit.UserID(7)); domain.CodeOf(err) != domain.CodeLastAdmin {
				t.Errorf("%s of the only one: %v", name, err)
			}
			if next < 6 {
				if _, err := db.Accounts.SetUserRole(ctx, testkit.UserID(next), domain.SystemAdmin); err != nil {
					t.Fatal(err)
				}
				if _, err := db.Accounts.SetUserRole(ctx, testkit.UserID(7), domain.SystemUser); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
