package hub

import (
	"slices"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// Format is how a transport says things to its members, and has them written out.
// What its encoders return is shared by all members of the format and never
// changed; nil says nothing to them. No method may wait, nor
// call the hub; calls overlap.
type Format interface {
	// Event encodes what came by the bus: an event of a room, a notice that is in
	// no log, or what is said to one user. It is called once for all members.
	Event(h wire.Header, payload []byte) []byte
	// Joined says that the member gets the events of a room from now on, after
	// those that the snapshot knows.
	Joined(st domain.RoomState) []byte
	// Left says that the member gets no more of a room's events.
	Left(room, reason string) []byte
	// Reset says that events which the member needs are no longer kept: the room
	// must be loaded again.
	Reset(room string) []byte
	// Flush has the queues of b's members written out. It calls b.Free at the end.
	Flush(b *Batch)
}

// Queue is where a transport keeps what waits to be sent to one member. It is
// bounded.
type Queue interface {
	// Format is how the member is spoken to. It never changes.
	Format() Format
	// Offer adds a frame at the end. It does not wait.
	Offer(frame []byte) Offered
	// Overflow ends the member, which has missed something that it needs. It will
	// come back and catch up with the log. Overflow reports whether the queue must be
	// flushed.
	Overflow() (flush bool)
}

// Offered is what came of an offer.
type Offered int

const (
	Taken  Offered = iota // it will be sent, or the member has ended
	Unsent                // taken, and whoever offered it must have the queue flushed
	Full                  // not taken
)

// Member is one connection, or session, of a user. A transport has one in each of
// its own, and calls Init before anything else.
type Member struct {
	user  string
	queue Queue

	mu    sync.Mutex
	rooms []*room
	ended bool
}

// Init says whose member it is, and what waits for it where.
func (m *Member) Init(user string, q Queue) { m.user, m.queue = user, q }

// Queue returns the queue that Init was given.
func (m *Member) Queue() Queue { return m.queue }

// Rooms returns how many rooms m gets the events of.
func (m *Member) Rooms() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.rooms)
}

// addRoom and removeRoom keep m's list of rooms; m refuses once it has ended.
func (m *Member) addRoom(r *room) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return false
	}
	m.rooms = append(m.rooms, r)
	return true
}

func (m *Member) removeRoom(r *room) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rooms = slices.DeleteFunc(m.rooms, func(x *room) bool { return x == r })
}

// end refuses all rooms from now on, and returns those that m is in.
func (m *Member) end() []*room {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
	return slices.Clone(m.rooms)
}

// offer queues a frame for m, and reports whether the queue must be flushed. This is
// the policy for those who read too slowly: whoever has no room for what they need
// is ended, and whoever has none for what may be lost does not get it.
func (m *Member) offer(frame []byte, needed bool) (flush bool) {
	switch m.queue.Offer(frame) {
	case Unsent:
		return true
	case Full:
		return needed && m.queue.Overflow()
	}
	return false
}

// send queues a frame for m, and has it written out.
func (h *Hub) send(m *Member, frame []byte) {
	if frame == nil || !m.offer(frame, true) {
		return
	}
	b := h.batch(0, "")
	b.add(m)
	m.queue.Format().Flush(b)
}

const batchSize = 64

// Batch is a handful of members of one format that have something to be written.
type Batch struct {
	At    int64  // when the event was accepted, Unix milliseconds; 0: not an event
	Trace string // traceparent of the event; empty: it is not traced

	members [batchSize]*Member
	n       int
	pool    *sync.Pool
}

func (h *Hub) batch(at int64, trace string) *Batch {
	b := h.batches.Get().(*Batch)
	b.At, b.Trace = at, trace
	return b
}

// add reports whether b is full.
func (b *Batch) add(m *Member) bool {
	b.members[b.n] = m
	b.n++
	return b.n == batchSize
}

// Members returns those whose queues must be flushed.
func (b *Batch) Members() []*Member { return b.members[:b.n] }

// Free gives b back. It must not be used afterwards.
func (b *Batch) Free() {
	clear(b.members[:b.n])
	b.n = 0
	b.pool.Put(b)
}
