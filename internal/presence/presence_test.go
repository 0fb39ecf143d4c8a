package presence

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/bus/bustest"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// fakeUsers is a store where everybody shares a room with everybody but the hermit
// and whoever has moved away.
type fakeUsers struct {
	mu     sync.Mutex
	status map[string]domain.Status
	seen   map[string]time.Time
	away   map[string]bool
	fail   error

	devices []domain.DeviceStatus
}

func (w *fakeUsers) Statuses(_ context.Context, ids []string) (of []domain.DeviceStatus, _ error) {
	for _, d := range w.devices {
		if slices.Contains(ids, d.Device) {
			of = append(of, d)
		}
	}
	return of, nil
}

func (w *fakeUsers) UsersByID(_ context.Context, ids []string) (us []domain.User, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range ids {
		us = append(us, domain.User{ID: id, Username: id, Status: w.status[id], LastSeenAt: w.seen[id]})
	}
	return us, nil
}

func (w *fakeUsers) SetLastSeen(_ context.Context, at map[string]time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail == nil {
		maps.Copy(w.seen, at)
	}
	return w.fail
}

func (w *fakeUsers) SharesRoom(_ context.Context, user string, others []string) (shared []string, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, o := range others {
		if !w.away[user] && !w.away[o] {
			shared = append(shared, o)
		}
	}
	return shared, nil
}

func newFakeUsers() *fakeUsers {
	return &fakeUsers{status: map[string]domain.Status{}, seen: map[string]time.Time{},
		away: map[string]bool{"hermit": true}}
}

// run starts a service in a bubble of synthetic time.
func run(t *testing.T, w *fakeUsers, b bus.Bus) (s *Service, stop func()) {
	s = New(Deps{Users: w, Devices: w, Peers: w, Bus: b, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	return s, func() { cancel(); <-done }
}

// receiver records what a connection is told.
type receiver struct {
	mu    sync.Mutex
	heard []string
}

func (e *receiver) deliver(b []byte) {
	var f struct {
		Type string
		Data wire.Presences
	}
	if err := json.Unmarshal(b, &f); err != nil {
		panic(err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if f.Type != wire.TypePresence {
		e.heard = append(e.heard, f.Type)
	}
	for _, p := range f.Data.Users {
		e.heard = append(e.heard, p.User+" "+p.Is+p.Text)
	}
}

// next returns what was heard since the last call, after a while.
func (e *receiver) next(d time.Duration) []string {
	time.Sleep(d)
	synctest.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	h := e.heard
	e.heard = nil
	return h
}

func (e *receiver) want(t *testing.T, d time.Duration, want ...string) {
	t.Helper()
	if got := e.next(d); !slices.Equal(got, want) {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func user(w *fakeUsers, id string) domain.User { return domain.User{ID: id, Status: w.status[id]} }

func nothing([]byte) {}

func watch(t *testing.T, s *Service, conn string, users ...string) string {
	t.Helper()
	ps, err := s.Watch(context.Background(), conn, users)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, p := range ps {
		out = append(out, fmt.Sprint(p.User, " ", p.Is))
	}
	slices.Sort(out)
	return fmt.Sprint(out)
}

func TestComeAndGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		s, stop := run(t, w, bus.NewLocal())
		defer stop()
		var ada receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		if got := watch(t, s, "a1", "lin", "bob", "hermit"); got != "[bob offline lin offline]" {
			t.Fatalf("at first: %s", got)
		}
		s.Connect("l1", user(w, "lin"), nothing)
		s.Connect("h1", user(w, "hermit"), nothing)
		ada.want(t, time.Second, "lin online")
		s.Connect("l2", user(w, "lin"), nothing) // a second device changes nothing
		s.SetActive("l1", false)
		ada.want(t, time.Second)
		s.SetActive("l2", false)
		ada.want(t, time.Second, "lin away")
		s.Disconnect("l2")
		ada.want(t, 10*time.Second)
		s.Disconnect("l1")
		ada.want(t, 10*time.Second, "lin offline")
		if w.seen["lin"].IsZero() {
			t.Error("when lin was last seen is not stored")
		}
	})
}

func TestReloadingAPageIsNoAbsence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		s, stop := run(t, w, bus.NewLocal())
		defer stop()
		var ada receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		s.Connect("l1", user(w, "lin"), nothing)
		watch(t, s, "a1", "lin")
		ada.next(time.Second)
		for i := range 10 {
			s.Disconnect(fmt.Sprint("l", i+1))
			time.Sleep(time.Second)
			s.Connect(fmt.Sprint("l", i+2), user(w, "lin"), nothing)
			time.Sleep(time.Second)
		}
		ada.want(t, time.Second)
	})
}

