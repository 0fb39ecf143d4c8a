package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/clocktest"
)

func TestAnInvitationToTheServerEndsAtItsTime(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		clocktest.Each(t, func(t *testing.T, at time.Time) {
			i := domain.SignupInvite{ID: domain.NewID(domain.SignupPrefix), CreatedAt: at.Add(-24 * time.Hour), Expires: at,
				MaxUses: 1}
			if err := db.Accounts.CreateSignupInvite(t.Context(), i, []byte(i.ID)); err != nil {
				t.Fatal(err)
			}
			listed := func(now time.Time) bool {
				is, err := db.Accounts.SignupInvites(t.Context(), now)
				if err != nil {
					t.Fatal(err)
				}
				for _, found := range is {
					if found.ID == i.ID {
						return found.Expires.Equal(at)
					}
				}
				return false
			}
			if !listed(at.Add(-time.Millisecond)) || listed(at) {
				t.Error("listed until another time")
			}
			id := domain.NewID(domain.UserPrefix)
			u := domain.User{ID: id, Kind: domain.KindUser, Role: domain.SystemUser, Username: strings.ToLower(id),
				DisplayName: "Ann"}
			use := domain.Signup{Invite: []byte(i.ID)}
			if err := db.Accounts.CreateUser(t.Context(), u, "", use, at); domain.CodeOf(err) != domain.CodeInviteEnded {
				t.Errorf("used at its end: %v", err)
			}
			if err := db.Accounts.CreateUser(t.Context(), u, "", use, at.Add(-time.Millisecond)); err != nil {
				t.Errorf("used a moment before: %v", err)
			}
		})
	})
}

func TestFailuresCountForAWindow(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		clocktest.Each(t, func(t *testing.T, at time.Time) {
			c := counter(t.Name())
			if _, err := db.Sessions.Reserve(t.Context(), []domain.Counter{c}, at); err != nil {
				t.Fatal(err)
			}
			for after, want := range map[time.Duration]int{0: 1, c.Window: 1, c.Window + time.Millisecond: 0} {
				n, err := db.Sessions.Failures(t.Context(), []domain.Counter{c}, at.Add(after))
				if err != nil || n != want {
					t.Errorf("after %v: %d failures, want %d; %v", after, n, want, err)
				}
			}
		})
	})
}
