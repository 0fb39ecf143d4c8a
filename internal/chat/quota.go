package chat

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	messageCost = 512              // bytes that a message takes beside its text
	quotaFresh  = 10 * time.Minute // a sum is that of the store for so long
	quotaAgain  = 5 * time.Second  // of somebody who has no room left: they may have deleted something
	quotaTime   = time.Minute      // for one sum
	quotaUsers  = 1 << 16          // whose sums are remembered
)

// A quota bounds what one user and their devices keep in messages. It adds up what
// the store has now and then, one user at a time, beside the sending: until the
// first sum of a user is there, and on other nodes, some more may come in.
type quota struct {
	most    int64 // bytes; 0: no bound
	now     func() time.Time
	sum     func(ctx context.Context, user string) (bytes int64, err error)
	failed  func(user string, err error)
	refused prometheus.Counter
	turn    chan struct{}

	mu   sync.Mutex
	used map[string]*usage
}

type usage struct {
	bytes   int64
	known   bool
	tried   time.Time // when the store was last asked
	asking  bool
	pending int64 // written while the store was asked
}

// take counts a text of p's, or refuses it.
func (q *quota) take(p domain.Principal, text string) error {
	if q.most == 0 {
		return nil
	}
	user := p.ID
	if p.Owner != "" {
		user = p.Owner
	}
	cost := int64(len(text)) + messageCost
	q.mu.Lock()
	defer q.mu.Unlock()
	u := q.used[user]
	if u == nil {
		if len(q.used) >= quotaUsers {
			clear(q.used)
		}
		u = &usage{}
		q.used[user] = u
	}
	full := u.known && u.bytes+cost > q.most
	if age := q.now().Sub(u.tried); !u.asking && (age > quotaFresh || full && age > quotaAgain) {
		u.asking, u.pending = true, 0
		go q.ask(user, u)
	}
	if full {
		q.refused.Inc()
		return domain.Forbidden.Errorf(domain.CodeQuota,
			"you keep %d MiB of messages, as much as one person may on this server; delete some, or ask an administrator for more", u.bytes>>20)
	}
	u.bytes += cost
	u.pending += cost
	return nil
}

// ask reads what user has stored. What was written meanwhile is added: counting it
// twice does no harm until the next time.
func (q *quota) ask(user string, u *usage) {
	q.turn <- struct{}{}
	defer func() { <-q.turn }()
	ctx, cancel := context.WithTimeout(context.Background(), quotaTime)
	defer cancel()
	bytes, err := q.sum(ctx, user)
	if err != nil {
		q.failed(user, err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	u.asking, u.tried = false, q.now()
	if err == nil {
		u.bytes, u.known = bytes+u.pending, true
	}
}
