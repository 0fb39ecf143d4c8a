// Package ratelimit limits the rate of events by key, with the generic cell rate algorithm (GCRA):
// exact, with one timestamp per key. It uses no clock: the caller passes the time.
package ratelimit

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shardCount  = 64
	defaultCap  = 1 << 20 // keys per limiter
	evictSample = 8       // keys checked for each key that is added
)

// Rate is a rate limit: burst events at once, and then one per interval. The zero Rate does not
// limit.
type Rate struct {
	interval time.Duration
	burst    time.Duration // the burst as a duration: how far a key may be ahead of now
}

// NewRate allows limit events per period, and burst of them at once (at least one). A limit of 0 or
// less means no limit.
func NewRate(limit int, per time.Duration, burst int) Rate {
	if limit <= 0 || per <= 0 {
		return Rate{}
	}
	interval := max(per/time.Duration(limit), 1)
	return Rate{interval: interval, burst: interval * time.Duration(max(burst, 1))}
}

// Cell is the state of one key. The zero Cell has used nothing. It is not safe for concurrent use.
type Cell struct {
	tat int64 // theoretical arrival time, in Unix nanoseconds
}

// Allow takes one event if r allows it now. If not, it takes nothing and returns how long to wait.
func (c *Cell) Allow(r Rate, now time.Time) (ok bool, retryAfter time.Duration) {
	return c.AllowN(r, 1, now)
}

// AllowN is Allow for n events. It takes all of them or none.
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

// spent reports whether c is equivalent to a new Cell at now.
func (c Cell) spent(now time.Time) bool { return c.tat <= now.UnixNano() }

// Limiter applies one Rate to many keys. It stores a key only while that makes a difference, and
// only a limited number of keys. If there are more, it evicts those that would be removed soonest.
// Its methods are safe for concurrent use.
type Limiter struct {
	rate   Rate
	cap    int // keys per shard
	seed   maphash.Seed
	shards [shardCount]shard

	allowed, denied atomic.Uint64
}

type shard struct {
	mu    sync.Mutex
	cells map[string]Cell
}

// New returns a limiter that allows each key limit events per period, and burst of them at once. A
// limit of 0 or less means no limit.
func New(limit int, per time.Duration, burst int) *Limiter {
	l := &Limiter{rate: NewRate(limit, per, burst), cap: defaultCap / shardCount, seed: maphash.MakeSeed()}
	for i := range l.shards {
		l.shards[i].cells = make(map[string]Cell)
	}
	return l
}

// Allow takes one event of key, if the rate allows it. If not, it takes nothing and returns how
// long to wait.
func (l *Limiter) Allow(key string, now time.Time) (ok bool, retryAfter time.Duration) {
	return l.allow(key, l.rate, 1, now)
}

// AllowN is Allow for n events. It takes all of them or none.
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

// RefundN returns what AllowN took, because the events did not come about.
func (l *Limiter) RefundN(key string, n int) {
	l.refund(key, Rate{interval: l.rate.interval * time.Duration(n)})
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

// Decisions returns how many events were allowed and denied.
func (l *Limiter) Decisions() (allowed, denied uint64) { return l.allowed.Load(), l.denied.Load() }

// Len returns the number of stored keys.
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

// evict checks a few random keys and removes those that make no difference any more, so that each
// added key pays for the removal of old ones. In a full shard it always removes a key: the one of
// them that would be removed soonest.
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
