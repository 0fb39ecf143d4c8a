package hub

import (
	"context"
	"math"
	"slices"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const unknown = -1

const forGood = math.MaxInt64 // no membership begins after this event

// room delivers to one room's members on this node: it exists while there is one.
//
// The rule that nothing is lost between the snapshot that a member gets at first and
// the events that follow: the room knows the last event that it delivered. A member
// whose snapshot is older than that is refused, and comes back with a new one. If its
// snapshot is newer, it gets events that it knows, and drops them by their number.
type room struct {
	hub  *Hub
	id   string
	stop func() // listening to the bus

	deliver  sync.Mutex // held while events go out, so that they go in order; never while waiting
	pending  []event    // heard before those that come before them; under deliver
	timed    bool       // overdue will be called; under deliver
	catching *catchUp   // the log is being read; under deliver

	mu     sync.Mutex
	groups []group
	index  map[*Member]subscription
	narrow int   // members who do not see the whole log
	last   int64 // the last event delivered; unknown before the first member
	dead   bool  // no longer in the table of rooms
}

// group has the members of a room that share a format.
type group struct {
	format  Format
	members []*Member
}

// subscription is where a member is in a room, and how far the snapshot goes that
// showed it to be one: a departure before that was followed by a return.
type subscription struct {
	group, position int32
	head            int64
	since           int64 // the last number that the member does not see
}

// rooms is the table of rooms with members here: get returns nil for any other.
type rooms struct {
	hub *Hub
	sharded[*room]
}

// open returns a room, which listens to the bus from now on. It must get a member,
// or be closed with closeIfEmpty.
func (rs *rooms) open(id string) (*room, error) {
	s := rs.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byID[id]; r != nil {
		return r, nil
	}
	r := &room{hub: rs.hub, id: id, index: make(map[*Member]subscription), last: unknown}
	stop, err := rs.hub.Bus.Subscribe(wire.RoomSubject(id), r.onBus)
	if err != nil {
		return nil, err
	}
	r.stop = stop
	s.byID[id] = r
	return r, nil
}

func (rs *rooms) closeIfEmpty(r *room) {
	s := rs.shard(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.index) > 0 || r.dead {
		return
	}
	r.dead = true
	delete(s.byID, r.id)
	r.stop()
}

// RoomCount returns how many rooms have a member here.
func (h *Hub) RoomCount() int { return h.rooms.count() }

// Follows reports whether m gets the events of a room.
func (h *Hub) Follows(m *Member, room string) bool { return h.rooms.get(room).has(m) }

// ViewOf returns what m sees of a room whose events it gets, and false if it gets none.
func (h *Hub) ViewOf(m *Member, room string) (domain.View, bool) { return h.rooms.get(room).viewOf(m) }

// Subscribe has m get the events of a room that follow the snapshot st. If the hub
// has delivered some already that st does not know, it loads another. It returns
// the one that counts, and false if m does not get the room's events.
func (h *Hub) Subscribe(ctx context.Context, m *Member, st domain.RoomState) (domain.RoomState, bool) {
	return h.subscribe(ctx, m, st, false)
}

// subscribe is Subscribe. With tell, m gets the snapshot before the first event.
func (h *Hub) subscribe(ctx context.Context, m *Member, st domain.RoomState, tell bool) (domain.RoomState, bool) {
	id := st.Room.ID
	for {
		r, err := h.rooms.open(id)
		if err != nil {
			h.Log.ErrorContext(ctx, "cannot listen to a room", "room", id, "err", err)
			return st, false
		}
		var frame []byte
		if tell {
			frame = m.queue.Format().Joined(st)
		}
		switch r.subscribe(m, st.Room.Head, st.Since, frame) {
		case subscribed:
			return st, true
		case memberEnded:
			h.rooms.closeIfEmpty(r)
			return st, false
		case roomClosed:
			continue
		}
		if st, err = h.Rooms.RoomState(ctx, m.user, id); err != nil {
			h.rooms.closeIfEmpty(r)
			if ctx.Err() == nil && domain.KindOf(err) == domain.Internal {
				h.Log.ErrorContext(ctx, "cannot load a room", "room", id, "err", err)
			}
			return st, false
		}
	}
}

// subscribeResult is what came of a room's subscribe.
type subscribeResult int

const (
	subscribed    subscribeResult = iota // now, or already
	snapshotStale                        // the snapshot is older than what was delivered
	roomClosed                           // open another
	memberEnded
)

// subscribe makes m a member whose snapshot goes as far as head, and who does not see what is up to since. The
// frame, if any, reaches m before any event that follows.
func (r *room) subscribe(m *Member, head, since int64, frame []byte) subscribeResult {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.index[m]
	switch {
	case r.dead:
		return roomClosed
	case known:
		if head >= was.head { // else it is an older snapshot
			r.count(was.since, -1)
			r.count(since, 1)
			was.head, was.since = head, since
		}
		r.index[m] = was
		return subscribed
	case r.last > head:
		return snapshotStale
	case !m.addRoom(r):
		return memberEnded
	}
	if r.last == unknown {
		r.last = head
		r.hub.newRooms.add(r)
	}
	at := slices.IndexFunc(r.groups, func(g group) bool { return g.format == m.queue.Format() })
	if at < 0 {
		at = len(r.groups)
		r.groups = append(r.groups, group{format: m.queue.Format()})
	}
	g := &r.groups[at]
	r.count(since, 1)
	r.index[m] = subscription{int32(at), int32(len(g.members)), head, since}
	g.members = append(g.members, m)
	r.hub.send(m, frame)
	return subscribed
}

// unsubscribe ends the membership of m, but for one that is known to have begun
// after the event seq. It reports whether m was a member.
func (r *room) unsubscribe(m *Member, seq int64) bool {
	r.mu.Lock()
	was := r.remove(m, seq)
	empty := len(r.index) == 0
	r.mu.Unlock()
	if empty {
		r.hub.rooms.closeIfEmpty(r)
	}
	return was
}

func (r *room) remove(m *Member, seq int64) bool {
	s, ok := r.index[m]
	if !ok || s.head >= seq {
		return false
	}
	g := &r.groups[s.group]
	end := len(g.members) - 1
	last := g.members[end]
	g.members[s.position] = last
	r.index[last] = subscription{s.group, s.position, r.index[last].head, r.index[last].since}
	r.count(s.since, -1)
	g.members[end] = nil
	g.members = g.members[:end]
	delete(r.index, m)
	m.removeRoom(r)
	return true
}

// count adds n to the members who do not see the whole log, if since is that of one.
func (r *room) count(since int64, n int) {
	if since > 0 {
		r.narrow += n
	}
}

// has reports whether m is a member.
func (r *room) has(m *Member) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.index[m]
	return ok
}

// viewOf returns what m sees of the room, and false if it is no member.
func (r *room) viewOf(m *Member) (domain.View, bool) {
	if r == nil {
		return domain.View{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s, ok := r.index[m]
	return domain.View{Room: r.id, Since: s.since}, ok
}

// delivered returns the number of the last event delivered.
func (r *room) delivered() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}
