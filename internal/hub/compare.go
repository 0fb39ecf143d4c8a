package hub

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	compareEvery = 3 * time.Second
	headsAtOnce  = 500              // rooms in one question to the log
	joinSlack    = 30 * time.Second // for other nodes' clocks, and what is about to be committed
)

// newRooms are those that have just been opened. What was committed between a
// member's snapshot and the subscription to the bus is found by comparing them.
type newRooms struct {
	mu    sync.Mutex
	rooms []*room
	some  chan struct{} // there are some
}

func (n *newRooms) init() { n.some = make(chan struct{}, 1) }

func (n *newRooms) add(r *room) {
	n.mu.Lock()
	n.rooms = append(n.rooms, r)
	n.mu.Unlock()
	signal(n.some)
}

func (n *newRooms) take() []*room {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := n.rooms
	n.rooms = nil
	return all
}

// signal wakes whoever receives from c, a channel with a buffer of one.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is awake already
	}
}

// CompareSoon has the next comparison with the log begin now.
func (h *Hub) CompareSoon() { signal(h.compareSoon) }

// compareLoop compares, every few seconds, what was delivered with what the log
// holds: if the bus loses the last event of a room, no later one shows the gap.
func (h *Hub) compareLoop(ctx context.Context) {
	tick := time.NewTicker(compareEvery)
	defer tick.Stop()
	joined := h.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.newRooms.some:
			h.compare(ctx, h.newRooms.take())
			continue
		case <-tick.C:
		case <-h.compareSoon:
		}
		h.compare(ctx, h.rooms.all())
		joined = h.findJoins(ctx, joined)
	}
}

// findJoins finds who came into a room since the last time that it did, and whose
// members here have not heard of it: that news goes to a person, and no room's
// numbers show that it was lost. It returns the time of this one.
func (h *Hub) findJoins(ctx context.Context, last time.Time) time.Time {
	now := h.Now()
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	members, err := h.Rooms.JoinedSince(ctx, last.Add(-joinSlack))
	if err != nil {
		if ctx.Err() == nil {
			h.Log.WarnContext(ctx, "cannot look for new members of rooms; will try again", "err", err)
		}
		return last
	}
	for _, m := range members {
		r := h.rooms.get(m.Room)
		if slices.ContainsFunc(h.MembersOf(m.User.ID), func(m *Member) bool { return !r.has(m) }) {
			h.join(m.User.ID, m.Room)
		}
	}
	return now
}

// compare starts catch-ups for rooms that are behind their logs, and returns them.
// The members of rooms that are deleted are told.
func (h *Hub) compare(ctx context.Context, all []*room) (started []*catchUp) {
	for some := range slices.Chunk(all, headsAtOnce) {
		heads, err := h.heads(ctx, some)
		if err != nil {
			if ctx.Err() == nil {
				h.Log.WarnContext(ctx, "cannot compare rooms with the log; will try again", "err", err)
			}
			return started
		}
		for _, r := range some {
			head, exists := heads[r.id]
			switch {
			case !exists && r.delivered() != unknown:
				r.removeAll()
			case exists && head > r.delivered():
				if c := r.behind(head); c != nil {
					started = append(started, c)
				}
			}
		}
	}
	return started
}

func (h *Hub) heads(ctx context.Context, rooms []*room) (map[string]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTime)
	defer cancel()
	ids := make([]string, len(rooms))
	for i, r := range rooms {
		ids[i] = r.id
	}
	return h.RoomLog.Heads(ctx, ids)
}
