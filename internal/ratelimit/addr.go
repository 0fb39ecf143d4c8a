package ratelimit

import (
	"net/netip"
	"sync"
	"time"
)

// Whoever has an IPv6 network has often more of them: a server's is a /64, and a
// /48 is given to anybody who asks. So the /64 counts as one address, and the /48
// around it is allowed wideFactor times as much.
const (
	narrowBits = 64
	wideBits   = 48
	wideFactor = 16
)

// AddrKey is the key by which clients are limited: an IPv4 address, or the /64
// network of an IPv6 address, which is what one household has.
func AddrKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a.String()
	}
	return network(a, narrowBits).String()
}

// network returns the network of a with so many bits, which are in range.
func network(a netip.Addr, bits int) netip.Prefix {
	p, _ := a.Prefix(bits)
	return p
}

// AllowAddr is Allow for a client's address, by AddrKey. The /48 around an IPv6
// address may do 16 times as much as one address.
func (l *Limiter) AllowAddr(a netip.Addr, now time.Time) (ok bool, retryAfter time.Duration) {
	ok, retryAfter = l.Allow(AddrKey(a), now)
	_, wide := networks(a)
	if !ok || !wide.IsValid() {
		return ok, retryAfter
	}
	if ok, retryAfter = l.allow(wide.String(), l.wideRate(), 1, now); !ok {
		l.refund(AddrKey(a), l.rate)
	}
	return ok, retryAfter
}

// RefundAddr returns what AllowAddr took once: what it was for was refused.
func (l *Limiter) RefundAddr(a netip.Addr) {
	l.refund(AddrKey(a), l.rate)
	if _, wide := networks(a); wide.IsValid() {
		l.refund(wide.String(), l.wideRate())
	}
}

func (l *Limiter) wideRate() Rate { return Rate{l.rate.interval / wideFactor, l.rate.burst} }

// An AddrCounter counts what clients have open at a time, and refuses more than its limit:
// more than a limit for one address, or more than 16 times that for the /48 around
// an IPv6 address. Its methods may be called at the same time.
type AddrCounter struct {
	limit int
	mu    sync.Mutex
	open  map[netip.Prefix]int
}

// NewAddrCounter returns a Tally that allows each address limit at a time; 0: any number.
func NewAddrCounter(limit int) *AddrCounter {
	return &AddrCounter{limit: limit, open: make(map[netip.Prefix]int)}
}

// Acquire counts one more of a. If it is too much it counts nothing and returns false;
// otherwise Give must follow.
func (t *AddrCounter) Acquire(a netip.Addr) bool {
	narrow, wide := networks(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limit > 0 && (t.open[narrow] >= t.limit || t.open[wide] >= t.limit*wideFactor) {
		return false
	}
	t.open[narrow]++
	if wide.IsValid() {
		t.open[wide]++
	}
	return true
}

// Release takes back what Take counted.
func (t *AddrCounter) Release(a netip.Addr) {
	narrow, wide := networks(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.less(narrow)
	if wide.IsValid() {
		t.less(wide)
	}
}

// Len returns how many networks have something open.
func (t *AddrCounter) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.open)
}

func (t *AddrCounter) less(n netip.Prefix) {
	if t.open[n]--; t.open[n] <= 0 {
		delete(t.open, n)
	}
}

// networks returns what a is counted as; wide is the zero Prefix where there is none.
func networks(a netip.Addr) (narrow, wide netip.Prefix) {
	if a = a.Unmap().WithZone(""); a.Is6() {
		return network(a, narrowBits), network(a, wideBits)
	}
	return network(a, a.BitLen()), netip.Prefix{}
}
