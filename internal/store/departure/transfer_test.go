package departure_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// register makes a device of the first user.
func register(t *testing.T, db *all.Store, id string, access domain.DeviceAccess, now time.Time) {
	t.Helper()
	d := domain.Device{ID: id, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: "Pump", Access: access}
	err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: "key" + id, Device: id},
		domain.DeviceSecret{Hash: []byte(id)}, nil, 0, now)
	if err != nil {
		t.Fatal(err)
	}
}

func ownerOf(t *testing.T, db *all.Store, id string) string {
	t.Helper()
	d, err := db.Devices.DeviceByID(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return d.Owner.ID
}

// Of an acceptance and a withdrawal at the same time one wins, and the other is told.
func TestAnOfferIsAnsweredOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		for i := range 6 {
			id := "dev_0000000000000000000000000" + string(rune('1'+i))
			register(t, db, id, "", now)
			if _, _, err := db.Transfers.Offer(ctx, ann, id, bob, now); err != nil {
				t.Fatal(err)
			}
			errs := make([]error, 3)
			var wg sync.WaitGroup
			for j := range 2 {
				wg.Go(func() { _, errs[j] = db.Departure.Transfer(ctx, id, bob, true, 0, now) })
			}
			wg.Go(func() { _, errs[2] = db.Transfers.EndOffer(ctx, id, ann, now) })
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if domain.CodeOf(err) != domain.CodeNoTransfer && domain.CodeOf(err) != domain.CodeNoDevice {
					t.Error(err)
				}
			}
			want := bob
			if errs[2] == nil {
				want = ann
			}
			if won != 1 || ownerOf(t, db, id) != want {
				t.Errorf("%v: it is %s's", errs, ownerOf(t, db, id))
			}
		}
	})
}

// A device whose owner deletes their account while it is accepted is revoked with it, or goes on with its new owner.
func TestATransferAndADeletionExcludeEachOther(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		room := testkit.Room(t, db, 3)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		id := "dev_00000000000000000000000001"
		register(t, db, id, "", now)
		if _, err := db.Rooms.AddMember(ctx, ann, room, id, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Rooms.TransferOwnership(ctx, ann, room, bob, now); err != nil {
			t.Fatal(err)
		}
		if _, _, err := db.Transfers.Offer(ctx, ann, id, bob, now); err != nil {
			t.Fatal(err)
		}
		var deleted, accepted error
		var wg sync.WaitGroup
		wg.Go(func() { deleted = db.Departure.DeleteUser(ctx, ann, now) })
		wg.Go(func() { _, accepted = db.Departure.Transfer(ctx, id, bob, true, 0, now) })
		wg.Wait()
		if deleted != nil {
			t.Fatal(deleted)
		}
		d, err := db.Devices.DeviceByID(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		if accepted == nil != (d.RevokedAt.IsZero() && d.Owner.ID == bob && len(d.Keys) == 1 && d.Name == "Pump") {
			t.Errorf("accepted: %v; it is %+v", accepted, d)
		}
		if err := db.Log.Check(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Nobody has more offers to answer than a list shows. One that is made anew is not one more.
func TestOffersAreBounded(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t)) // the bound is no matter of the database
	ctx, now := t.Context(), time.Now()
	testkit.Room(t, db, 2)
	ann, bob := testkit.UserID(0), testkit.UserID(1)
	offer := func(i int) error {
		id := fmt.Sprintf("dev_%026d", i)
		register(t, db, id, "", now)
		_, _, err := db.Transfers.Offer(ctx, ann, id, bob, now)
		return err
	}
	for i := range domain.MaxTransfers {
		if err := offer(i); err != nil {
			t.Fatalf("offer %d: %v", i+1, err)
		}
	}
	if err := offer(domain.MaxTransfers); domain.CodeOf(err) != domain.CodeTooManyRequests {
		t.Errorf("one too many: %v", err)
	}
	if _, _, err := db.Transfers.Offer(ctx, ann, fmt.Sprintf("dev_%026d", 0), bob, now); err != nil {
		t.Errorf("one of them anew: %v", err)
	}
}

// Who has as many devices as one may cannot accept another, and an offer that has expired is none.
func TestATransferKeepsToItsLimits(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		for _, id := range []string{"dev_00000000000000000000000001", "dev_00000000000000000000000002"} {
			register(t, db, id, "", now)
			if _, _, err := db.Transfers.Offer(ctx, ann, id, bob, now); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := db.Departure.Transfer(ctx, "dev_00000000000000000000000001", bob, true, 1, now); err != nil {
			t.Fatal(err)
		}
		_, err := db.Departure.Transfer(ctx, "dev_00000000000000000000000002", bob, true, 1, now)
		if domain.CodeOf(err) != domain.CodeTooManyDevices {
			t.Errorf("one too many: %v", err)
		}
		late := now.Add(domain.TransferExpiry + time.Second)
		_, err = db.Departure.Transfer(ctx, "dev_00000000000000000000000002", bob, true, 0, late)
		if domain.CodeOf(err) != domain.CodeNoTransfer {
			t.Errorf("too late: %v", err)
		}
	})
}

// A bridge takes the devices along that it speaks for; these do not go alone, and a controller does not go at all.
func TestABridgeChangesHandsWithItsDevices(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		const bridge, child, controller = "dev_00000000000000000000000001", "dev_00000000000000000000000002",
			"dev_00000000000000000000000003"
		register(t, db, bridge, domain.AccessBridge, now)
		register(t, db, controller, domain.AccessController, now)
		d := domain.Device{ID: child, Bridge: bridge, Name: "Lamp"}
		if _, _, err := db.Devices.AdoptChild(ctx, d, "0x01", 10, now); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{child, controller} {
			if _, _, err := db.Transfers.Offer(ctx, ann, id, bob, now); domain.KindOf(err) != domain.Invalid {
				t.Errorf("%s: %v", id, err)
			}
		}
		if _, err := db.Departure.Transfer(ctx, bridge, bob, false, 0, now); err != nil {
			t.Fatal(err)
		}
		if ownerOf(t, db, bridge) != bob || ownerOf(t, db, child) != bob {
			t.Error("they are not together")
		}
	})
}

