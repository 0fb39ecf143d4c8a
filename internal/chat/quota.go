package chat

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	messageOverhead      = 512              // bytes that a message takes in addition to its text
	quotaRefresh         = 10 * time.Minute // how long a cached usage is used
	quotaRefreshWhenFull = 5 * time.Second  // the same for a user over quota, who may have deleted something
	quotaTimeout         = time.Minute      // of one query
	maxQuotaUsers        = 1 << 16          // users whose usage is cached
)

// A quota limits the bytes that one user and their devices, bots and webhooks store in messages. It caches the
// usage and refreshes it in the background, one user at a time. So the limit is not exact: a
// user may exceed it until the first refresh, and on other nodes until the next one.
type quota struct {
	limit       int64 // bytes; 0: no limit
	now         func() time.Time
	sum         func(ctx context.Context, user string) (bytes int64, err error)
	failed      func(user string, err error)
	refused     prometheus.Counter
	refreshSlot chan struct{}

	mu   sync.Mutex
	used map[string]*usage
}

type usage struct {
	bytes      int64
	known      bool
	refreshed  time.Time // end of the last refresh
	refreshing bool
	pending    int64 // bytes written during a refresh
}

// take adds a text of p to the usage, or returns an error if it would exceed the limit.
func (q *quota) take(p domain.Principal, text string) error {
	if q.limit == 0 {
		return nil
	}
	user := p.ID
	if p.Owner != "" {
		user = p.Owner
	}
	cost := int64(len(text)) + messageOverhead
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.used[user]
	if u == nil {
		if len(q.used) >= maxQuotaUsers {
			clear(q.used)
		}
		u = &usage{}
		q.used[user] = u
	}
	full := u.known && u.bytes+cost > q.limit
	if age := q.now().Sub(u.refreshed); !u.refreshing && (age > quotaRefresh || full && age > quotaRefreshWhenFull) {
		u.refreshing, u.pending = true, 0
		go q.refresh(user, u)
	}
	if full {
		q.refused.Inc()
		return domain.Forbidden.Errorf(domain.CodeQuota,
			"you keep %d MiB of messages, as much as one person may on this server; delete some, or ask an administrator for "+
				"more", u.bytes>>20)
	}
	u.bytes += cost
	u.pending += cost
	return nil
}

// refresh reads the usage from the store. Bytes written meanwhile are added; some may be counted
// twice until the next refresh.
func (q *quota) refresh(user string, u *usage) {
	q.refreshSlot <- struct{}{}
	defer func() { <-q.refreshSlot }()
	ctx, cancel := context.WithTimeout(context.Background(), quotaTimeout)
	defer cancel()
	bytes, err := q.sum(ctx, user)
	if err != nil {
		q.failed(user, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u.refreshing, u.refreshed = false, q.now()
	if err == nil {
		u.bytes, u.known = bytes+u.pending, true
	}
}
