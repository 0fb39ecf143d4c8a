package departure_test

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// lent makes a product of user 1, and has a device of user 0 join it.
func lent(t *testing.T, db *all.Store, device string, now time.Time) {
	t.Helper()
	ctx, code := t.Context(), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	p := domain.Product{ID: "prd_1", Owner: domain.UserRef{ID: testkit.UserID(1)}, Name: "pump"}
	err := db.Products.CreateProduct(ctx, p, now)
	if err == nil {
		err = db.Products.ShareProduct(ctx, p.Owner.ID, p.ID, domain.ProductSharing{Code: &code})
	}
	if err != nil {
		t.Fatal(err)
	}
	register(t, db, device, "", now)
	j := domain.FirmwareJoin{Device: device, By: testkit.UserID(0)}
	if _, err := db.Rollouts.Join(ctx, j, code, now); err != nil {
		t.Fatal(err)
	}
	f := domain.FirmwareReport{Product: p.Name, SHA256: "1"}
	if _, err := db.Rollouts.Report(ctx, p.Owner.ID, device, f, testkit.NoRollouts{}, now); err != nil {
		t.Fatal(err)
	}
	publisher(t, db, device, p.Owner.ID)
}

func publisher(t *testing.T, db *all.Store, device, want string) {
	t.Helper()
	got, err := db.Rollouts.Publisher(t.Context(), device, "pump")
	if err != nil || got != want {
		t.Errorf("its firmware comes from %s, and not %s: %v", got, want, err)
	}
	d, _, err := db.Rollouts.Firmware(t.Context(), device)
	if err != nil || d.Device != "" && d.Publisher() != want {
		t.Errorf("its firmware comes from %s, and not %s: %v", d.Publisher(), want, err)
	}
}

const pump = "dev_00000000000000000000000001"

// A device that changes hands takes the firmware of nobody whom its new owner has not said yes to.
func TestAJoinEndsWithTheOwner(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 3)
		lent(t, db, pump, now)
		to := testkit.UserID(2)
		if _, err := db.Departure.Transfer(ctx, pump, to, false, 0, now); err != nil {
			t.Fatal(err)
		}
		publisher(t, db, pump, to)
		if _, err := db.Rollouts.JoinOf(ctx, pump); domain.CodeOf(err) != domain.CodeNotJoined {
			t.Errorf("it has joined: %v", err)
		}
		if _, err := db.Departure.Transfer(ctx, pump, testkit.UserID(0), false, 0, now); err != nil {
			t.Fatal(err)
		}
		publisher(t, db, pump, testkit.UserID(0)) // not even when it comes back
	})
}

// Of the publisher's account nothing stays that could reach a device, and of the device owner's account nothing that
// the publisher could see.
func TestAJoinEndsWithAnAccount(t *testing.T) {
	t.Parallel()
	for name, who := range map[string]int{"the publisher": 1, "the owner of the device": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachStore(t, func(t *testing.T, db *all.Store) {
				ctx, now := t.Context(), time.Now()
				room := testkit.Room(t, db, 3)
				lent(t, db, pump, now)
				if who == 0 { // whose room it is
					if _, err := db.Rooms.TransferOwnership(ctx, testkit.UserID(0), room, testkit.UserID(2), now); err != nil {
						t.Fatal(err)
					}
				}
				if err := db.Departure.DeleteUser(ctx, testkit.UserID(who), now); err != nil {
					t.Fatal(err)
				}
				publisher(t, db, pump, testkit.UserID(0))
				groups, err := db.Rollouts.FleetGroups(ctx, testkit.UserID(1), "pump", 10)
				if err != nil || len(groups) != 0 {
					t.Errorf("who publishes sees %+v, %v", groups, err)
				}
				if _, known, err := db.Rollouts.Firmware(ctx, pump); err != nil || known != (who == 1) {
					t.Errorf("what it ran is known: %v, %v", known, err)
				}
			})
		})
	}
}
