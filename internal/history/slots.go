package history

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	maxWaitingSearches = 32
	searchWaitTimeout  = 2 * time.Second // the longest wait for a slot
	searchTimeout      = 3 * time.Second // the longest search
	searchRetryAfter   = 2 * time.Second
)

// searchSlots limit concurrent searches to half of the processors, and to one for each user, so
// that pages of history never wait for searches. They are safe for concurrent use.
type searchSlots struct {
	slots   chan struct{}
	waiting atomic.Int64
	refused atomic.Int64

	mu    sync.Mutex
	users map[string]*userSlot
}

// userSlot limits a user to one search. It is removed with the last reference.
type userSlot struct {
	slot chan struct{}
	refs int
}

func newSearchSlots() *searchSlots {
	return &searchSlots{slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), users: make(map[string]*userSlot)}
}

// run waits for a slot and runs fn with searchTimeout. It returns an unavailable error if too
// many searches wait or the wait is too long, and an invalid one if fn times out.
func (ts *searchSlots) run(ctx context.Context, user string, fn func(context.Context) error) error {
	end, err := ts.acquire(ctx, user)
	if err != nil {
		return err
	}
	defer end()
	bounded, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	err = fn(bounded)
	if err != nil && ctx.Err() == nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		return domain.Invalid.Errorf(domain.CodeSearchTooBroad,
			"this search takes too long; add a word, or a room with in:").Because(err)
	}
	return err
}

// acquire waits for the user's slot first, so that the searches of one user wait for one shared
// slot at most.
func (ts *searchSlots) acquire(ctx context.Context, user string) (end func(), err error) {
	defer ts.waiting.Add(-1)
	if ts.waiting.Add(1) > maxWaitingSearches {
		return nil, ts.errBusy()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, searchWaitTimeout, errSlotTimeout)
	defer cancel()
	own := ts.refUser(user)
	if err := ts.acquireSlot(ctx, own.slot); err != nil {
		ts.unrefUser(user, own)
		return nil, err
	}
	if err := ts.acquireSlot(ctx, ts.slots); err != nil {
		<-own.slot
		ts.unrefUser(user, own)
		return nil, err
	}
	return func() {
		<-ts.slots
		<-own.slot
		ts.unrefUser(user, own)
	}, nil
}

var errSlotTimeout = errors.New("no search slot became free in time")

func (ts *searchSlots) acquireSlot(ctx context.Context, free chan struct{}) error {
	select {
	case free <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errSlotTimeout) {
			return ts.errBusy()
		}
		return ctx.Err()
	}
}

func (ts *searchSlots) errBusy() error {
	ts.refused.Add(1)
	return domain.Unavailable.Errorf(domain.CodeBusy,
		"many searches are under way just now; try again").After(searchRetryAfter)
}

func (ts *searchSlots) refUser(user string) *userSlot {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	own := ts.users[user]
	if own == nil {
		own = &userSlot{slot: make(chan struct{}, 1)}
		ts.users[user] = own
	}
	own.refs++
	return own
}

func (ts *searchSlots) unrefUser(user string, own *userSlot) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if own.refs--; own.refs == 0 {
		delete(ts.users, user)
	}
}
