package alarm

import (
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
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
