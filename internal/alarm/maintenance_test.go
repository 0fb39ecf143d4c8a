package alarm

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func (g *garden) maintained(t *testing.T, m domain.Maintenance) domain.Maintenance {
	t.Helper()
	m.Name = "New pump"
	m, err := g.AddMaintenance(t.Context(), owner, m)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What is raised in maintenance is posted at its end, if it is not over by then, and escalates from then on.
func TestMaintenanceHoldsAlarms(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0),
			Escalation: domain.Escalation{After: 10 * time.Minute, User: testkit.UserID(1)}})
		g.maintained(t, domain.Maintenance{From: g.now, To: g.now.Add(time.Hour),
			Scope: domain.DeviceScope{Device: greenhouse}})
		g.reads(t, time.Minute, 31)
		g.reads(t, time.Minute, 20)
		g.want(t, "what was over in time")
		g.reads(t, time.Minute, 31)
		if a := g.openAlarm(t); a.Maintenance != "New pump" || a.HeldUntil.IsZero() || a.Room != "" {
			t.Errorf("the alarm is %+v", a)
		}
		g.escalatesAfter(t, 30*time.Minute)
		g.want(t, "within the window")
		g.escalatesAfter(t, 27*time.Minute)
		g.want(t, "after the window", raised)
		if a := g.openAlarm(t); a.Room != g.room || !a.HeldUntil.IsZero() || a.Maintenance != "New pump" {
			t.Errorf("the alarm is %+v", a)
		}
		g.escalatesAfter(t, 10*time.Minute)
		g.want(t, "escalated", raised, escalated)
	})
}

func TestMaintenanceOfOthersHoldsNothing(t *testing.T) {
	t.Parallel()
	g := newGarden(t, testkit.Open(t, testkit.SQLite(t)))
	g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
	hour := domain.Maintenance{Name: "Pump", From: g.now, To: g.now.Add(time.Hour)}
	bob := domain.Principal{ID: testkit.UserID(1), Kind: domain.KindUser}
	if _, err := g.AddMaintenance(t.Context(), bob, hour); err != nil {
		t.Fatal(err)
	}
	hour.Scope.Tag = "pumps"
	g.maintained(t, hour)
	theirs := hour
	theirs.Scope.Device = greenhouse
	if _, err := g.AddMaintenance(t.Context(), bob, theirs); domain.CodeOf(err) != domain.CodeNotYourDevice {
		t.Errorf("a window of another's device: %v", err)
	}
	g.reads(t, time.Minute, 31)
	g.want(t, "the room", raised)
}

// A window that is deleted holds nothing any more.
func TestAnAlarmIsPostedOnceItsWindowIsDeleted(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		m := g.maintained(t, domain.Maintenance{Weekdays: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, Length: 24 * time.Hour,
			Zone: "UTC"})
		g.reads(t, 0, 31)
		g.want(t, "within the window")
		if err := g.Store.DeleteMaintenance(t.Context(), owner.ID, m.ID, g.now); err != nil {
			t.Fatal(err)
		}
		g.escalatesAfter(t, 0)
		g.want(t, "once it is deleted", raised)
		err := g.Store.DeleteMaintenance(t.Context(), owner.ID, m.ID, g.now)
		if domain.CodeOf(err) != domain.CodeNoMaintenance {
			t.Errorf("a window is deleted twice: %v", err)
		}
	})
}
