package httpx

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	retryBusy       = 2 * time.Second
	maxLargePerUser = 4 // large bodies of one caller that are read at a time
)

// An admission limits how many requests are answered at a time: of all together, and of
// one address. A request comes in once its body is read, so that who sends none
// takes no place.
type admission struct {
	limit   int // 0: any number
	busy    atomic.Int64
	refused atomic.Int64 // since there were too many
	addrs   *ratelimit.AddrCounter

	mu    sync.Mutex
	large map[string]int // large bodies that are being read, by who sends them
}

func newAdmission(most, ofAddr int) *admission {
	return &admission{limit: most, addrs: ratelimit.NewAddrCounter(ofAddr), large: make(map[string]int)}
}

// enter takes a place, for which leave must be called, or says why there is none.
func (g *admission) enter(addr netip.Addr) (leave func(), err error) {
	if g.limit == 0 {
		return func() {}, nil
	}
	if !g.addrs.Acquire(addr) {
		g.refused.Add(1)
		return nil, domain.Unavailable.Errorf(domain.CodeBusyAddress,
			"too many requests from your address at once; wait for some of them").After(retryBusy)
	}
	if g.busy.Add(1) > int64(g.limit) {
		g.busy.Add(-1)
		g.addrs.Release(addr)
		g.refused.Add(1)
		return nil, domain.Unavailable.Errorf(domain.CodeBusy, "the server is busy; try again").After(retryBusy)
	}
	return func() {
		g.addrs.Release(addr)
		g.busy.Add(-1)
	}, nil
}

// begin takes a place for a large body of caller, for which the returned function
// must be called. It reports false if there are enough of theirs already.
func (g *admission) begin(caller string) (end func(), ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.large[caller] >= maxLargePerUser {
		return nil, false
	}
	g.large[caller]++
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.large[caller]--; g.large[caller] == 0 {
			delete(g.large, caller)
		}
	}, true
}
