package device

import (
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A new device begins with what its template has; what is said of it itself goes before that, and a
// device that is there already is left as it is.
func TestDevicesBeginWithATemplate(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		s, _ := open(t, db)
		ctx, ann := t.Context(), idOf(t, db, "ann")
		n, err := domain.CheckDeviceTemplate(domain.NamedTemplate{Owner: ann, Name: "pump",
			DeviceTemplate: domain.DeviceTemplate{
				Type: "pump", Tags: []string{"wet", "cellar"}, Groups: []string{"new", "pumps", "new"},
				Capabilities: &domain.Capabilities{Model: "P-1", Actuators: []domain.Actuator{{Name: "run"}}},
			}})
		if err == nil {
			err = db.Templates.PutTemplate(ctx, n, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
		by := domain.DeviceGroup{Owner: ann, Name: "pumps", Rule: &domain.GroupRule{Type: "pump"}}
		if _, err := db.Groups.PutGroup(ctx, by, nil, time.Now()); err != nil {
			t.Fatal(err)
		}
		one, err := s.Register(ctx, ann, Registration{Name: "One", Template: "pump"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Register(ctx, ann, Registration{Name: "X", Template: "fan"}); domain.CodeOf(
			err) != domain.CodeInvalidField {
			t.Errorf("a template that there is not: %v", err)
		}
		lines, _ := imported(t, s, ann, "name,type,template\nTwo,fan,pump\nOne,,pump\nThree,,fan\n", Import{})
		wantLines(t, lines, "2 created Two", "3 unchanged One", `4 failed Three: you have no template "fan"`)
		if d := one.Device; d.Type != "pump" || !slices.Equal(d.Tags, []string{"cellar", "wet"}) {
			t.Errorf("the first is %+v", d)
		}
		c, at, err := db.Devices.Capabilities(ctx, one.Device.ID)
		if err != nil || at.IsZero() || c.Model != "P-1" || len(c.Actuators) != 1 {
			t.Errorf("it can %+v since %v, %v", c, at, err)
		}
		for group, want := range map[string][]string{"new": {"One", "Two"}, "pumps": {"One"}} {
			found, err := db.Devices.FindDevices(ctx, domain.DeviceQuery{Owner: ann, Group: group}, "", 10, time.Now())
			var names []string
			for _, d := range found {
				names = append(names, d.Name)
			}
			slices.Sort(names)
			if err != nil || !slices.Equal(names, want) {
				t.Errorf("%s has %v, %v", group, names, err)
			}
		}
		// Like a device: all but its own serial number.
		if _, err := db.Devices.Describe(ctx, one.Device.ID, domain.Capabilities{Model: "P-2", Serial: "7"},
			time.Now()); err != nil {
			t.Fatal(err)
		}
		like, err := s.like(ctx, ann, one.Device.ID)
		if err != nil || like.Type != "pump" || !slices.Equal(like.Groups, []string{"new"}) ||
			like.Capabilities.Model != "P-2" || like.Capabilities.Serial != "" {
			t.Errorf("%+v, %v", like, err)
		}
		if _, err := s.like(ctx, user(t, db, "eve"), one.Device.ID); domain.CodeOf(err) != domain.CodeNoDevice {
			t.Errorf("like another's device: %v", err)
		}
		if err := db.Templates.DeleteTemplate(ctx, ann, "pump"); err != nil {
			t.Error(err)
		}
		if err := db.Templates.DeleteTemplate(ctx, ann, "pump"); domain.CodeOf(err) != domain.CodeNoTemplate {
			t.Errorf("deleted twice: %v", err)
		}
	})
}
