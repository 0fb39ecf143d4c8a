package alarm

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// People acknowledge an alarm, note something and snooze its rule; whoever only sees the device
// changes no rule.
func TestPeopleActOnAnAlarm(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		ctx := t.Context()
		r := g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		g.reads(t, 0, 31)
		open, err := db.Alarms.Open(ctx, greenhouse)
		if err != nil || len(open) != 1 || open[0].Seq == 0 || *open[0].Value != 31 || *open[0].Limit != 30 {
			t.Fatalf("%+v, %v", open, err)
		}
		bob := domain.Principal{ID: testkit.UserID(1), Kind: domain.KindUser}
		until := g.now.Add(time.Hour)
		note := "the window is open"
		a, err := g.Change(ctx, bob, greenhouse, open[0].ID, domain.AlarmChange{Acknowledge: true, SnoozeUntil: &until,
			Note: &note})
		if err != nil || a.Acknowledged.ID != bob.ID || a.Note != note || !a.SnoozedUntil.Equal(until) {
			t.Errorf("%+v, %v", a, err)
		}
		g.want(t, "acknowledged", raised, acked)
		page, err := db.Log.Timeline(ctx, domain.WholeLog(g.room), domain.PageQuery{Around: open[0].Seq, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			if p, ok := e.Payload.(domain.AlarmRaisedPayload); ok && p.Alarm.Note != note {
				t.Errorf("its line says %+v", p.Alarm)
			}
		}
		g.reads(t, time.Minute, 20)
		g.want(t, "over", raised, acked, cleared)
		g.reads(t, time.Minute, 31)
		g.reads(t, time.Minute, 20)
		g.want(t, "raised again while it is snoozed", raised, acked, cleared)
		g.reads(t, time.Hour, 31)
		g.want(t, "raised again afterwards", raised, acked, cleared, raised)
		r.Disabled = true
		if _, err := g.ReplaceRule(ctx, owner, r); err != nil {
			t.Fatal(err)
		}
		g.want(t, "its rule is disabled", raised, acked, cleared, raised, cleared)
		if _, err := g.ReplaceRule(ctx, bob, r); domain.CodeOf(err) != domain.CodeNotYourDevice {
			t.Errorf("a rule of another's device: %v", err)
		}
		if err := g.DeleteRule(ctx, owner, greenhouse, r.ID); err != nil {
			t.Fatal(err)
		}
		g.want(t, "its rule is gone", raised, acked, cleared, raised, cleared)
		all, err := db.Alarms.Alarms(ctx, "", owner.ID, false, "", 10)
		if err != nil || len(all) != 3 {
			t.Errorf("%d alarms, %v", len(all), err)
		}
		if seen, err := db.Alarms.Alarms(ctx, greenhouse, bob.ID, false, "", 10); err != nil || len(seen) != 2 {
			t.Errorf("another sees %d, of which one was not posted: %v", len(seen), err)
		}
		if open, err := db.Alarms.Alarms(ctx, greenhouse, "", true, "", 10); err != nil || len(open) != 0 {
			t.Errorf("%+v are not over, %v", open, err)
		}
	})
}

// A device has at most so many rules, also of requests at the same time.
func TestTheRulesOfADeviceAreBounded(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		var wg sync.WaitGroup
		var refused atomic.Int64
		for range domain.MaxAlarmRules + 8 {
			wg.Go(func() {
				r := domain.AlarmRule{Device: greenhouse, Name: "Silent", Kind: domain.AbsenceAlarm}
				_, err := g.CreateRule(t.Context(), owner, r)
				if err != nil {
					refused.Add(1)
				}
				if err != nil && domain.CodeOf(err) != domain.CodeTooManyRules {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		rules, err := db.Alarms.Rules(t.Context(), greenhouse, "", 100)
		if err != nil || len(rules) != domain.MaxAlarmRules || refused.Load() != 8 {
			t.Errorf("%d rules, %d refused, %v", len(rules), refused.Load(), err)
		}
	})
}

// A rule that is replaced while somebody snoozes it stays snoozed.
func TestAReplacedRuleStaysSnoozed(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		ctx := t.Context()
		r := g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		g.reads(t, 0, 31)
		open, err := db.Alarms.Open(ctx, greenhouse)
		if err != nil || len(open) != 1 {
			t.Fatalf("%+v, %v", open, err)
		}
		until := g.now.Add(time.Hour)
		if _, err := g.Change(ctx, owner, greenhouse, open[0].ID, domain.AlarmChange{SnoozeUntil: &until}); err != nil {
			t.Fatal(err)
		}
		r.Above = new(40.0)
		if err := db.Alarms.PutRule(ctx, owner.ID, r, g.now); err != nil { // r was read before the snooze
			t.Fatal(err)
		}
		got, err := db.Alarms.Rule(ctx, greenhouse, r.ID)
		if err != nil || *got.Above != 40 || !got.SnoozedUntil.Equal(until) {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// Administrators see all alarms, and neither speak in rooms that they are not in nor make rules of
// devices that are not theirs.
func TestAnAdministratorChangesNoAlarmOfAnother(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		ctx := t.Context()
		r := g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		g.reads(t, 0, 31)
		open, err := db.Alarms.Open(ctx, greenhouse)
		if err != nil || len(open) != 1 {
			t.Fatalf("%+v, %v", open, err)
		}
		root := domain.Principal{ID: testkit.UserID(1), Kind: domain.KindUser, Role: domain.SystemAdmin}
		note := "read by all in the room"
		for what, change := range map[string]domain.AlarmChange{
			"a note": {Note: &note}, "an acknowledgement": {Acknowledge: true}, "a snooze": {SnoozeUntil: &time.Time{}},
		} {
			_, err := g.Change(ctx, root, greenhouse, open[0].ID, change)
			if domain.CodeOf(err) != domain.CodeNoAlarm {
				t.Errorf("%s: %v", what, err)
			}
		}
		g.want(t, "an administrator is in no room", raised)
		if _, err := g.CreateRule(ctx, root, r); domain.CodeOf(err) != domain.CodeNotYourDevice {
			t.Errorf("a rule of another's device: %v", err)
		}
	})
}
