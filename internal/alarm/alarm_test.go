package alarm

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

const greenhouse = "dev_00000000000000000000000001"

// garden is a device in a room of its owner and another, with alarms that post there, and a clock.
type garden struct {
	*Service
	db   *all.Store
	room string
	now  time.Time
	away time.Time // until when the device is away on purpose
	last time.Time // when the device last measured something, as the store has it
	ask  func()    // is called when the store is asked for that; nil: nothing is
}

func (g *garden) MaySee(_ context.Context, p domain.Principal, id string) (domain.Device, bool, error) {
	return domain.Device{ID: id, Owner: domain.UserRef{ID: owner.ID}}, p.ID == owner.ID || p.IsAdmin(), nil
}

func (g *garden) Capabilities(context.Context, string) (domain.Capabilities, error) {
	return domain.Capabilities{Heartbeat: 60}, nil
}

func (g *garden) AwayUntil(context.Context, string) (time.Time, error) { return g.away, nil }

func (g *garden) Record(context.Context, domain.AuditEvent) {}

// MayRead and MayWrite let in all but administrators, who are in no room here.
func (g *garden) MayRead(_ context.Context, p domain.Principal, _ string) error {
	if p.IsAdmin() {
		return domain.ErrNoRoom()
	}
	return nil
}

func (g *garden) MayWrite(ctx context.Context, p domain.Principal, room string) error {
	return g.MayRead(ctx, p, room)
}

func (g *garden) Series(context.Context, string) ([]domain.Series, error) {
	if g.ask != nil {
		g.ask()
	}
	return []domain.Series{{Name: "temperature", LastAt: g.last}}, nil
}

// node is one more process on the same store.
func (g *garden) node(t *testing.T) *Service {
	t.Helper()
	s := New(Deps{Store: g.db.Alarms, Devices: g, Rooms: g, Readings: g, Bus: bus.NewLocal(), Log: testkit.Logger(t),
		Audit: g,
		Now:   func() time.Time { return g.now }})
	if err := s.loadAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

func newGarden(t *testing.T, db *all.Store) *garden {
	t.Helper()
	g := &garden{db: db, now: time.Now().Truncate(time.Second)}
	g.room = testkit.Room(t, db, 2)
	d := domain.Device{ID: greenhouse, Owner: domain.UserRef{ID: testkit.UserID(0)}, Name: "Greenhouse"}
	err := db.Devices.CreateDevice(t.Context(), d, domain.DeviceKey{ID: "key", Device: greenhouse},
		domain.DeviceSecret{Hash: []byte{1}}, nil, 0, g.now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Rooms.AddMember(t.Context(), testkit.UserID(0), g.room, greenhouse, g.now); err != nil {
		t.Fatal(err)
	}
	g.Service = g.node(t)
	return g
}

var owner = domain.Principal{ID: testkit.UserID(0), Kind: domain.KindUser}

func (g *garden) rule(t *testing.T, r domain.AlarmRule) domain.AlarmRule {
	t.Helper()
	r.Device, r.Name, r.Room = greenhouse, "Too warm", g.room
	r, err := g.CreateRule(t.Context(), owner, r)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.load(t.Context(), greenhouse); err != nil {
		t.Fatal(err)
	}
	return r
}

// reads has the device report a value, after some time.
func (g *garden) reads(t *testing.T, after time.Duration, v float64, nodes ...*Service) {
	t.Helper()
	g.now = g.now.Add(after)
	g.last = g.now
	reports := []domain.Report{{At: g.now, Readings: []domain.Reading{{Name: "temperature", Value: domain.Number(v)}}}}
	for _, s := range append(nodes, g.Service) {
		s.judge(t.Context(), observation{greenhouse, reports, s.Now()})
	}
}

// posted returns what the room was told, without what came before.
func (g *garden) posted(t *testing.T) (types []domain.EventType) {
	t.Helper()
	events, err := g.db.Log.Replay(t.Context(), g.room, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		switch e.Type {
		case domain.AlarmRaised, domain.AlarmCleared, domain.AlarmAcknowledged, domain.AlarmEscalated:
			types = append(types, e.Type)
		}
	}
	return types
}

func (g *garden) want(t *testing.T, what string, types ...domain.EventType) {
	t.Helper()
	if got := g.posted(t); !slices.Equal(got, types) {
		t.Errorf("%s: the room was told %v, want %v", what, got, types)
	}
}

const (
	raised  = domain.AlarmRaised
	cleared = domain.AlarmCleared
	acked   = domain.AlarmAcknowledged
)

// A value must be beyond its limit for as long as the rule says, and far enough behind it for the
// alarm to be over; what is old raises and ends nothing.
func TestAThresholdHasADurationAndHysteresis(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0), Hysteresis: 2,
			For: 5 * time.Minute})
		g.reads(t, 0, 31)
		g.reads(t, 4*time.Minute, 32)
		g.reads(t, 10*time.Second, 29)
		g.reads(t, 10*time.Second, 31)
		g.reads(t, 4*time.Minute, 31)
		g.want(t, "not for five minutes")
		g.reads(t, time.Minute, 33)
		g.reads(t, time.Minute, 33)
		g.want(t, "for five minutes", raised)
		g.reads(t, time.Minute, 29)
		g.want(t, "within the hysteresis", raised)
		old := []domain.Report{{At: g.now.Add(-time.Hour), Readings: []domain.Reading{{Name: "temperature",
			Value: domain.Number(10)}}}}
		g.judge(t.Context(), observation{greenhouse, old, g.Now()})
		g.want(t, "of an hour ago", raised)
		g.reads(t, time.Minute, 28)
		g.want(t, "behind it", raised, cleared)
		open, err := db.Alarms.Open(t.Context(), "")
		if err != nil || len(open) != 0 {
			t.Errorf("%+v, %v", open, err)
		}
	})
}