// What is desired of the settings is taken back by the next version, which the device is told.
func TestSettingsAreTakenBackWithTheOwner(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		id := "dev_00000000000000000000000001"
		register(t, db, id, "", now)
		if _, err := db.Settings.Desire(ctx, id, map[string]any{"wifi": "secret"}, nil, now); err != nil {
			t.Fatal(err)
		}
		rep := domain.SettingsReport{Version: 1, Values: map[string]any{"wifi": "secret"}}
		if _, err := db.Settings.ReportSettings(ctx, id, rep, now); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Transfer(ctx, id, testkit.UserID(1), false, 0, now); err != nil {
			t.Fatal(err)
		}
		s, err := db.Settings.Shadow(ctx, id)
		if err != nil || s.Version != 2 || s.Applied != 1 || len(s.Desired)+len(s.Reported) != 0 {
			t.Errorf("%+v, %v", s, err)
		}
		if open, err := db.Settings.OpenSettings(ctx, now.Add(-time.Minute), 10); err != nil || len(open) != 1 {
			t.Errorf("%v are told, %v", open, err)
		}
	})
}

// What the former owner's rollouts have under way with a device ends: they hear no more of it.
func TestUpdatesEndWithTheOwner(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		const id = "dev_00000000000000000000000001"
		register(t, db, id, "", now)
		err := db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			for _, state := range []domain.UpdateState{domain.UpdateDownloading, domain.UpdateInstalling} {
				rollout := "rol_" + string(state)
				_, err := t.ExecContext(ctx, `INSERT INTO rollouts (id, product_id, product, owner_id, release_id, code, version,
					room_id, line, plan, note, salt, reverts, state, stage, devices, stage_at, soak_at, forgiven_at, pause, scanned,
					idle, room, created_by, created_at, approved_by, started_at, judged_at, revision)
					VALUES ($2, 'prd_1', 'pump', $1, 'rel_1', 1, '1.0', '', 0, '{}', '', '', '', 'running', 0, 1, 0, 0, 0, '{}', '',
					FALSE, 1, $1, 0, '', 0, 0, 0)`, testkit.UserID(0), rollout)
				if err != nil {
					return err
				}
				_, err = t.ExecContext(ctx, `INSERT INTO rollout_updates (id, rollout_id, device_id, state, stage, chip, revision,
					image, why, excluded, offered_at, ended_at, changed_at, due_at, crashes_before, ran_before, data)
					VALUES ($1, $5, $2, $3, 0, '', 0, '', '', FALSE, 0, 0, 0, 1, 0, 0, $4)`, "upd_"+string(state), id, state,
					`{"ID":"upd_`+string(state)+`","Rollout":"`+rollout+`","Device":"`+id+`"}`, rollout)
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Departure.Transfer(ctx, id, testkit.UserID(1), false, 0, now); err != nil {
			t.Fatal(err)
		}
		for was, want := range map[domain.UpdateState]domain.UpdateState{
			domain.UpdateDownloading: domain.UpdateCanceled, domain.UpdateInstalling: domain.UpdateCanceled,
		} {
			if u, err := db.Rollouts.Update(ctx, "upd_"+string(was)); err != nil || u.State != want {
				t.Errorf("one that was %s is %s, %v", was, u.State, err)
			}
		}
	})
}
