package gateway

import (
	"context"
	"hash/maphash"
	"math"
	"slices"
	"sync"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

const unknown = -1

const forGood = math.MaxInt64 // no membership begins after this event

// place is where a connection is in a room's members, and how far the snapshot
// goes that showed it to be one: a departure before that was followed by a
// return.
type place struct {
	at   int
	seen int64
}

// room is the hub of one room on this node: it exists while a member is
// connected here.
//
// The rule that nothing is lost between what a connection is told at first (the
// snapshot: hello or room.joined) and what it gets from the hub: the hub knows
// the last event that it delivered. A connection whose snapshot is older than
// that is refused, and comes back with a new one. If its snapshot is newer, it
// gets events that it knows, and drops them by their number.
type room struct {
	g     *Service
	id    string
	unsub func()

	deliver sync.Mutex // held while events go out, so that they go in order
	early   []early    // heard before those that come before them; under deliver

	mu      sync.Mutex
	members []*conn
	index   map[*conn]place
	last    int64 // the last event delivered; unknown before the first member
	dead    bool  // no longer in the table of rooms
}

// rooms is the table of hubs.
type rooms struct {
	g      *Service
	seed   maphash.Seed
	shards [64]roomShard
}

type roomShard struct {
	mu    sync.RWMutex
	rooms map[string]*room
}

func (rs *rooms) init(g *Service) {
	rs.g, rs.seed = g, maphash.MakeSeed()
	for i := range rs.shards {
		rs.shards[i].rooms = make(map[string]*room)
	}
}

func (rs *rooms) shard(id string) *roomShard {
	return &rs.shards[maphash.String(rs.seed, id)%uint64(len(rs.shards))]
}

// get returns the hub of a room, or nil.
func (rs *rooms) get(id string) *room {
	s := rs.shard(id)
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.rooms[id]
}

// open returns the hub of a room, which listens to the bus from now on. It
// must get a member, or be closed with closeIfEmpty.
func (rs *rooms) open(id string) (r *room, fresh bool, err error) {
	s := rs.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.rooms[id]; r != nil {
		return r, false, nil
	}
	r = &room{g: rs.g, id: id, index: make(map[*conn]place), last: unknown}
	r.unsub, err = rs.g.Bus.Subscribe(wire.RoomSubject(id), r.onBus)
	if err != nil {
		return nil, false, err
	}
	s.rooms[id] = r
	return r, true, nil
}

func (rs *rooms) closeIfEmpty(r *room) {
	s := rs.shard(r.id)
	s.mu.Lock()
	defer s.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.members) > 0 || r.dead {
		return
	}
	r.dead = true
	delete(s.rooms, r.id)
	r.unsub()
}

// all returns every hub.
func (rs *rooms) all() []*room {
	var all []*room
	for i := range rs.shards {
		s := &rs.shards[i]
		s.mu.RLock()
		for _, r := range s.rooms {
			all = append(all, r)
		}
		s.mu.RUnlock()
	}
	return all
}

// attached is what came of attach.
type attached int

const (
	isIn    attached = iota
	wasIn            // already
	stale            // the snapshot is older than what the hub has delivered
	closed           // the hub is gone; open another
	hasLeft          // the connection has ended
)

// attach makes c a member whose snapshot goes as far as head. The frame, if
// any, reaches c before any event that follows.
func (r *room) attach(c *conn, head int64, frame []byte) attached {
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.index[c]
	switch {
	case r.dead:
		return closed
	case known:
		r.index[c] = place{was.at, max(was.seen, head)}
		return wasIn
	case r.last > head:
		return stale
	case !c.joins(r):
		return hasLeft
	}
	if r.last == unknown {
		r.last = head
	}
	r.index[c] = place{len(r.members), head}
	r.members = append(r.members, c)
	if frame != nil {
		if c.offer(frame) {
			go c.flush()
		}
	}
	return isIn
}

// detach ends the membership of c, but for one that is known to have begun
// after the event seq. It reports whether c was a member.
func (r *room) detach(c *conn, seq int64) bool {
	r.mu.Lock()
	was := r.remove(c, seq)
	empty := len(r.members) == 0
	r.mu.Unlock()
	if empty {
		r.g.rooms.closeIfEmpty(r)
	}
	return was
}

func (r *room) remove(c *conn, seq int64) bool {
	p, ok := r.index[c]
	if !ok || p.seen >= seq {
		return false
	}
	end := len(r.members) - 1
	last := r.members[end]
	r.members[p.at] = last
	r.index[last] = place{p.at, r.index[last].seen}
	r.members[end] = nil
	r.members = r.members[:end]
	delete(r.index, c)
	c.parts(r)
	return true
}

// has reports whether c is a member.
func (r *room) has(c *conn) bool {
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.index[c]
	return ok
}

