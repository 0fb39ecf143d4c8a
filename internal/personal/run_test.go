package personal

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A house is a room, and nodes that send what its second user has scheduled, at a time that the test sets.
type house struct {
	db   *all.Store
	room string
	user string
	now  time.Time

	mu   sync.Mutex
	lost error // what sending returns though the message is in the log
}

func (h *house) Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error) {
	e, _, err := h.db.Messages.AppendMessage(ctx, p.ID, d, nil, false, h.now)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.lost != nil {
		return domain.Event{}, h.lost
	}
	return e, err
}

func newHouse(t *testing.T, db *all.Store) *house {
	t.Helper()
	return &house{db: db, room: testkit.Room(t, db, 2), user: testkit.UserID(1), now: time.Now()}
}

func (h *house) node(t *testing.T) *Service {
	t.Helper()
	return New(Deps{Store: h.db.Personal, RoomLog: h.db.Log, Chat: h, Bus: bus.NewLocal(), Log: testkit.Logger(t),
		Now: func() time.Time { return h.now }})
}

func (h *house) schedule(t *testing.T, id string, in time.Duration) {
	t.Helper()
	_, _, err := h.db.Personal.Schedule(t.Context(), domain.Scheduled{ID: id, User: h.user, Room: h.room, Text: id,
		Key: id, At: h.now.Add(in)}, h.now)
	if err != nil {
		t.Fatal(err)
	}
}

// said counts the messages in the room.
func (h *house) said(t *testing.T) (n int) {
	t.Helper()
	err := h.db.QueryRowContext(t.Context(), `SELECT count(*) FROM events WHERE type = 'message.created'`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (h *house) left(t *testing.T) []domain.Scheduled {
	t.Helper()
	left, err := h.db.Personal.Scheduled(t.Context(), h.user)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// A message is in the log once, also when a node dies after it is there and before that is recorded, and when two nodes
// look for work at once.
func TestAScheduledMessageIsSentOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := newHouse(t, db)
		one, other := h.node(t), h.node(t)
		for _, id := range []string{"a", "b", "c"} {
			h.schedule(t, id, time.Hour)
		}
		one.sendDue(t.Context())
		if n := h.said(t); n != 0 {
			t.Fatalf("%d are sent too early", n)
		}
		h.now = h.now.Add(time.Hour)
		h.lost = domain.Unavailable.Errorf(domain.CodeBusy, "the node dies")
		one.sendDue(t.Context())
		if left := h.left(t); h.said(t) != 3 || len(left) != 3 || left[0].State != domain.ScheduledSending {
			t.Fatalf("%d are sent, left are %+v", h.said(t), left)
		}
		h.lost = nil
		h.now = h.now.Add(lease)
		var wg sync.WaitGroup
		for _, s := range []*Service{one, other} {
			wg.Go(func() { s.sendDue(t.Context()) })
		}
		wg.Wait()
		one.sendDue(t.Context()) // what the other one had locked
		if left := h.left(t); h.said(t) != 3 || len(left) != 0 {
			t.Errorf("%d are sent, left are %+v", h.said(t), left)
		}
	})
}

// What cannot be sent says why, keeps its text, and is sent when its user says so and may.
func TestWhatCannotBeSentIsKept(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := newHouse(t, db)
		s, ctx := h.node(t), t.Context()
		h.schedule(t, "a", time.Minute)
		if _, err := db.Departure.Leave(ctx, h.user, h.room, h.now); err != nil {
			t.Fatal(err)
		}
		h.now = h.now.Add(time.Minute)
		s.sendDue(ctx)
		left := h.left(t)
		if len(left) != 1 || left[0].State != domain.ScheduledFailed || left[0].Failure != domain.CodeNotAMember ||
			left[0].Text != "a" || h.said(t) != 0 {
			t.Fatalf("left are %+v", left)
		}
		if _, err := db.Rooms.Join(ctx, h.user, h.room, h.now); err != nil {
			t.Fatal(err)
		}
		h.schedule(t, "b", time.Minute)
		h.now = h.now.Add(time.Minute + domain.MaxScheduledLate + time.Second) // no server ran
		s.sendDue(ctx)
		if left = h.left(t); h.said(t) != 0 || len(left) != 2 || left[1].Failure != domain.CodeScheduledLate {
			t.Fatalf("left are %+v", left)
		}
		for _, m := range left {
			taken, err := db.Personal.TakeScheduled(ctx, h.user, m.ID, lease, h.now)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.send(ctx, taken); err != nil {
				t.Errorf("sent now: %v", err)
			}
		}
		if left = h.left(t); h.said(t) != 2 || len(left) != 0 {
			t.Errorf("%d are sent, left are %+v", h.said(t), left)
		}
	})
}

