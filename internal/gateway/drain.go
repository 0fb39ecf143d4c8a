package gateway

import (
	"context"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/wire"
)

const (
	returnWithin = 5               // seconds over which clients come back after a restart
	moveWithin   = 1               // and to another node, which they are spread over already by Drain
	catchUpTime  = 2 * time.Second // for the events that have not been delivered
	drainGrace   = 6 * time.Second // for the last connections to go
)

// drain ends all connections, spread over the configured time. What waits for
// them is sent first.
func (g *Service) drain() {
	g.draining.Store(true)
	empty := g.conns.close()
	ctx, cancel := context.WithTimeout(context.Background(), catchUpTime)
	g.Hub.CatchUpAll(ctx) // what is acknowledged and still on the bus
	cancel()
	all := g.allConns()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	within := returnWithin
	if g.Others {
		within = moveWithin
	}
	start := time.Now()
	for i, c := range all {
		due := time.Duration(float64(g.Drain) * float64(i) / float64(len(all)))
		if wait := due - time.Since(start); wait > 5*time.Millisecond {
			time.Sleep(wait)
		}
		c.close(wire.CloseRestarting, strconv.Itoa(1+rand.IntN(within)), "restart", false)
	}
	select {
	case <-empty:
	case <-time.After(drainGrace):
		for _, c := range g.allConns() {
			_ = c.nc.Close()
		}
	}
}