// joins and parts keep c's own list of rooms; c refuses once it has ended.
func (c *conn) joins(r *room) bool {
	c.roomMu.Lock()
	defer c.roomMu.Unlock()
	if c.gone {
		return false
	}
	c.joined = append(c.joined, r)
	return true
}

func (c *conn) parts(r *room) {
	c.roomMu.Lock()
	defer c.roomMu.Unlock()
	c.joined = slices.DeleteFunc(c.joined, func(x *room) bool { return x == r })
}

func (c *conn) leaveAll() {
	c.roomMu.Lock()
	c.gone = true
	all := slices.Clone(c.joined)
	c.roomMu.Unlock()
	for _, r := range all {
		r.detach(c, forGood)
	}
}

// onBus takes what the bus says about the room.
func (r *room) onBus(m bus.Message) {
	h, frame, err := wire.Unpack(m.Data)
	if err != nil {
		r.g.Logger.Error("bus message that is not understood", "subject", m.Subject, "error", err)
		return
	}
	if h.Seq == 0 {
		r.tell(h, frame)
		return
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	last := r.at()
	switch {
	case last == unknown || h.Seq <= last:
		return
	case h.Seq > last+1:
		r.hold(early{h, frame})
		return
	}
	r.out(h, frame)
	r.release()
}

// at returns the number of the last event delivered.
func (r *room) at() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// catchUp delivers from the log what was missed, at least as far as head. The
// caller holds r.deliver.
func (r *room) catchUp(head int64) bool {
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	for last := r.at(); last < head; last = r.at() {
		events, err := r.g.Log.Replay(ctx, r.id, last, domain.MaxReplay)
		if err != nil {
			r.g.Logger.Warn("cannot read what a room missed; will try again", "room", r.id, "after", last, "error", err)
			return false
		}
		if len(events) == 0 || events[0].Seq != last+1 {
			r.reset(head)
			return true
		}
		r.g.metrics.gaps.Add(float64(len(events)))
		for _, e := range events {
			frame, err := wire.EncodeEvent(e)
			if err != nil {
				r.g.Logger.Error("event that cannot be encoded", "room", r.id, "seq", e.Seq, "error", err)
				return false
			}
			h := wire.Header{Seq: e.Seq, Type: string(e.Type), Actor: e.Actor.ID, At: e.At.UnixMilli()}
			if e.Subject != nil {
				h.Subject = e.Subject.ID
			}
			r.out(h, frame)
		}
	}
	return true
}

// reset tells the members that events they need are no longer kept.
func (r *room) reset(head int64) {
	frame := encode(wire.Reply{Type: wire.TypeRoomReset, Data: wire.InRoom{Room: r.id}})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = head
	r.spread(frame, 0, "")
}

// out delivers one event: the next one. The caller holds r.deliver.
func (r *room) out(h wire.Header, frame []byte) {
	framed := ws.AppendFrame(make([]byte, 0, len(frame)+ws.MaxHeader), ws.Text, frame)
	r.mu.Lock()
	r.last = h.Seq
	r.spread(framed, h.At, "")
	r.mu.Unlock()
	r.g.metrics.events.Inc()
	if reason := domain.EventType(h.Type).Leaves(); reason != "" {
		r.expel(h.Subject, string(reason), h.Seq)
	}
}

// tell delivers what is not logged, to all but whoever it is from.
func (r *room) tell(h wire.Header, frame []byte) {
	framed := ws.AppendFrame(make([]byte, 0, len(frame)+ws.MaxHeader), ws.Text, frame)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spread(framed, 0, h.Actor)
}

// spread queues a frame for all members but those of one user, and hands the
// writing over. The caller holds r.mu.
func (r *room) spread(framed []byte, at int64, except string) {
	f := &r.g.flushers
	b := f.batch(at)
	for _, c := range r.members {
		if except != "" && c.user.ID == except {
			continue
		}
		if !c.offer(framed) {
			continue
		}
		b.conns[b.n] = c
		if b.n++; b.n == batchSize {
			f.hand(b)
			b = f.batch(at)
		}
	}
	f.hand(b)
}

// expel removes the connections of a user who left by the event seq, and tells
// them.
func (r *room) expel(user, reason string, seq int64) {
	frame := encode(wire.Reply{Type: wire.TypeRoomLeft, Data: wire.Left{Room: r.id, Reason: reason}})
	for _, c := range r.g.conns.ofUser(user) {
		if r.detach(c, seq) && c.offer(frame) {
			go c.flush()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTime)
	defer cancel()
	r.g.Presence.Left(ctx, user)
}

// vanish is what happens when the room was deleted.
func (r *room) vanish() {
	frame := encode(wire.Reply{Type: wire.TypeRoomLeft, Data: wire.Left{Room: r.id, Reason: "deleted"}})
	r.mu.Lock()
	all := slices.Clone(r.members)
	r.mu.Unlock()
	for _, c := range all {
		if r.detach(c, forGood) && c.offer(frame) {
			go c.flush()
		}
	}
}