// However many nodes see it, and whenever one starts anew, an alarm is raised once, and over once.
func TestAnAlarmIsPostedOnceByAllNodes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		nodes := []*Service{g.node(t), g.node(t), g.node(t), g.node(t)}
		report := func(v float64) {
			var wg sync.WaitGroup
			reports := []domain.Report{{At: g.now, Readings: []domain.Reading{{Name: "temperature", Value: domain.Number(v)}}}}
			for _, s := range nodes {
				wg.Go(func() { s.judge(t.Context(), observation{greenhouse, reports, s.Now()}) })
			}
			wg.Wait()
		}
		report(31)
		g.want(t, "raised by four nodes", raised)
		g.now = g.now.Add(time.Second)
		nodes[0] = g.node(t)
		report(32)
		g.want(t, "after a restart", raised)
		g.now = g.now.Add(time.Second)
		for i := range nodes {
			nodes[i] = g.node(t)
		}
		report(20)
		g.want(t, "over", raised, cleared)
		if err := db.Log.Check(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A value that comes and goes is said a few times, and then is over only once it is quiet.
func TestAFlappingAlarmDoesNotFloodTheRoom(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Above: new(30.0)})
		for range 20 {
			g.reads(t, 10*time.Second, 31)
			g.reads(t, 10*time.Second, 29)
		}
		if n := len(g.posted(t)); n != 2*domain.AlarmFlaps+1 {
			t.Errorf("the room was told %d times", n)
		}
		open, err := db.Alarms.Open(t.Context(), greenhouse)
		if err != nil || len(open) != 1 || !open[0].Flapping {
			t.Errorf("%+v, %v", open, err)
		}
		g.reads(t, 9*time.Minute, 29)
		g.reads(t, time.Minute, 29)
		if n := len(g.posted(t)); n != 2*domain.AlarmFlaps+2 {
			t.Errorf("the room was told %d times, now that it is quiet", n)
		}
	})
}

