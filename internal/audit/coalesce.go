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
	maxRepeated = 10_000 // limits reported one by one; further ones are reported together
)

// A coalescer reports a limit that is exceeded at once, and after that once a minute. So a thousand
// requests in a second do not cause a thousand records.
type coalescer struct {
	mu   sync.Mutex
	seen map[string]*repeated
}

type repeated struct {
	event domain.AuditEvent // the latest
	since time.Time         // of the last record
	count int64             // times the limit was exceeded after that record
}

// first reports whether e is to be recorded now. If not, e is counted. first also completes the
// limit's key in e.
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

// summaries returns an event for each limit that was exceeded again in the last interval, and
// forgets the others.
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
		e.ID, e.RequestID, e.Trace = domain.NewID(idPrefix), "", ""
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
