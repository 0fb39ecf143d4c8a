package devices_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What is desired of a device is its own over its groups over its template, as far as the device has declared it. Each
// change of that has the next version, and what changes nothing has none.
func TestDefaultsReachDevicesByVersions(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 1)
		ann := testkit.UserID(0)
		const id = "dev_00000000000000000000000001"
		can := domain.Capabilities{Settings: []domain.Arg{{Name: "interval", Kind: domain.NumberArg, Max: new(100.0)},
			{Name: "mode", Kind: domain.TextArg}}}
		from := domain.DeviceTemplate{Settings: map[string]any{"interval": 60.0, "mode": "eco", "other": true},
			Capabilities: &can}
		pump, err := domain.CheckDeviceTemplate(domain.NamedTemplate{Owner: ann, Name: "pump", DeviceTemplate: from})
		if err == nil {
			err = db.Templates.PutTemplate(ctx, pump, now)
		}
		if err != nil {
			t.Fatal(err)
		}
		d := domain.Device{ID: id, Owner: domain.UserRef{ID: ann}, Name: "Pump"}
		k, secret := domain.DeviceKey{ID: "key", Device: id}, domain.DeviceSecret{Hash: []byte{1}}
		if err := db.Devices.CreateDevice(ctx, d, k, secret, &pump, 0, now); err != nil {
			t.Fatal(err)
		}
		follow := func(what string, moved int, version int64, want map[string]any) {
			t.Helper()
			changed, err := db.Settings.FollowDefaults(ctx, now)
			if err != nil || len(changed) != moved {
				t.Fatalf("%s: %+v, %v", what, changed, err)
			}
			s, err := db.Settings.Shadow(ctx, id)
			if err != nil || s.Version != version || !reflect.DeepEqual(s.Desired, want) {
				t.Errorf("%s: %+v, %v", what, s, err)
			}
		}
		group := func(change map[string]any) {
			t.Helper()
			if _, err := db.Groups.ChangeGroup(ctx, ann, "wet", nil, nil, change, now); err != nil {
				t.Fatal(err)
			}
		}
		follow("by the template", 1, 1, map[string]any{"interval": 60.0, "mode": "eco"})
		follow("again", 0, 1, map[string]any{"interval": 60.0, "mode": "eco"})
		wet := domain.DeviceGroup{Owner: ann, Name: "wet", Settings: map[string]any{"interval": 30.0}}
		if _, err := db.Groups.PutGroup(ctx, wet, []string{id}, now); err != nil {
			t.Fatal(err)
		}
		follow("by the group", 1, 2, map[string]any{"interval": 30.0, "mode": "eco"})
		if _, err := db.Settings.Desire(ctx, id, map[string]any{"interval": 10.0}, nil, now); err != nil {
			t.Fatal(err)
		}
		follow("by itself", 0, 3, map[string]any{"interval": 10.0, "mode": "eco"})
		group(map[string]any{"interval": 20.0})
		follow("under its own", 0, 3, map[string]any{"interval": 10.0, "mode": "eco"})
		if _, err := db.Settings.Desire(ctx, id, map[string]any{"interval": nil}, nil, now); err != nil {
			t.Fatal(err)
		}
		follow("taken back", 0, 4, map[string]any{"interval": 20.0, "mode": "eco"})
		group(map[string]any{"interval": 1000.0})
		follow("what does not fit", 1, 5, map[string]any{"mode": "eco"})
		pump.Settings = map[string]any{"mode": "full"}
		if err := db.Templates.PutTemplate(ctx, pump, now); err != nil {
			t.Fatal(err)
		}
		follow("by the template as it is now", 1, 6, map[string]any{"mode": "full"})
		if err := db.Templates.DeleteTemplate(ctx, ann, "pump"); err != nil {
			t.Fatal(err)
		}
		if err := db.Groups.DeleteGroup(ctx, ann, "wet"); err != nil {
			t.Fatal(err)
		}
		follow("without either", 1, 7, map[string]any{})
	})
}

// A device that has changed hands since its defaults were decided on gets none of its former owner's.
func TestDefaultsOfAFormerOwnerReachNoDevice(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		ctx, now := t.Context(), time.Now()
		testkit.Room(t, db, 2)
		ann, bob := testkit.UserID(0), testkit.UserID(1)
		d := domain.Device{ID: "dev_00000000000000000000000001", Owner: domain.UserRef{ID: ann}, Name: "Pump"}
		k, secret := domain.DeviceKey{ID: "key", Device: d.ID}, domain.DeviceSecret{Hash: []byte{1}}
		if err := db.Devices.CreateDevice(ctx, d, k, secret, nil, 0, now); err != nil {
			t.Fatal(err)
		}
		inherit := func(owner string) bool {
			t.Helper()
			_, moved, err := devices.Inherit(db.Settings, ctx, owner, d.ID, map[string]any{"interval": 60.0}, now)
			if err != nil {
				t.Fatal(err)
			}
			return moved
		}
		if _, err := db.Departure.Transfer(ctx, d.ID, bob, false, 0, now); err != nil {
			t.Fatal(err)
		}
		if inherit(ann) {
			t.Error("bob's device has ann's defaults")
		}
		if s, err := db.Settings.Shadow(ctx, d.ID); err != nil || len(s.Desired)+len(s.Defaults) > 0 {
			t.Errorf("after that: %+v, %v", s, err)
		}
		if !inherit(bob) {
			t.Error("bob's device does not have bob's defaults")
		}
	})
}
