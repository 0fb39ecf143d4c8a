package accounts_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What a status said is kept nowhere once it has ended; its mode, and a status that
// holds, stay.
func TestTheTextOfAnEndedStatusGoes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now().UTC().Truncate(time.Millisecond)
		testkit.Room(t, db, 3)
		set := func(user int, s domain.Status) string {
			t.Helper()
			id := testkit.UserID(user)
			if _, err := db.Accounts.SetStatus(t.Context(), id, s); err != nil {
				t.Fatal(err)
			}
			return id
		}
		holds := domain.Status{Text: "on leave", Emoji: "🌴", Expires: now.Add(time.Hour)}
		good := domain.Status{Text: "for good"}
		want := map[string]domain.Status{
			set(0, domain.Status{Mode: "dnd", Text: "lunch", Emoji: "🍜", Expires: now.Add(-time.Hour)}): {Mode: "dnd"},
			set(1, holds): holds,
			set(2, good):  good,
		}
		if err := db.Sessions.ForgetExpired(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		for id, s := range want {
			us, err := db.Accounts.UsersByID(t.Context(), []string{id})
			if err != nil || len(us) != 1 {
				t.Fatal(us, err)
			}
			got := us[0].Status
			got.Expires = got.Expires.UTC()
			if got != s {
				t.Errorf("%s has %+v, want %+v", id, got, s)
			}
		}
	})
}
