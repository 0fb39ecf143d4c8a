package ratelimit

import (
	"net/netip"
	"sync"
	"time"
)

// A client with IPv6 has many addresses: a server usually has a /64, and anybody can get a /48. So
// a /64 counts as one address, and its /48 may do wideFactor times as much.
const (
	narrowBits = 64
	wideBits   = 48
	wideFactor = 16
)

// AddrKey returns the key by which a client is limited: an IPv4 address, or the /64 of an IPv6
// address.
func AddrKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a.String()
	}
	return network(a, narrowBits).String()
}

// network returns the network of a with so many bits, which must be valid for a.
func network(a netip.Addr, bits int) netip.Prefix {
	p, _ := a.Prefix(bits)
	return p
}

// AllowAddr is Allow for a client address, by AddrKey. The /48 of an IPv6 address may do 16 times
// as much as one address.
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

// RefundAddr returns what AllowAddr took once, because the action was refused.
func (l *Limiter) RefundAddr(a netip.Addr) {
	l.refund(AddrKey(a), l.rate)
	if _, wide := networks(a); wide.IsValid() {
		l.refund(wide.String(), l.wideRate())
	}
}

func (l *Limiter) wideRate() Rate { return Rate{l.rate.interval / wideFactor, l.rate.burst} }

// An AddrCounter limits what clients have open at a time: limit for one address, and 16 times that
// for the /48 of an IPv6 address. Its methods are safe for concurrent use.
type AddrCounter struct {
	limit int
	mu    sync.Mutex
	open  map[netip.Prefix]int
}

// NewAddrCounter returns a counter that allows limit per address; 0 means no limit.
func NewAddrCounter(limit int) *AddrCounter {
	return &AddrCounter{limit: limit, open: make(map[netip.Prefix]int)}
}

// Acquire counts one more for a. If that exceeds the limit, it counts nothing and returns false;
// otherwise the caller must call Release.
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

// Release undoes an Acquire.
func (t *AddrCounter) Release(a netip.Addr) {
	narrow, wide := networks(a)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.less(narrow)
	if wide.IsValid() {
		t.less(wide)
	}
}

// Len returns the number of networks that have something open.
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

// networks returns the networks that a counts in. wide is the zero Prefix for IPv4.
func networks(a netip.Addr) (narrow, wide netip.Prefix) {
	if a = a.Unmap().WithZone(""); a.Is6() {
		return network(a, narrowBits), network(a, wideBits)
	}
	return network(a, a.BitLen()), netip.Prefix{}
}
