package devices_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// The devices of a deleted account are told, revoked ones too, and no others: what those have measured
// stays.
func TestTheDevicesOfDeletedAccountsAreTold(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now().Truncate(time.Second)
		testkit.Room(t, db, 3)
		gone, kept := testkit.UserID(1), testkit.UserID(2)
		erased := []string{mustDevice(t, db, gone, 1, now), mustDevice(t, db, gone, 2, now)}
		mustDevice(t, db, kept, 3, now)
		revoked := mustDevice(t, db, kept, 4, now)
		for _, id := range []string{erased[1], revoked} {
			if err := db.Devices.RevokeDevice(ctx, id, "lost", now); err != nil {
				t.Fatal(err)
			}
		}
		told := func(since time.Time) []string {
			t.Helper()
			ids, err := db.Devices.ErasedDevices(ctx, since)
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		if ids := told(time.Time{}); len(ids) != 0 {
			t.Errorf("before: %v", ids)
		}
		if err := db.Departure.DeleteUser(ctx, gone, now); err != nil {
			t.Fatal(err)
		}
		slices.Sort(erased)
		if ids := told(now); !slices.Equal(ids, erased) {
			t.Errorf("%v, want %v", ids, erased)
		}
		if ids := told(time.Time{}); !slices.Equal(ids, erased) {
			t.Errorf("at a start: %v, want %v", ids, erased)
		}
		if ids := told(now.Add(time.Second)); len(ids) != 0 {
			t.Errorf("told already: %v", ids)
		}
	})
}