// every has the user's message sent at nine o'clock on some days, and returns it.
func (h *house) every(t *testing.T, id string, days ...time.Weekday) domain.Scheduled {
	t.Helper()
	r := domain.Repeat{Zone: "UTC", Time: 9 * time.Hour, Weekdays: days}
	m, _, err := h.db.Personal.Schedule(t.Context(), domain.Scheduled{ID: id, User: h.user, Room: h.room, Text: id,
		Key: id, Repeat: r, At: r.Next(h.now)}, h.now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// What repeats is in the log once for each of its times, also when a node dies after it is there and before that is
// recorded, when two nodes look for work at once, and when nodes start again.
func TestWhatRepeatsIsSentOnceEachTime(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := newHouse(t, db)
		h.now = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) // a Monday
		h.every(t, "a", 0, 1, 2, 3, 4, 5, 6)
		h.every(t, "b", 1)
		both := func() {
			one, other := h.node(t), h.node(t)
			var wg sync.WaitGroup
			for _, s := range []*Service{one, other, one} {
				wg.Go(func() { s.sendDue(t.Context()) })
			}
			wg.Wait()
			one.sendDue(t.Context()) // what the other one had locked
		}
		both()
		if n := h.said(t); n != 0 {
			t.Fatalf("%d are sent too early", n)
		}
		h.now = h.now.Add(time.Hour)
		h.lost = domain.Unavailable.Errorf(domain.CodeBusy, "the node dies")
		both()
		h.lost = nil
		if n := h.said(t); n != 2 {
			t.Fatalf("%d are sent at first", n)
		}
		for day, want := range []int{2, 3, 4, 5, 6, 7, 8, 10} { // b is again on Monday
			h.now = time.Date(2026, 11, 30+day, 9, 0, 0, 0, time.UTC).Add(lease)
			both()
			both()
			if n := h.said(t); n != want {
				t.Errorf("after %d days %d are sent, not %d", day, n, want)
			}
		}
		for _, m := range h.left(t) {
			if m.State != domain.ScheduledWaiting || !m.At.After(h.now) {
				t.Errorf("waits %+v", m)
			}
		}
	})
}

// After three days without a server, what repeats daily is sent once, and what was due three days ago is not: it says
// so, and goes on.
func TestWhatRepeatsAfterDaysWithoutAServer(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := newHouse(t, db)
		s := h.node(t)
		h.now = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC) // a Monday
		h.every(t, "daily", 0, 1, 2, 3, 4, 5, 6)
		h.every(t, "weekly", 1)
		h.now = time.Date(2026, 12, 3, 14, 0, 0, 0, time.UTC)
		for range 3 {
			s.sendDue(t.Context())
		}
		left := h.left(t)
		if n := h.said(t); n != 1 || len(left) != 2 {
			t.Fatalf("%d are sent; left are %+v", n, left)
		}
		friday, monday := time.Date(2026, 12, 4, 9, 0, 0, 0, time.UTC), time.Date(2026, 12, 7, 9, 0, 0, 0, time.UTC)
		if m := left[0]; m.ID != "daily" || !m.At.Equal(friday) || m.Failure != "" || m.State != domain.ScheduledWaiting {
			t.Errorf("daily is %+v", m)
		}
		if m := left[1]; m.ID != "weekly" || !m.At.Equal(monday) || m.Failure != domain.CodeScheduledLate ||
			m.State != domain.ScheduledWaiting {
			t.Errorf("weekly is %+v", m)
		}
		h.now = monday
		s.sendDue(t.Context())
		if left = h.left(t); h.said(t) != 3 || left[1].Failure != "" {
			t.Errorf("%d are sent; left are %+v", h.said(t), left)
		}
	})
}

// What repeats stops with its reason when its user may not write any more, and goes on once they have sent it.
func TestWhatRepeatsStopsWithoutTheRight(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		h := newHouse(t, db)
		s, ctx := h.node(t), t.Context()
		h.now = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)
		m := h.every(t, "a", 0, 1, 2, 3, 4, 5, 6)
		if _, err := db.Departure.Leave(ctx, h.user, h.room, h.now); err != nil {
			t.Fatal(err)
		}
		h.now = m.At
		s.sendDue(ctx)
		if left := h.left(t); len(left) != 1 || left[0].State != domain.ScheduledFailed ||
			left[0].Failure != domain.CodeNotAMember || h.said(t) != 0 {
			t.Fatalf("left are %+v", left)
		}
		if _, err := db.Rooms.Join(ctx, h.user, h.room, h.now); err != nil {
			t.Fatal(err)
		}
		h.now = h.now.Add(25 * time.Hour)
		if s.sendDue(ctx); h.said(t) != 0 {
			t.Error("what has stopped goes on by itself")
		}
		taken, err := db.Personal.TakeScheduled(ctx, h.user, "a", lease, h.now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.send(ctx, taken); err != nil {
			t.Fatal(err)
		}
		if left := h.left(t); h.said(t) != 1 || left[0].State != domain.ScheduledWaiting || !left[0].At.After(h.now) {
			t.Errorf("%d are sent, left are %+v", h.said(t), left)
		}
	})
}
