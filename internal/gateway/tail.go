package gateway

import (
	"context"
	"slices"
	"time"
)

const (
	headsAtOnce = 500              // rooms in one question to the log
	joinSlack   = 30 * time.Second // for other nodes' clocks, and what is about to be committed
)

// tailLoop compares, every few seconds, what was delivered with what the log
// holds: if the bus loses the last event of a room, no later one shows the gap.
func (g *Service) tailLoop(ctx context.Context) {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	joined := g.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.tail:
		}
		g.checkTails(ctx, g.rooms.all())
		joined = g.checkJoins(ctx, joined)
	}
}

// checkJoins finds who came into a room since the last time that it did, and whose
// connections here have not heard of it: that news goes to a person, and no room's
// numbers show that it was lost. It returns the time of this one.
func (g *Service) checkJoins(ctx context.Context, last time.Time) time.Time {
	now := g.Now()
	members, err := g.Rooms.JoinedSince(ctx, last.Add(-joinSlack))
	if err != nil {
		if ctx.Err() == nil {
			g.Logger.Warn("cannot look for new members of rooms; will try again", "error", err)
		}
		return last
	}
	for _, m := range members {
		r := g.rooms.get(m.Room)
		if slices.ContainsFunc(g.conns.ofUser(m.User.ID), func(c *conn) bool { return !r.has(c) }) {
			g.join(m.User.ID, m.Room)
		}
	}
	return now
}

// compareSoon has the next comparison begin now.
func (g *Service) compareSoon() {
	select {
	case g.tail <- struct{}{}:
	default: // it is asked for already
	}
}

// checkTails brings hubs up to the heads of their rooms.
func (g *Service) checkTails(ctx context.Context, all []*room) {
	for some := range slices.Chunk(all, headsAtOnce) {
		ids := make([]string, len(some))
		for i, r := range some {
			ids[i] = r.id
		}
		heads, err := g.Log.Heads(ctx, ids)
		if err != nil {
			if ctx.Err() == nil {
				g.Logger.Warn("cannot compare rooms with the log; will try again", "error", err)
			}
			return
		}
		for _, r := range some {
			r.compare(heads)
		}
	}
}

// compare brings the hub up to its room's head. It reports false if it could not.
func (r *room) compare(heads map[string]int64) bool {
	head, exists := heads[r.id]
	last := r.at()
	switch {
	case last == unknown || exists && head <= last:
	case !exists:
		r.vanish()
	default:
		r.deliver.Lock()
		defer r.deliver.Unlock()
		return r.catchUp(head)
	}
	return true
}
