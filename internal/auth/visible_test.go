package auth

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestWhoSeesWhichAccounts(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ann, bob := f.who(t, f.join(t, "ann")), f.who(t, f.join(t, "bob"))
		for _, u := range []domain.User{
			{ID: "usr_pending", Username: "pending", Pending: true},
			{ID: "usr_stranger", Username: "stranger"},
			{ID: "usr_colleague", Username: "colleague"},
		} {
			u.Kind, u.CreatedAt, u.Role = domain.KindUser, f.clock, domain.SystemUser
			if err := f.db.Accounts.CreateUser(ctx, u, "", domain.Signup{}, f.clock); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := f.db.Rooms.CreateRoom(ctx, ann.ID,
			domain.NewRoom{Kind: domain.PrivateRoom, Name: "Yard", Members: []string{"usr_colleague"}}, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"usr_stranger", "usr_colleague"} {
			if _, err := f.db.Accounts.SetUserDisabled(ctx, id, true, f.clock); err != nil {
				t.Fatal(err)
			}
		}
		all := []string{"usr_pending", "usr_stranger", "usr_colleague", bob.ID}
		admin := bob
		admin.Role = domain.SystemAdmin
		for _, c := range []struct {
			who  domain.Principal
			sees int
		}{{ann, 2}, {bob, 1}, {admin, 3}} {
			users, err := f.db.Accounts.UsersByID(ctx, all)
			if err != nil {
				t.Fatal(err)
			}
			seen, err := f.visible(ctx, c.who, users)
			if err != nil || len(seen) != c.sees {
				t.Errorf("%s (%s) sees %v, %v; want %d", c.who.ID, c.who.Role, seen, err, c.sees)
			}
		}
	})
}
