package ratelimit

import (
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// Proofs limits how often clients at an address may be wrong about who they are, so that they cannot guess on. What
// others there get wrong holds up nobody whose proof (a key, a link) was good in the last day: that is let through
// whatever the address has done. A proof that is new is let through while the address is below its limit. It keeps
// hashes of at most maxGood proofs, and only of good ones. Its methods are safe for concurrent use.
type Proofs struct {
	failed *Limiter
	mu     sync.Mutex
	good   map[[sha256.Size]byte]time.Time // until when
}

const (
	maxGood  = 1 << 16
	goodTime = 24 * time.Hour
)

// NewProofs lets the clients at an address be wrong so often in a period.
func NewProofs(limit int, per time.Duration) *Proofs {
	return &Proofs{failed: New(limit, per, limit), good: make(map[[sha256.Size]byte]time.Time)}
}

// A Proof is one that is being checked. What came of it is told by one of its methods.
type Proof struct {
	of    *Proofs
	hash  [sha256.Size]byte
	addr  netip.Addr
	known bool
}

// Check says whether a client at an address may have a proof checked now, or how long it must wait.
func (p *Proofs) Check(secret string, a netip.Addr, now time.Time) (c Proof, ok bool, retryAfter time.Duration) {
	c = Proof{of: p, hash: sha256.Sum256([]byte(secret)), addr: a}
	p.mu.Lock()
	c.known = now.Before(p.good[c.hash])
	p.mu.Unlock()
	if c.known {
		return c, true, 0
	}
	ok, retryAfter = p.failed.AllowAddr(a, now)
	return c, ok, retryAfter
}

// Good tells that the proof is good.
func (c Proof) Good(now time.Time) {
	c.Unclear()
	p := c.of
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.good[c.hash]; !known && len(p.good) >= maxGood {
		for other := range p.good { // any one
			delete(p.good, other)
			break
		}
	}
	p.good[c.hash] = now.Add(goodTime)
}

// Wrong tells that the proof is wrong, even if it was good before.
func (c Proof) Wrong(now time.Time) {
	if !c.known {
		return
	}
	c.of.mu.Lock()
	delete(c.of.good, c.hash)
	c.of.mu.Unlock()
	c.of.failed.AllowAddr(c.addr, now)
}

// Unclear tells that the proof could not be checked.
func (c Proof) Unclear() {
	if !c.known {
		c.of.failed.RefundAddr(c.addr)
	}
}
