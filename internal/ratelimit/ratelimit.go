// Package ratelimit limits how often things may happen, by key, with the
// generic cell rate algorithm: one time per key, exact, nothing to sweep. It
// knows no clock: the caller says what time it is.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shardCount  = 64
	defaultCap  = 1 << 20 // keys of one limiter
	evictSample = 8       // keys looked at for each one added
)

// Rate is how often something may happen: burst times at once, and then once
// every interval. The zero Rate does not limit.
type Rate struct {
	interval time.Duration
	burst    time.Duration // the burst, in time: how far ahead of now a key may run
}

// NewRate allows limit events in each period of length per, burst of them at
// once (at least one). A limit of 0 or less does not limit.
func NewRate(limit int, per time.Duration, burst int) Rate {
	if limit <= 0 || per <= 0 {
		return Rate{}
	}
	interval := max(per/time.Duration(limit), 1)
	return Rate{interval: interval, burst: interval * time.Duration(max(burst, 1))}
}

// Cell is what one key has used of a Rate. The zero Cell has used nothing.
// A Cell has no lock of its own.
type Cell struct {
	tat int64 // theoretical arrival time, in Unix nanoseconds
}

// Allow takes one event from c if r allows it now. If not, it takes nothing
// and says how long to wait.
func (c *Cell) Allow(r Rate, now time.Time) (ok bool, retryAfter time.Duration) {
	return c.AllowN(r, 1, now)
}

// AllowN is Allow for n events, which are taken all or not at all.
func (c *Cell) AllowN(r Rate, n int, now time.Time) (ok bool, retryAfter time.Duration) {
	if r.interval == 0 {
		return true, 0
	}
	at := now.UnixNano()
	next := max(at, c.tat) + int64(n)*int64(r.interval)
	if ahead := time.Duration(next - at); ahead > r.burst {
		return false, ahead - r.burst
	}
	c.tat = next
	return true, 0
}

// spent reports whether c at the time now is as good as a new Cell.
func (c Cell) spent(now time.Time) bool { return c.tat <= now.UnixNano() }

// Limiter applies one Rate to many keys. It remembers a key only while that
// makes a difference, and never more than a fixed number of them: beyond it the
// keys that are nearest to being forgotten go first. Its methods may be called
// at the same time.
type Limiter struct {
	rate   Rate
	cap    int // keys of one shard
	seed   maphash.Seed
	shards [shardCount]shard

	allowed, denied atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	cells map[string]Cell
}

// New returns a limiter that allows each key limit events in each period of
// length per, burst of them at once. A limit of 0 or less does not limit.
func New(limit int, per time.Duration, burst int) *Limiter {
	l := &Limiter{rate: NewRate(limit, per, burst), cap: defaultCap / shardCount, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].cells = make(map[string]Cell)
	}
	return l
}

// Allow takes one event from what key may do, if it may. If not, it takes
// nothing and says how long to wait.
func (l *Limiter) Allow(key string, now time.Time) (ok bool, retryAfter time.Duration) {
	return l.allow(key, l.rate, 1, now)
}

// AllowN is Allow for n events, which are taken all or not at all.
func (l *Limiter) AllowN(key string, n int, now time.Time) (ok bool, retryAfter time.Duration) {
	return l.allow(key, l.rate, n, now)
}

func (l *Limiter) allow(key string, rate Rate, n int, now time.Time) (ok bool, retryAfter time.Duration) {
	if l.rate.interval == 0 {
		return true, 0
	}
	s := &l.shards[maphash.String(l.seed, key)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	c, known := s.cells[key]
	if ok, retryAfter = c.AllowN(rate, n, now); !ok {
		l.denied.Add(1)
		return false, retryAfter
	}
	l.allowed.Add(1)
	if !known {
		s.evict(now, l.cap)
	}
	s.cells[key] = c
	return true, 0
}

func (l *Limiter) refund(key string, rate Rate) {
	s := &l.shards[maphash.String(l.seed, key)%shardCount]
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, known := s.cells[key]; known {
		c.tat -= int64(rate.interval)
		s.cells[key] = c
	}
}

// Decisions returns how often Allow said yes and no.
func (l *Limiter) Decisions() (allowed, denied uint64) { return l.allowed.Load(), l.denied.Load() }

// Len returns the number of keys that are remembered.
func (l *Limiter) Len() int {
	n := 0
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		n += len(s.cells)
		s.mu.Unlock()
	}
	return n
}

// evict looks at a few keys, at random, and forgets those that make no
// difference any more, so that each added key pays for the removal of old ones.
// In a full shard one key goes in any case: of those seen, the one that would
// be forgotten first.
func (s *shard) evict(now time.Time, limit int) {
	looked := 0
	var first string
	var least Cell
	for key, c := range s.cells {
		if c.spent(now) {
			delete(s.cells, key)
		} else if first == "" || c.tat < least.tat {
			first, least = key, c
		}
		if looked++; looked == evictSample {
			break
		}
	}
	if len(s.cells) >= limit {
		delete(s.cells, first)
	}
}