// A rate is the change within its window, up or down.
func TestARateIsTheChangeWithinItsWindow(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.RateAlarm, Sensor: "temperature", Above: new(5.0), Below: new(-5.0),
			Window: 10 * time.Minute})
		for i := range 30 { // 15 degrees, but never more than 5 in ten minutes
			g.reads(t, time.Minute, 10+float64(i)/2)
		}
		g.want(t, "slowly")
		g.reads(t, time.Minute, 18)
		g.want(t, "down, by less than the rise before")
		g.reads(t, 20*time.Minute, 18)
		g.reads(t, time.Minute, 12)
		g.want(t, "down", raised)
		g.reads(t, 20*time.Minute, 12)
		g.want(t, "no longer", raised, cleared)
	})
}

// Silence is judged by what the store has of all nodes.
func TestSilenceIsAnAlarm(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.AbsenceAlarm}) // 2.5 heartbeats of a minute
		g.reads(t, 0, 20)
		look := func(after time.Duration) {
			t.Helper()
			g.now = g.now.Add(after)
			if err := g.absent(t.Context(), g.watched.get(greenhouse)); err != nil {
				t.Fatal(err)
			}
		}
		look(2 * time.Minute)
		g.want(t, "two minutes")
		g.last = g.now // reported to another node
		look(time.Minute)
		g.want(t, "three minutes, but it was heard elsewhere")
		look(2 * time.Minute)
		look(time.Minute)
		g.want(t, "silent", raised)
		g.reads(t, 0, 20)
		look(lookMost)
		g.want(t, "heard again", raised, cleared)
		g.away = g.now.Add(time.Hour)
		look(30 * time.Minute)
		look(31 * time.Minute)
		look(time.Minute)
		g.want(t, "away on purpose", raised, cleared)
		look(time.Minute)
		g.want(t, "not back in time", raised, cleared, raised)
		g.reads(t, 0, 20)
		look(lookMost)
		fresh := g.node(t)
		g.now = g.now.Add(time.Hour)
		g.last = time.Time{}
		fresh.started = g.now.Add(-time.Minute)
		if err := fresh.absent(t.Context(), fresh.watched.get(greenhouse)); err != nil {
			t.Fatal(err)
		}
		g.want(t, "a server that has just started waits", raised, cleared, raised, cleared)
	})
}

// Readings are taken, and rules read anew, while a slow store is asked when a device was heard.
func TestASlowStoreHoldsUpNoReadings(t *testing.T) {
	t.Parallel()
	g := newGarden(t, testkit.Open(t, testkit.SQLite(t)))
	r := g.rule(t, domain.AlarmRule{Kind: domain.AbsenceAlarm})
	asked, answer, judged := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	g.ask = func() {
		close(asked)
		<-answer
	}
	g.now = g.now.Add(time.Hour)
	ctx := t.Context()
	go func() { judged <- g.absent(ctx, g.watched.get(greenhouse)) }()
	<-asked
	taken := make(chan struct{})
	go func() {
		g.watched.set(greenhouse, []domain.AlarmRule{r}, nil)
		g.Observe(greenhouse, nil)
		close(taken)
	}()
	select {
	case <-taken:
	case <-time.After(2 * time.Minute):
		t.Error("readings wait for the store")
	}
	close(answer)
	if err := <-judged; err != nil {
		t.Fatal(err)
	}
}

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
		page, err := db.Log.Timeline(ctx, g.room, domain.PageQuery{Around: open[0].Seq, Limit: 1})
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

// A device that may not speak in a room says nothing there, and its alarm is kept all the same.
func TestAMutedDevicePostsNoAlarm(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		g := newGarden(t, db)
		g.rule(t, domain.AlarmRule{Kind: domain.ThresholdAlarm, Sensor: "temperature", Below: new(5.0)})
		_, err := db.Rooms.Mute(t.Context(), testkit.UserID(0), g.room, greenhouse, g.now.Add(time.Hour), g.now)
		if err != nil {
			t.Fatal(err)
		}
		g.reads(t, time.Minute, 4)
		g.want(t, "muted")
		if open, err := db.Alarms.Open(t.Context(), ""); err != nil || len(open) != 1 {
			t.Errorf("%+v, %v", open, err)
		}
	})
}
