package devices_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func TestMembersSeeTheDevicesInTheirRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		room := testkit.Room(t, db, 2)
		owner, stranger := testkit.UserID(0), testkit.UserID(7)
		now := time.Now().Truncate(time.Second)
		var ids []string
		for n := range 3 {
			ids = append(ids, mustDevice(t, db, owner, n, now))
			if _, err := db.Rooms.AddMember(t.Context(), owner, room, ids[n], now); err != nil {
				t.Fatal(err)
			}
		}
		mustDevice(t, db, owner, 9, now) // in no room
		said := domain.Capabilities{Model: "Node", Actuators: []domain.Actuator{{Name: "fan"}}}
		if _, err := db.Devices.Describe(t.Context(), ids[1], said, now); err != nil {
			t.Fatal(err)
		}
		if err := db.Devices.RevokeDevice(t.Context(), ids[2], "lost", now); err != nil {
			t.Fatal(err)
		}
		list := func(after string, limit int) []domain.DescribedDevice {
			t.Helper()
			found, err := db.Devices.RoomDevices(t.Context(), testkit.UserID(1), room, after, limit, now)
			if err != nil {
				t.Fatal(err)
			}
			return found
		}
		all := list("", 10)
		got := make([]string, len(all))
		for i, d := range all {
			got[i] = d.ID
		}
		if !slices.Equal(got, ids[:2]) || len(all[0].Keys) != 0 || all[0].Owner.ID != owner {
			t.Fatalf("the room has %+v, want %v", all, ids[:2])
		}
		if !all[0].DescribedAt.IsZero() || !all[1].DescribedAt.Equal(now) ||
			all[1].Capabilities.Model != "Node" || len(all[1].Capabilities.Actuators) != 1 {
			t.Errorf("they say %+v", all)
		}
		own, err := db.Devices.Devices(t.Context(), owner, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		described, err := db.Devices.Described(t.Context(), own)
		if err != nil || len(described) != 4 || described[1].Capabilities.Model != "Node" || described[3].ID != own[3].ID {
			t.Errorf("the owner has %+v, %v", described, err)
		}
		if page := list(ids[0], 1); len(page) != 1 || page[0].ID != ids[1] {
			t.Errorf("the second page is %+v", page)
		}
		_, err = db.Devices.RoomDevices(t.Context(), stranger, room, "", 10, now)
		if domain.CodeOf(err) != domain.CodeNoRoom {
			t.Errorf("a stranger was told %v", err)
		}
	})
}
