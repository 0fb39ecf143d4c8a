package alarm

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const escalated = domain.AlarmEscalated

func (g *garden) escalatesAfter(t *testing.T, after time.Duration) {
	t.Helper()
	g.now = g.now.Add(after)
	for range 2 { // each is posted once
		if err := g.escalate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func (g *garden) openAlarm(t *testing.T) domain.Alarm {
	t.Helper()
	open, err := g.Store.Open(t.Context(), greenhouse)
	if err != nil || len(open) != 1 {
		t.Fatalf("%d alarms are open, %v", len(open), err)
	}
	return open[0]
}

// An alarm that nobody acknowledges is posted once more after a time, and mentions whom the rule names.
func TestAnAlarmThatNobodyAcknowledgesEscalates(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		bob := testkit.UserID(1)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0),
			Escalation: domain.Escalation{After: 10 * time.Minute, User: bob}})
		g.reads(t, 0, 31)
		g.escalatesAfter(t, 9*time.Minute)
		g.want(t, "before the time", raised)
		g.escalatesAfter(t, time.Minute)
		g.want(t, "after the time", raised, escalated)
		_, mentions, err := unread(t, db, bob, g.room)
		if err != nil || mentions != 1 {
			t.Errorf("whom it mentions has %d mentions, %v", mentions, err)
		}
		a := g.openAlarm(t)
		if a.EscalatedTo != g.room || a.EscalatedSeq == 0 || a.EscalatedAt.IsZero() {
			t.Errorf("the alarm is %+v", a)
		}
		if _, err := g.Change(t.Context(), owner, greenhouse, a.ID, domain.AlarmChange{Acknowledge: true}); err != nil {
			t.Fatal(err)
		}
		g.want(t, "acknowledged, told once", raised, escalated, domain.AlarmAcknowledged)
		for _, seq := range []int64{a.Seq, a.EscalatedSeq} {
			line, err := db.Log.Replay(t.Context(), domain.WholeLog(g.room), seq-1, 1)
			if err != nil || acknowledgedIn(line[0]) != owner.ID {
				t.Errorf("line %d is %+v, %v", seq, line[0].Payload, err)
			}
		}
	})
}

func unread(t *testing.T, db *all.Store, user, room string) (messages, mentions int, err error) {
	t.Helper()
	states, err := db.Rooms.RoomStates(t.Context(), user)
	for _, s := range states {
		if s.Room.ID == room {
			return s.Messages, s.Mentions, err
		}
	}
	return 0, 0, err
}

func acknowledgedIn(e domain.Event) string {
	switch p := e.Payload.(type) {
	case domain.AlarmRaisedPayload:
		return p.Alarm.Acknowledged
	case domain.AlarmEscalatedPayload:
		return p.Alarm.Acknowledged
	}
	return ""
}

// What somebody has acknowledged, or is over, does not escalate; what is snoozed waits for its end.
func TestWhatIsAttendedToDoesNotEscalate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, g *garden)
		want []domain.EventType
	}{
		"acknowledged": {func(t *testing.T, g *garden) {
			if _, err := g.Change(t.Context(), owner, greenhouse, g.openAlarm(t).ID,
				domain.AlarmChange{Acknowledge: true}); err != nil {
				t.Fatal(err)
			}
			g.escalatesAfter(t, time.Hour)
		}, []domain.EventType{raised, domain.AlarmAcknowledged}},
		"over": {func(t *testing.T, g *garden) {
			g.reads(t, time.Minute, 20)
			g.escalatesAfter(t, time.Hour)
		}, []domain.EventType{raised, cleared}},
		"snoozed": {func(t *testing.T, g *garden) {
			until := g.now.Add(2 * time.Hour)
			c := domain.AlarmChange{SnoozeUntil: &until}
			if _, err := g.Change(t.Context(), owner, greenhouse, g.openAlarm(t).ID, c); err != nil {
				t.Fatal(err)
			}
			g.escalatesAfter(t, time.Hour)
			g.want(t, "within the snooze", raised, domain.AlarmAcknowledged)
			g.escalatesAfter(t, time.Hour)
		}, []domain.EventType{raised, domain.AlarmAcknowledged, escalated}},
		"another rule": {func(t *testing.T, g *garden) {
			r := g.openRule(t)
			r.Escalation = domain.Escalation{}
			if _, err := g.ReplaceRule(t.Context(), owner, r); err != nil {
				t.Fatal(err)
			}
			g.escalatesAfter(t, time.Hour)
		}, []domain.EventType{raised}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGarden(t, testkit.Open(t, testkit.SQLite(t)))
			g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0),
				Escalation: domain.Escalation{After: 10 * time.Minute, User: testkit.UserID(1)}})
			g.reads(t, 0, 31)
			c.do(t, g)
			g.want(t, name, c.want...)
		})
	}
}

func (g *garden) openRule(t *testing.T) domain.AlarmRule {
	t.Helper()
	r, err := g.Store.Rule(t.Context(), greenhouse, g.openAlarm(t).Rule)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// In another room the members of that room see the alarm, and acknowledge it for both.
func TestAnAlarmEscalatesToAnotherRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		made, _, err := db.Rooms.CreateRoom(t.Context(), testkit.UserID(0), domain.NewRoom{Kind: domain.PrivateRoom,
			Name: "On call", Members: []string{testkit.UserID(1)}}, g.now)
		if err != nil {
			t.Fatal(err)
		}
		second := made.Room.ID
		escalation := domain.Escalation{After: time.Minute, Room: second}
		rule := domain.AlarmRule{Device: greenhouse, Name: "Too warm", Kind: domain.ThresholdAlarm, Sensor: "temperature",
			Above: new(30.0), Room: g.room, Escalation: escalation}
		if _, err := g.CreateRule(t.Context(), owner, rule); domain.CodeOf(err) != domain.CodeNotReachable {
			t.Errorf("a rule escalates to a room without the device: %v", err)
		}
		if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), second, greenhouse, g.now); err != nil {
			t.Fatal(err)
		}
		g.rule(t, rule)
		g.reads(t, 0, 31)
		g.escalatesAfter(t, time.Minute)
		g.want(t, "the first room", raised)
		a := g.openAlarm(t)
		bob := domain.Principal{ID: testkit.UserID(1), Kind: domain.KindUser}
		if _, err := g.Change(t.Context(), bob, greenhouse, a.ID, domain.AlarmChange{Acknowledge: true}); err != nil {
			t.Fatal(err)
		}
		g.reads(t, time.Minute, 20)
		g.want(t, "the first room, told", raised, domain.AlarmAcknowledged, cleared)
		g.room = second
		g.want(t, "the second room", escalated, domain.AlarmAcknowledged, cleared)
	})
}

func TestAnEscalationIsChecked(t *testing.T) {
	t.Parallel()
	g := newGarden(t, testkit.Open(t, testkit.SQLite(t)))
	for name, e := range map[string]domain.Escalation{
		"too soon":        {After: time.Second, User: testkit.UserID(1)},
		"too late":        {After: 25 * time.Hour, User: testkit.UserID(1)},
		"to nobody":       {After: time.Hour},
		"without a time":  {User: testkit.UserID(1)},
		"not a room":      {After: time.Hour, Room: "garden"},
		"not a user":      {After: time.Hour, User: "bob"},
		"not in the room": {After: time.Hour, User: domain.NewID(domain.UserPrefix)},
	} {
		r := domain.AlarmRule{Device: greenhouse, Name: "Silent", Kind: domain.AbsenceAlarm, Room: g.room, Escalation: e}
		if _, err := g.CreateRule(t.Context(), owner, r); domain.KindOf(err) != domain.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
