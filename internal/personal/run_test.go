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
