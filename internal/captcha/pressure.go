package captcha

import (
	"hash/maphash"
	"math/bits"
	"net/netip"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	addrWindow  = 10 * time.Minute
	totalWindow = time.Minute
	addrFree    = 4  // challenges of one address in a window before the level rises
	totalFree   = 60 // challenges of all addresses
	maxLevel    = 5
	addrSlots   = 4096
)

// pressure determines the level of difficulty. It counts the challenges of one address (or IPv6
// /64) in the last ten minutes, and those of all addresses in the last minute:
//
//	level by address: 0 below 4, then 1 more each time that the number doubles
//	level by total:   0 below 60, then 1 more each time that it doubles
//
// The higher of the two is used, up to 5, and each level doubles the work. A wrong solution counts
// like another request. So one person pays the least, a client that keeps asking pays up to 32
// times as much, and during a flood from many addresses everybody pays more. Each node counts its
// own requests.
//
// Addresses share a fixed number of counters. If two addresses share one, the worst case is a
// higher level.
type pressure struct {
	seed  maphash.Seed
	mu    sync.Mutex
	total counter
	addrs [addrSlots]counter
}

func newPressure() *pressure { return &pressure{seed: maphash.MakeSeed()} }

// add counts an event and returns the resulting level.
func (p *pressure) add(addr netip.Addr, now time.Time) int {
	slot := maphash.String(p.seed, ratelimit.AddrKey(addr)) % addrSlots
	p.mu.Lock()
	defer p.mu.Unlock()
	byAddr := bits.Len(uint(p.addrs[slot].add(addrWindow, now)) / addrFree)
	byTotal := bits.Len(uint(p.total.add(totalWindow, now)) / totalFree)
	return min(maxLevel, max(byAddr, byTotal))
}

// counter counts events in a sliding window: the previous window counts in proportion to the part
// of it that is still within the window.
type counter struct {
	window    int64 // number of the current window
	now, last uint32
}

func (c *counter) add(length time.Duration, at time.Time) int {
	n := at.UnixNano() / int64(length)
	switch {
	case n == c.window+1:
		c.last, c.now = c.now, 0
	case n != c.window:
		c.last, c.now = 0, 0
	}
	c.window = n
	c.now++
	left := 1 - float64(at.UnixNano()%int64(length))/float64(length)
	return int(float64(c.now) + float64(c.last)*left)
}
