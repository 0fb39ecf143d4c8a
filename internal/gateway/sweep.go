package gateway

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/wire"
	"github.com/unhidra/unhidra/internal/ws"
)

const (
	sweepTick   = 250 * time.Millisecond
	sweepShards = hub.Shards / 8 // at each tick; all in two seconds
)

// sweepLoop looks at every connection every two seconds, instead of a timer
// for each.
func (g *Service) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepTick)
	defer tick.Stop()
	var members []*hub.Member
	var some []*conn
	for at := 0; ; {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for range sweepShards {
			members = g.Hub.Members(at, members[:0])
			some = conns(members, some[:0])
			at = (at + 1) % hub.Shards
			for _, c := range some {
				c.sweep(g.Now())
			}
			clear(members)
			clear(some)
		}
	}
}

var pingFrame = ws.AppendFrame(nil, ws.Ping, nil)

// leaves returns when a connection that begins now is too old: in the second half of its
// time at random, so that those that came together do not go together. A 0 means never.
func (g *Service) leaves(now time.Time) int64 {
	if g.Age < 2 {
		return 0
	}
	return now.Add(g.Age/2 + rand.N(g.Age/2)).UnixNano()
}

// sweep ends c if it is dead, its token has ended or it is too old, and pings it when it is
// time.
func (c *conn) sweep(now time.Time) {
	if c.closing.Load() {
		return
	}
	if now.UnixNano()-c.heard.Load() > int64(deadAfter) {
		c.close(wire.CloseTimeout, "nothing was heard for too long", "timeout", true)
		return
	}
	if end := c.expires.Load(); end != 0 && now.UnixNano() > end+int64(tokenGrace) {
		c.close(wire.CloseToken, "the token has ended; refresh it", "token", false)
		return
	}
	if c.leaves != 0 && now.UnixNano() > c.leaves {
		c.close(wire.CloseRestarting, "0", "age", false) // to whichever node has room
		return
	}
	if now.UnixNano()-c.pinged.Load() >= int64(heartbeat) {
		c.pinged.Store(now.UnixNano())
		c.push(pingFrame)
	}
}
