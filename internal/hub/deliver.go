package hub

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	reorderWait = 30 * time.Millisecond // for what comes before; then it is read from the log
	maxPending  = 256                   // events of a room
)

// event is what the bus, or the log, says: in a room, or to a user.
type event struct {
	wire.Header
	payload []byte
}

func unpack(m bus.Message) (e event, err error) {
	e.Header, e.payload, err = wire.Unpack(m.Data)
	return e, err
}

// onBus takes what the bus says about the room.
func (r *room) onBus(m bus.Message) {
	e, err := unpack(m)
	if err != nil {
		r.hub.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	if e.Seq == 0 {
		r.notify(e)
		return
	}
	r.deliver.Lock()
	defer r.deliver.Unlock()
	last := r.delivered()
	switch {
	case last == unknown || e.Seq <= last:
	case e.Seq == last+1:
		r.send(e)
		r.release()
	default:
		r.hold(e)
	}
}

// hold keeps e until those before it have come: several nodes append to a room, and
// the news of one may overtake that of another. The log has what is missing, but a
// busy room would read it for every other event. The caller holds r.deliver.
func (r *room) hold(e event) {
	at, known := slices.BinarySearchFunc(r.pending, e.Seq, func(e event, seq int64) int { return int(e.Seq - seq) })
	switch {
	case known:
	case len(r.pending) == maxPending:
		r.catchUp(e.Seq) // e itself is read as well
	default:
		r.pending = slices.Insert(r.pending, at, e)
		r.wait()
	}
}

// wait has what is missing before the pending events read from the log, if it does
// not come soon. The caller holds r.deliver.
func (r *room) wait() {
	if !r.timed && r.catching == nil {
		r.timed = true
		time.AfterFunc(reorderWait, r.overdue)
	}
}

// overdue reads from the log what did not come in time.
func (r *room) overdue() {
	r.deliver.Lock()
	defer r.deliver.Unlock()
	r.timed = false
	if len(r.pending) > 0 {
		r.catchUp(r.pending[0].Seq - 1)
	}
}

// release delivers the pending events whose turn has come, and forgets those that
// were delivered meanwhile. The caller holds r.deliver.
func (r *room) release() {
	n := 0
	for ; n < len(r.pending) && r.pending[n].Seq <= r.delivered()+1; n++ {
		if e := r.pending[n]; e.Seq > r.delivered() {
			r.send(e)
		}
	}
	r.pending = slices.Delete(r.pending, 0, n)
}

// send delivers one event: the next one. The caller holds r.deliver.
func (r *room) send(e event) {
	_, span := r.hub.Trace.Continue(context.Background(), "hub.deliver", e.Trace)
	span.Room(r.id, e.Seq)
	defer span.End(nil)
	r.mu.Lock()
	r.last = e.Seq
	for i := range r.groups {
		if g := &r.groups[i]; len(g.members) > 0 {
			r.hub.spread(g, g.format.Event(e.Header, e.payload), r.narrowed(g, e), e.Header, true, "")
		}
	}
	r.mu.Unlock()
	r.hub.metrics.events.Inc()
	if reason := domain.EventType(e.Type).Leaves(); reason != "" {
		r.expel(e.Subject, string(reason), e.Seq)
	}
}

// notify delivers what is in no log, to all but whoever it is from.
func (r *room) notify(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.groups {
		if g := &r.groups[i]; len(g.members) > 0 {
			r.hub.spread(g, g.format.Event(e.Header, e.payload), nil, wire.Header{}, false, e.Actor)
		}
	}
}

// reset tells the members that events they need are no longer kept, and goes on
// after the event head. The caller holds r.deliver.
func (r *room) reset(head int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = head
	r.hub.metrics.resets.Inc()
	for i := range r.groups {
		if g := &r.groups[i]; len(g.members) > 0 {
			r.hub.spread(g, g.format.Reset(r.id), nil, wire.Header{}, true, "")
		}
	}
}

// spread queues a frame for the members of g but those of the user except, and
// hands the writing over. instead, unless it is nil, returns the frame for a member who does not see all of it. e is of
// which event it is; zero: of none. The caller holds the room's mu.
func (h *Hub) spread(
	g *group, frame []byte, instead func(*Member) (frame []byte, other bool), e wire.Header, needed bool, except string,
) {
	if frame == nil {
		return
	}
	b := h.batch(e.At, e.Trace)
	for _, m := range g.members {
		if except != "" && m.user == except {
			continue
		}
		own := frame
		if instead != nil {
			if other, is := instead(m); is {
				own = other
			}
		}
		if own != nil && m.offer(own, needed) && b.add(m) {
			g.format.Flush(b)
			b = h.batch(e.At, e.Trace)
		}
	}
	g.format.Flush(b)
}

// expel removes the members of a user who left by the event seq, and tells them.
func (r *room) expel(user, reason string, seq int64) {
	for _, m := range r.hub.MembersOf(user) {
		if r.unsubscribe(m, seq) {
			r.hub.send(m, m.queue.Format().Left(r.id, reason))
		}
	}
	r.hub.left(user)
}

// removeAll removes all members of a room that was deleted, and tells them and
// presence.
func (r *room) removeAll() {
	r.mu.Lock()
	var all []*Member
	for _, g := range r.groups {
		all = append(all, g.members...)
	}
	r.mu.Unlock()
	users := make(map[string]bool)
	for _, m := range all {
		if r.unsubscribe(m, forGood) {
			r.hub.send(m, m.queue.Format().Left(r.id, "deleted"))
			users[m.user] = true
		}
	}
	for user := range users {
		r.hub.left(user)
	}
}
