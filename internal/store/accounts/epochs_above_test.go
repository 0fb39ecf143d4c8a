package accounts_test

import (
	"maps"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestEpochsAbove(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		ctx := t.Context()
		first, err := db.Sessions.EpochsAbove(ctx,
			map[string]int64{testkit.UserID(0): -1, testkit.UserID(1): -1, "usr_nobody": -1})
		if err != nil || len(first) != 3 || first["usr_nobody"] != domain.NoEpoch {
			t.Fatalf("at first: %v, %v", first, err)
		}
		delete(first, "usr_nobody")
		if again, err := db.Sessions.EpochsAbove(ctx, first); err != nil || len(again) != 0 {
			t.Errorf("nothing happened: %v, %v", again, err)
		}
		if _, err := db.Accounts.SetUserDisabled(ctx, testkit.UserID(1), true, time.Now()); err != nil {
			t.Fatal(err)
		}
		want := map[string]int64{testkit.UserID(1): first[testkit.UserID(1)] + 1}
		if risen, err := db.Sessions.EpochsAbove(ctx, first); err != nil || !maps.Equal(risen, want) {
			t.Errorf("after the change: %v, %v; want %v", risen, err, want)
		}
	})
}
