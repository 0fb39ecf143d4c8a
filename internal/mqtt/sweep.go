package mqtt

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const (
	sweepEvery = time.Second
	drainGrace = 6 * time.Second
)

// sweepLoop looks at every connection each second, instead of a timer for each.
func (s *Service) sweepLoop(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	shares := s.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.Others && s.Now().Sub(shares) >= sharesEvery {
			shares = s.Now()
			s.tellAllShares()
		}
		now := s.Now()
		for _, c := range s.all() {
			c.sweep(now)
		}
	}
}

// sweep ends c if it is dead or its token has ended.
func (c *conn) sweep(now time.Time) {
	if !c.ready.Load() {
		return
	}
	if c.keepalive > 0 && now.UnixNano()-c.heard.Load() > int64(c.keepalive)*3/2 {
		c.kick(packet.KeepAliveTimeout, "timeout")
		return
	}
	if e := c.who.Expires; !e.IsZero() && now.After(e.Add(tokenGrace)) {
		c.kick(administrative, "token")
	}
}

// drain ends all connections, spread over the configured time, and waits until they are gone.
func (s *Service) drain() {
	s.mu.Lock()
	s.draining = true
	if len(s.conns) == 0 {
		close(s.empty)
	}
	s.mu.Unlock()
	all := s.all()
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	start := time.Now()
	for i, c := range all {
		due := time.Duration(float64(s.Drain) * float64(i) / float64(len(all)))
		if wait := due - time.Since(start); wait > 5*time.Millisecond {
			time.Sleep(wait)
		}
		if c.ready.Load() {
			c.kick(packet.ShuttingDown, "restart")
		} else {
			_ = c.nc.Close()
		}
	}
	select {
	case <-s.empty:
	case <-time.After(drainGrace):
		for _, c := range s.all() {
			_ = c.nc.Close()
		}
		<-s.empty // soon: what they do yet is bounded by publishTime
	}
}
