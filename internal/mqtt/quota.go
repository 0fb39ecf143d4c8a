package mqtt

import (
	"context"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// How much may be retained for one device; for the owner's own programs, and for bridges, it is ten times that.
const (
	maxRetained      = 500
	maxRetainedBytes = 1 << 20
	manyFactor       = 10
)

// quotas know how much each device of a site has retained, once it has retained something here.
type quotas struct {
	mu    sync.Mutex
	sizes map[string]map[string]int // by device and topic
}

// forget counts the retained message of a topic no more.
func (q *quotas) forget(topic string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, sizes := range q.sizes {
		delete(sizes, topic)
	}
}

// allowRetained reports whether a message may be retained, and counts it.
func (c *conn) allowRetained(ctx context.Context, t *site, m *message) (packet.Code, error) {
	s := c.s
	q := &t.quotas
	q.mu.Lock()
	defer q.mu.Unlock()
	sizes := q.sizes[m.device]
	if sizes == nil {
		var err error
		if sizes, err = s.Topics.RetainedSizes(ctx, t.id, m.device); err != nil {
			return packet.Success, err
		}
		if q.sizes == nil {
			q.sizes = make(map[string]map[string]int)
		}
		q.sizes[m.device] = sizes
	}
	if len(m.payload) == 0 {
		delete(sizes, m.topic)
		return packet.Success, nil
	}
	factor := 1
	if m.device == "" || c.who.Access == domain.AccessBridge {
		factor = manyFactor
	}
	old, there := sizes[m.topic]
	total := len(m.payload) - old
	for _, n := range sizes {
		total += n
	}
	if !there && len(sizes) >= factor*maxRetained || total > factor*maxRetainedBytes {
		return packet.QuotaExceeded, nil
	}
	sizes[m.topic] = len(m.payload)
	return packet.Success, nil
}
