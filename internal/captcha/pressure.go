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
	addrFree    = 4  // challenges of one address in a window before it costs more
	totalFree   = 60 // challenges of everybody
	maxLevel    = 5
	addrSlots   = 4096
)

// pressure says how hard challenges should be. It counts what one address (an
// IPv6 network of 64 bits) asked for in the last ten minutes, and what everybody
// did in the last minute:
//
//	level by address: 0 below 4, then 1 more each time that the number doubles
//	level by total:   0 below 60, then 1 more each time that it doubles
//
// The higher of the two counts, up to 5, and each level doubles the work. A wrong
// answer counts like a further request. So one person pays the least, who asks
// again and again pays up to 32 times that, and a flood from many addresses makes
// everybody pay more while it lasts. Each node counts what it sees itself.
//
// Addresses share a fixed number of counters: two that meet in one are at worst
// asked for more work.
type pressure struct {
	seed  maphash.Seed
	mu    sync.Mutex
	total counter
	addrs [addrSlots]counter
}

func newPressure() *pressure { return &pressure{seed: maphash.MakeSeed()} }

// add counts one event and returns the level that it leads to.
func (p *pressure) add(addr netip.Addr, now time.Time) int {
	slot := maphash.String(p.seed, ratelimit.AddrKey(addr)) % addrSlots
	p.mu.Lock()
	defer p.mu.Unlock()
	byAddr := bits.Len(uint(p.addrs[slot].add(addrWindow, now)) / addrFree)
	byTotal := bits.Len(uint(p.total.add(totalWindow, now)) / totalFree)
	return min(maxLevel, max(byAddr, byTotal))
}

// counter counts events in a window that slides: the last full window counts by
// the part of it that has not passed yet.
type counter struct {
	window    int64 // number of the window that now is of
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
