package hub

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// world is a store, and presence, in memory.
type world struct {
	bus *bus.Local

	mu     sync.Mutex
	logs   map[string][]domain.Event
	floor  map[string]int64           // the last event that is no longer kept
	in     map[string]map[string]bool // room, user
	lose   bool                       // the bus loses what is published
	fail   error                      // of every replay
	reads  int                        // replays
	hangs  map[string]chan struct{}   // replays of a room, until it is closed
	left   []string                   // what presence was told
	hasty  []string                   // of these, without the time to ask the store
	absent chan struct{}              // presence hangs until it is closed
}

func newWorld() *world {
	return &world{
		bus: bus.NewLocal(), logs: map[string][]domain.Event{}, floor: map[string]int64{},
		in: map[string]map[string]bool{}, hangs: map[string]chan struct{}{},
	}
}

func (w *world) state(room string) domain.RoomState {
	return domain.RoomState{Room: domain.Room{ID: room, Head: int64(len(w.logs[room]))}}
}

func (w *world) RoomState(_ context.Context, user, room string) (domain.RoomState, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.in[room][user] {
		return domain.RoomState{}, domain.ErrNoRoom()
	}
	return w.state(room), nil
}

func (w *world) JoinedSince(context.Context, time.Time) (ms []domain.Member, _ error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for room, in := range w.in {
		for user := range in {
			ms = append(ms, domain.Member{Room: room, User: domain.UserRef{ID: user}})
		}
	}
	return ms, nil
}

func (w *world) SharesRoom(context.Context, string, []string) ([]string, error) { return nil, nil }

func (w *world) Replay(_ context.Context, v domain.View, after int64, limit int) ([]domain.Event, error) {
	w.mu.Lock()
	hang := w.hangs[v.Room]
	w.reads++
	w.mu.Unlock()
	if hang != nil {
		<-hang
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	after = max(after, w.floor[v.Room])
	if log := w.logs[v.Room]; w.fail == nil && after < int64(len(log)) {
		return slices.Clone(log[after:min(int(after)+limit, len(log))]), nil
	}
	return nil, w.fail
}

func (w *world) Heads(_ context.Context, rooms []string) (map[string]int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	heads := make(map[string]int64)
	for _, r := range rooms {
		if _, ok := w.in[r]; ok {
			heads[r] = int64(len(w.logs[r]))
		}
	}
	return heads, nil
}

func (w *world) OnLeft(ctx context.Context, user string) {
	w.mu.Lock()
	absent := w.absent
	w.mu.Unlock()
	if ctx.Err() != nil {
		w.set(func() { w.hasty = append(w.hasty, user) })
	} else if absent != nil {
		<-absent
	}
	w.set(func() { w.left = append(w.left, user) })
}

func (w *world) set(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
}

// add appends an event and, if the bus does not lose it, tells the room.
func (w *world) add(room string, e domain.Event) int64 {
	w.mu.Lock()
	e.Room, e.Seq, e.At = room, int64(len(w.logs[room])+1), time.Now()
	w.logs[room] = append(w.logs[room], e)
	lose := w.lose
	w.mu.Unlock()
	if !lose {
		w.tell(room, e.Seq)
	}
	return e.Seq
}

// tell has the bus bring an event of the log.
func (w *world) tell(room string, seq int64) {
	w.mu.Lock()
	e := w.logs[room][seq-1]
	w.mu.Unlock()
	b, err := wire.PackEvent(e)
	if err != nil {
		panic(err)
	}
	_ = w.bus.Publish(wire.RoomSubject(room), b)
}

func (w *world) say(room string) int64 {
	return w.add(room, domain.Event{Type: domain.MessageCreated, Message: &domain.Message{Text: "hi"}})
}

func (w *world) join(user, room string) {
	w.set(func() {
		if w.in[room] == nil {
			w.in[room] = map[string]bool{}
		}
		w.in[room][user] = true
	})
	w.add(room, domain.Event{Type: domain.MemberJoined, Subject: &domain.UserRef{ID: user}})
}

func (w *world) kick(user, room string) {
	w.set(func() { delete(w.in[room], user) })
	w.add(room, domain.Event{Type: domain.MemberKicked, Subject: &domain.UserRef{ID: user}})
}

// plain is a format whose frames are words.
type plain struct {
	encoded atomic.Int64 // events and notices
}

func (f *plain) Event(h wire.Header, _ []byte) []byte {
	f.encoded.Add(1)
	if h.Seq == 0 {
		return []byte(h.Type)
	}
	return fmt.Append(nil, h.Seq)
}

func (*plain) Joined(st domain.RoomState) []byte {
	return fmt.Appendf(nil, "joined %s at %d", st.Room.ID, st.Room.Head)
}
func (*plain) Left(room, reason string) []byte { return fmt.Appendf(nil, "%s %s", reason, room) }
func (*plain) Reset(room string) []byte        { return []byte("reset " + room) }

func (*plain) Flush(b *Batch) {
	for _, m := range b.Members() {
		m.Queue().(*listener).flush()
	}
	b.Free()
}

// listener is a member that remembers what it got.
type listener struct {
	Member
	format  Format
	mu      sync.Mutex
	got     []string
	unsent  []string
	full    bool // takes nothing
	dropped bool // for being slow
}

func (l *listener) Offer(frame []byte) Offered {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full {
		return Full
	}
	l.unsent = append(l.unsent, string(frame))
	return Unsent
}

func (l *listener) Format() Format { return l.format }

func (l *listener) Overflow() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped = true
	return false
}

func (l *listener) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.got, l.unsent = append(l.got, l.unsent...), nil
}

// takes returns what l got since the last time, once nothing moves any more.
func (l *listener) takes() []string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// expect compares that with what it should be.
func (l *listener) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if got := l.takes(); !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", when, got, want)
	}
}

// node is a hub that runs.
type node struct {
	*world
	h *Hub
	f *plain
}

func start(t *testing.T, w *world) *node {
	n := &node{world: w, f: &plain{}}
	n.h = New(Deps{Rooms: w, RoomLog: w, Presence: w, Bus: w.bus, Log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.h.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return n
}

// enter is a new member of a user, who is in these rooms already.
func (n *node) enter(t *testing.T, user string, rooms ...string) *listener {
	t.Helper()
	return n.enterBy(t, n.f, user, rooms...)
}

func (n *node) enterBy(t *testing.T, f Format, user string, rooms ...string) *listener {
	t.Helper()
	l := &listener{}
	l.format = f
	l.Init(user, l)
	if ok, err := n.h.Reserve(user, 0); !ok || err != nil {
		t.Fatal(ok, err)
	}
	n.h.Add(&l.Member)
	for _, room := range rooms {
		st, err := n.RoomState(t.Context(), user, room)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := n.h.Subscribe(t.Context(), &l.Member, st); !ok {
			t.Fatalf("%s does not get the events of %s", user, room)
		}
	}
	return l
}
