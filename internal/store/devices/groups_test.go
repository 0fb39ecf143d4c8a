package devices_test

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A group by hand has what was put into it, one by a rule what the rule says when somebody looks; none
// has devices of others, or that have ended.
func TestGroupsOfDevices(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		testkit.Room(t, db, 2)
		ann, bob, now := testkit.UserID(1), testkit.UserID(0), time.Now().Truncate(time.Second)
		ctx := t.Context()
		ids := make([]string, 3)
		for n := range ids {
			ids[n] = mustDevice(t, db, ann, n, now)
		}
		theirs := mustDevice(t, db, bob, 9, now)
		kind, tags := "pump", []string{"wet"}
		for _, id := range ids[:2] {
			_, err := db.Devices.ChangeDevice(ctx, ann, id, domain.DeviceChange{Type: &kind, Tags: &tags}, now)
			if err != nil {
				t.Fatal(err)
			}
		}
		put := func(name string, rule *domain.GroupRule, devices ...string) (domain.DeviceGroup, error) {
			return db.Groups.PutGroup(ctx, domain.DeviceGroup{Owner: ann, Name: name, Rule: rule}, devices, now)
		}
		in := func(name string, q domain.DeviceQuery, want ...string) {
			t.Helper()
			q.Owner, q.Group = ann, name
			found, err := db.Devices.FindDevices(ctx, q, "", 10, now)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]string, len(found))
			for i, d := range found {
				got[i] = d.ID
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s has %v, want %v", name, got, want)
			}
		}
		if g, err := put("some", nil, ids[0], ids[2], ids[0]); err != nil || g.Devices != 2 {
			t.Fatalf("%+v, %v", g, err)
		}
		if g, err := put("pumps", &domain.GroupRule{Type: "pump", Tag: "wet", State: domain.DeviceActive}); err != nil ||
			g.Devices != 2 {
			t.Fatalf("%+v, %v", g, err)
		}
		in("some", domain.DeviceQuery{}, ids[0], ids[2])
		in("some", domain.DeviceQuery{Type: "pump"}, ids[0])
		in("pumps", domain.DeviceQuery{}, ids[0], ids[1])
		in("pumps", domain.DeviceQuery{Text: "device 1"}, ids[1])

		if _, err := put("some", nil, theirs); domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("another's device in a group: %v", err)
		}
		in("some", domain.DeviceQuery{}, ids[0], ids[2]) // what was refused changed nothing
		g, err := db.Groups.ChangeGroup(ctx, ann, "some", ids[1:2], ids[:1], nil, now)
		if err != nil || g.Devices != 2 {
			t.Errorf("%+v, %v", g, err)
		}
		in("some", domain.DeviceQuery{}, ids[1], ids[2])
		_, err = db.Groups.ChangeGroup(ctx, ann, "pumps", ids, nil, nil, now)
		if domain.CodeOf(err) != domain.CodeGroupByRule {
			t.Errorf("by hand into a rule: %v", err)
		}
		if err := db.Devices.RevokeDevice(ctx, ids[1], "lost", now); err != nil {
			t.Fatal(err)
		}
		in("some", domain.DeviceQuery{}, ids[2])
		in("pumps", domain.DeviceQuery{}, ids[0])

		if err := db.Groups.DeleteGroup(ctx, bob, "some"); domain.CodeOf(err) != domain.CodeNoDeviceGroup {
			t.Errorf("deleted by another: %v", err)
		}
		if err := db.Groups.DeleteGroup(ctx, ann, "some"); err != nil {
			t.Error(err)
		}
		groups, err := db.Groups.Groups(ctx, ann, now)
		if err != nil || len(groups) != 1 || groups[0].Name != "pumps" || groups[0].Devices != 1 || *groups[0].Rule !=
			(domain.GroupRule{Type: "pump", Tag: "wet", State: domain.DeviceActive}) {
			t.Errorf("%+v, %v", groups, err)
		}
		_, err = db.Devices.FindDevices(ctx, domain.DeviceQuery{Owner: ann, Group: "some"}, "", 10, now)
		if domain.CodeOf(err) != domain.CodeNoDeviceGroup {
			t.Errorf("a group that is gone: %v", err)
		}
		if err := db.Departure.DeleteUser(ctx, ann, now); err != nil {
			t.Fatal(err)
		}
		if groups, err := db.Groups.Groups(ctx, ann, now); err != nil || len(groups) != 0 {
			t.Errorf("a deleted account has the groups %v, %v", groups, err)
		}
	})
}
