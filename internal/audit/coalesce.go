package audit

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	coalesceFor = time.Minute
	maxRepeated = 10_000 // limits that are told of one by one; the rest together
)

// A coalescer tells of a limit that is hit at once, and then once a minute for
// as long as it goes on: who sends a thousand requests in a second must not
// write a thousand records.
type coalescer struct {
	mu   sync.Mutex
	seen map[string]*repeated
}

type repeated struct {
	event domain.AuditEvent // the last one
	since time.Time         // of the last record
	count int64             // hits after it
}

// first reports whether e is to be recorded now; otherwise it is counted. It
// completes e: what is limited by address says so.
func (c *coalescer) first(e *domain.AuditEvent) bool {
	if e.Rate.Key == "" {
		switch {
		case e.Actor.ID != "" && e.Rate.KeyKind != "addr":
			e.Rate.Key = e.Actor.ID
		case e.Addr.IsValid():
			e.Rate.Key = e.Addr.Unmap().WithZone("").String()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	name := e.Rate.Policy + "\x00" + e.Rate.KeyKind + "\x00" + e.Rate.Key
	r := c.seen[name]
	if r == nil && len(c.seen) >= maxRepeated {
		name = ""
		e.Rate.Key, e.Rate.KeyKind = "", "many"
		r = c.seen[name]
	}
	if r == nil {
		c.seen[name] = &repeated{event: *e, since: e.Time}
		return true
	}
	r.event = *e
	r.count++
	return false
}

// summaries returns one event for each limit that was hit again in the last
// time, and forgets the others.
func (c *coalescer) summaries(now time.Time, after time.Duration) []domain.AuditEvent {
	c.mu.Lock()
	defer c.mu.Unlock()
	var events []domain.AuditEvent
	for name, r := range c.seen {
		if now.Sub(r.since) < after {
			continue
		}
		if r.count == 0 {
			delete(c.seen, name)
			continue
		}
		e := r.event
		e.ID, e.RequestID = domain.NewID(idPrefix), ""
		e.Details = maps.Clone(e.Details)
		if e.Details == nil {
			e.Details = make(map[string]string)
		}
		e.Details["count"] = strconv.FormatInt(r.count, 10)
		e.Details["since"] = stamp(r.since)
		e.Time = now
		r.since, r.count = now, 0
		events = append(events, e)
	}
	slices.SortFunc(events, func(a, b domain.AuditEvent) int { return a.Time.Compare(b.Time) })
	return events
}
