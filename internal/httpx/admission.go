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
	maxLargePerUser = 4 // large bodies of one caller that are read concurrently
)

// An admission limits concurrent requests: of all clients together, and of one address. A request
// counts only after its body has been read, so that clients that send no body occupy nothing.
type admission struct {
	limit   int // 0: any number
	busy    atomic.Int64
	refused atomic.Int64 // since the start
	addrs   *ratelimit.AddrCounter

	mu    sync.Mutex
	large map[string]int // large bodies being read, by caller
}

func newAdmission(most, ofAddr int) *admission {
	return &admission{limit: most, addrs: ratelimit.NewAddrCounter(ofAddr), large: make(map[string]int)}
}

// enter admits a request. The caller must call leave when it ends. The error says why it is not
// admitted.
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

// begin admits a large body of caller, who must call end after reading it. ok is false if the
// caller already sends as many as allowed.
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
