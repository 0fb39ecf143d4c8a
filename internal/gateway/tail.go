package gateway

import (
	"context"
	"slices"
	"time"
)

const headsAtOnce = 500 // rooms in one question to the log

// tailLoop compares, every few seconds, what was delivered with what the log
// holds: if the bus loses the last event of a room, no later one shows the gap.
func (g *Service) tailLoop(ctx context.Context) {
	tick := time.NewTicker(tailEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.tail:
		}
		g.checkTails(ctx, g.rooms.all())
	}
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

func (r *room) compare(heads map[string]int64) {
	head, exists := heads[r.id]
	last := r.at()
	switch {
	case last == unknown || exists && head <= last:
	case !exists:
		r.vanish()
	default:
		r.deliver.Lock()
		defer r.deliver.Unlock()
		r.catchUp(head)
	}
}
