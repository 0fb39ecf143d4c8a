package devices_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// All keys of a group, or of those whose firmware is of a product, end together, and only if as many devices have some
// as whoever does it has seen.
func TestKeysOfManyDevicesEndTogether(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		ann, bob, now := testkit.UserID(1), testkit.UserID(0), time.Now().Truncate(time.Second)
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		ids := make([]string, 4)
		for n := range ids {
			ids[n] = mustDevice(t, db, ann, n, now)
		}
		theirs := mustDevice(t, db, bob, 9, now)
		second := domain.DeviceKey{ID: "second", Device: ids[0], CreatedAt: now}
		secret := domain.DeviceSecret{Hash: []byte("h")}
		_, err := db.Devices.RotateDeviceKey(ctx, ann, second, secret, now.Add(time.Hour), now)
		must(err)
		_, err = db.Groups.PutGroup(ctx, domain.DeviceGroup{Owner: ann, Name: "pumps"}, ids[:2], now)
		must(err)
		for _, id := range []string{ids[2], theirs} {
			owner := map[bool]string{true: bob, false: ann}[id == theirs]
			_, err = db.Rollouts.Report(ctx, owner, id, domain.FirmwareReport{Product: "tank"},
				testkit.NoRollouts{}, now)
			must(err)
		}
		group, product := domain.DeviceQuery{Owner: ann, Group: "pumps"}, domain.DeviceQuery{Owner: ann, Product: "tank"}
		counts := func(q domain.DeviceQuery, want domain.KeyTally) {
			t.Helper()
			if got, err := db.Devices.CountKeys(ctx, q, now); got != want || err != nil {
				t.Errorf("it has %+v, %v", got, err)
			}
		}
		counts(group, domain.KeyTally{Devices: 2, Keys: 3})
		if _, _, err := db.Devices.RevokeKeys(ctx, group, 3, "revoked", now); domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("with another number of devices: %v", err)
		}
		counts(group, domain.KeyTally{Devices: 2, Keys: 3})
		for q, want := range map[domain.DeviceQuery][]string{group: ids[:2], product: ids[2:3]} {
			n, ended, err := db.Devices.RevokeKeys(ctx, q, len(want), "revoked", now)
			if err != nil || n.Devices != len(want) || !slices.Equal(ended, want) {
				t.Errorf("%+v of %v, %v", n, ended, err)
			}
			counts(q, domain.KeyTally{})
		}
		for _, id := range append(ids[:3:3], theirs, ids[3]) {
			d, err := db.Devices.DeviceByID(ctx, id)
			must(err)
			live := slices.ContainsFunc(d.Keys, func(k domain.DeviceKey) bool { return !k.Ended(now) })
			if live != (id == theirs || id == ids[3]) || d.Ended(now) {
				t.Errorf("%s has a key that is good: %t; it has ended: %t", id, live, d.Ended(now))
			}
		}
	})
}
