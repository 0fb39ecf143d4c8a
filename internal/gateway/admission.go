package gateway

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/unhidra/unhidra/internal/hub"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// admission counts the connections, by address, and says when none is let in any
// more.
type admission struct {
	count atomic.Int64

	mu     sync.Mutex
	closed bool
	empty  chan struct{} // closed when closed and without connections
	addrs  *ratelimit.AddrCounter
}

func (a *admission) init(perAddr int) {
	a.empty = make(chan struct{})
	a.addrs = ratelimit.NewAddrCounter(perAddr)
}

// admit counts a connection from addr. It reports false if there are too many of
// them already, or, with draining, if none is admitted any more.
func (a *admission) admit(addr netip.Addr) (ok, draining bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return false, true
	}
	if !a.addrs.Acquire(addr) {
		return false, false
	}
	a.count.Add(1)
	return true, false
}

// release undoes admit.
func (a *admission) release(addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.addrs.Release(addr)
	if a.count.Add(-1) == 0 && a.closed {
		close(a.empty)
	}
}

// close admits no more connections, and returns a channel that is closed when
// the last one has gone.
func (a *admission) close() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		if a.count.Load() == 0 {
			close(a.empty)
		}
	}
	return a.empty
}

// connsOf returns the connections of a user.
func (g *Service) connsOf(user string) []*conn { return conns(g.Hub.MembersOf(user), nil) }

// allConns returns every connection.
func (g *Service) allConns() []*conn {
	var some []*hub.Member
	var all []*conn
	for part := range hub.Shards {
		some = g.Hub.Members(part, some[:0])
		all = conns(some, all)
	}
	return all
}

// conns appends to some those of the hub's members that are connections of the
// gateway.
func conns(members []*hub.Member, some []*conn) []*conn {
	for _, m := range members {
		if c, ok := m.Queue().(*conn); ok {
			some = append(some, c)
		}
	}
	return some
}
