package httpx

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	retryBusy       = 2 * time.Second
	maxLargePerUser = 4 // large bodies of one caller that are read concurrently
)

// A Gate limits how many there are of something at a time: of all clients together, and of one address. Its methods
// are safe for concurrent use.
type Gate struct {
	what    string        // in errors
	retry   time.Duration // for who is refused
	limit   int           // 0: any number
	busy    atomic.Int64
	refused atomic.Int64 // since the start
	addrs   *ratelimit.AddrCounter
}

// NewGate returns a gate for most of what it is named in errors, such as "downloads", and ofAddr of these of one
// address. Who is refused may come again after retry.
func NewGate(what string, most, ofAddr int, retry time.Duration) *Gate {
	return &Gate{what: what, retry: retry, limit: most, addrs: ratelimit.NewAddrCounter(ofAddr)}
}

// Enter admits a client. The caller must call leave at the end. The error says why it is not admitted.
func (g *Gate) Enter(addr netip.Addr) (leave func(), err error) {
	if g.limit == 0 {
		return func() {}, nil
	}
	if !g.addrs.Acquire(addr) {
		g.refused.Add(1)
		return nil, domain.Unavailable.Errorf(domain.CodeBusyAddress,
			"too many %s of your address at once; wait for some of them", g.what).After(g.retry)
	}
	if g.busy.Add(1) > int64(g.limit) {
		g.busy.Add(-1)
		g.addrs.Release(addr)
		g.refused.Add(1)
		return nil, domain.Unavailable.Errorf(domain.CodeBusy, "too many %s at once; try again", g.what).After(g.retry)
	}
	return func() {
		g.addrs.Release(addr)
		g.busy.Add(-1)
	}, nil
}

// Queue is the gate for the metrics, by a name.
func (g *Gate) Queue(name string) obs.Queue {
	return obs.Queue{Name: name, Limit: g.limit, Depth: func() int { return int(g.busy.Load()) }, Full: g.refused.Load}
}

// An admission limits concurrent requests, and large bodies. A request counts only after its body has been read, so
// that clients that send no body occupy nothing.
type admission struct {
	*Gate

	mu    sync.Mutex
	large map[string]int // large bodies being read, by caller
}

func newAdmission(most, ofAddr int) *admission {
	return &admission{Gate: NewGate("requests", most, ofAddr, retryBusy), large: make(map[string]int)}
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