func TestStatus(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		b := bus.NewLocal()
		s, stop := run(t, w, b)
		defer stop()
		var ada, lin receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		s.Connect("l1", user(w, "lin"), lin.deliver)
		watch(t, s, "a1", "lin")
		watch(t, s, "l1", "lin")
		ada.next(time.Second)
		lin.next(time.Second)
		set := func(st domain.Status) {
			w.mu.Lock()
			w.status["lin"] = st
			w.mu.Unlock()
			news, err := wire.PackUser(domain.User{ID: "lin", Status: st})
			if err != nil {
				t.Fatal(err)
			}
			b.Publish(bus.PresenceSubject, news)
		}
		set(domain.Status{Mode: domain.DoNotDisturb, Text: " busy"})
		ada.want(t, time.Second, wire.TypeUser, "lin dnd busy")
		set(domain.Status{Mode: domain.Invisible})
		ada.want(t, time.Second, wire.TypeUser, "lin offline")
		lin.want(t, time.Second, wire.TypeUser, "lin dnd busy", wire.TypeUser, "lin invisible")
		s.Disconnect("l1")
		ada.want(t, 10*time.Second)
		if !w.seen["lin"].IsZero() {
			t.Error("the store tells when someone invisible was here")
		}
	})
}

func TestStatusTextEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		s, stop := run(t, w, bus.NewLocal())
		defer stop()
		w.status["lin"] = domain.Status{Text: " lunch", Expires: time.Now().Add(time.Hour)}
		s.Connect("l1", user(w, "lin"), nothing)
		var ada receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		watch(t, s, "a1", "lin")
		ada.next(time.Second)
		text := func() string {
			ps, err := s.Presences(context.Background(), "ada", []string{"lin"})
			if err != nil || len(ps) != 1 {
				t.Fatalf("got %v, %v", ps, err)
			}
			return ps[0].Text
		}
		if text() != " lunch" {
			t.Errorf("text is %q", text())
		}
		if told := ada.next(time.Hour + heartbeatInterval); len(told) != 1 || strings.Contains(told[0], "lunch") {
			t.Errorf("at its end those who watch are told %q, want once without it", told)
		}
		if text() != "" {
			t.Errorf("after its end the text is %q", text())
		}
	})
}

func TestOnlyMembersOfSharedRoomsAreVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		s, stop := run(t, w, bus.NewLocal())
		defer stop()
		var ada, lin receiver
		s.Connect("a1", user(w, "ada"), ada.deliver)
		s.Connect("l1", user(w, "lin"), lin.deliver)
		watch(t, s, "a1", "lin")
		watch(t, s, "l1", "ada", "bob")
		ada.next(time.Second)
		lin.next(time.Second)
		w.mu.Lock()
		w.away["lin"] = true
		w.mu.Unlock()
		s.OnLeft(context.Background(), "lin")
		s.SetActive("l1", false)
		s.SetActive("a1", false)
		s.Connect("b1", user(w, "bob"), nothing)
		ada.want(t, time.Second)
		lin.want(t, time.Second)
	})
}

func TestNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		b := bus.NewLocal()
		one, stop1 := run(t, w, b)
		defer stop1()
		var ada receiver
		one.Connect("a1", user(w, "ada"), ada.deliver)
		time.Sleep(time.Second)
		two, stop2 := run(t, w, b)
		time.Sleep(time.Second)
		watch(t, one, "a1", "lin")
		two.Connect("l1", user(w, "lin"), nothing)
		ada.want(t, time.Second, "lin online")
		// The new node has learnt who was there before it.
		two.Connect("b1", user(w, "bob"), nothing)
		if got := watch(t, two, "b1", "ada"); got != "[ada online]" {
			t.Errorf("the second node sees %s", got)
		}
		stop2()
		ada.want(t, time.Second, "lin offline")
	})
}

func TestSilentNodeTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		b := bus.NewLocal()
		one, stop := run(t, w, b)
		defer stop()
		var ada receiver
		one.Connect("a1", user(w, "ada"), ada.deliver)
		watch(t, one, "a1", "lin")
		time.Sleep(time.Second)
		dead := New(Deps{Users: w, Peers: w, Bus: b, Log: slog.New(slog.DiscardHandler)})
		dead.Connect("l1", user(w, "lin"), nothing)
		dead.publishChanged() // and never again
		ada.want(t, time.Second, "lin online")
		ada.want(t, 15*time.Second, "lin offline")
	})
}

// What the bus lost is asked for: a single notice, and all that was said while a
// node heard nothing.
func TestLostNoticesAreRequestedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		b := bus.NewLocal()
		var deaf atomic.Bool
		one, stop1 := run(t, w, &bustest.Lossy{Bus: b, Lose: func(bus.Message) bool { return deaf.Load() }})
		defer stop1()
		two, stop2 := run(t, w, b)
		defer stop2()
		two.Connect("b1", user(w, "bob"), nothing)
		time.Sleep(time.Second)
		sees := func(want string) {
			t.Helper()
			ps, err := one.Presences(context.Background(), "ada", []string{"bob", "lin"})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range ps {
				got = append(got, p.User+" "+string(p.Is))
			}
			slices.Sort(got)
			if fmt.Sprint(got) != want {
				t.Errorf("the first node sees %v, want %s", got, want)
			}
		}
		sees("[bob online lin offline]")

		deaf.Store(true)
		two.Connect("l1", user(w, "lin"), nothing)
		two.Disconnect("b1")
		time.Sleep(6 * time.Second)
		deaf.Store(false)
		time.Sleep(heartbeatInterval + time.Second)
		sees("[bob offline lin online]")

		deaf.Store(true)
		two.Disconnect("l1")
		time.Sleep(time.Minute) // the node is taken for dead
		sees("[bob offline lin offline]")
		two.Connect("b2", user(w, "bob"), nothing)
		time.Sleep(6 * time.Second)
		deaf.Store(false)
		time.Sleep(heartbeatInterval + time.Second)
		sees("[bob online lin offline]")
	})
}

func TestLastSeenIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newFakeUsers()
		s, stop := run(t, w, bus.NewLocal())
		defer stop()
		w.fail = domain.Unavailable.Errorf("", "the disk is full")
		s.Connect("l1", user(w, "lin"), nothing)
		s.Disconnect("l1")
		time.Sleep(time.Minute)
		w.mu.Lock()
		w.fail = nil
		w.mu.Unlock()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if w.seen["lin"].IsZero() {
			t.Error("when lin was last seen is lost")
		}
	})
}

// A connection that asks to watch too many is refused, and goes on as before.
func TestWatchedAreBounded(t *testing.T) {
	t.Parallel()
	w := newFakeUsers()
	s := New(Deps{Users: w, Peers: w, Bus: bus.NewLocal(), Log: slog.New(slog.DiscardHandler)})
	s.Connect("a1", user(w, "ada"), nothing)
	if _, err := s.Watch(t.Context(), "a1", []string{"lin"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Watch(t.Context(), "a1", make([]string, MaxWatched+1)); domain.KindOf(err) != domain.Invalid {
		t.Errorf("too many: %v", err)
	}
	if len(s.watchers["lin"]) != 1 {
		t.Error("the users that were watched before are forgotten")
	}
}
