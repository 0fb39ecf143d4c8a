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
	searchesWaiting = 32
	searchPatience  = 2 * time.Second // the longest wait for a turn
	searchBudget    = 3 * time.Second // the longest search
	searchRetry     = 2 * time.Second
)

// turns let a few searches run at once, on half of the processors, and one of each
// user: pages of history never wait behind searches. It is safe for concurrent use.
type turns struct {
	free    chan struct{}
	waiting atomic.Int64
	refused atomic.Int64

	mu    sync.Mutex
	users map[string]*userTurn
}

// userTurn is the one turn of a user, and goes with the last who wants it.
type userTurn struct {
	free chan struct{}
	want int
}

func newTurns() *turns {
	return &turns{free: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2)), users: make(map[string]*userTurn)}
}

// do carries out fn when it is user's turn, and ends its context when the budget is
// used up. Too many who wait, or too long a wait, is busy.
func (ts *turns) do(ctx context.Context, user string, fn func(context.Context) error) error {
	end, err := ts.take(ctx, user)
	if err != nil {
		return err
	}
	defer end()
	bounded, cancel := context.WithTimeout(ctx, searchBudget)
	defer cancel()
	err = fn(bounded)
	if err != nil && ctx.Err() == nil && errors.Is(bounded.Err(), context.DeadlineExceeded) {
		return domain.Invalid.Errorf(domain.CodeSearchTooBroad,
			"this search takes too long; add a word, or a room with in:").Because(err)
	}
	return err
}

// take waits for user's own turn first, so that one user's searches hold one place.
func (ts *turns) take(ctx context.Context, user string) (end func(), err error) {
	defer ts.waiting.Add(-1)
	if ts.waiting.Add(1) > searchesWaiting {
		return nil, ts.busy()
	}
	ctx, cancel := context.WithTimeoutCause(ctx, searchPatience, errPatience)
	defer cancel()
	own := ts.join(user)
	if err := ts.wait(ctx, own.free); err != nil {
		ts.part(user, own)
		return nil, err
	}
	if err := ts.wait(ctx, ts.free); err != nil {
		<-own.free
		ts.part(user, own)
		return nil, err
	}
	return func() {
		<-ts.free
		<-own.free
		ts.part(user, own)
	}, nil
}

var errPatience = errors.New("no turn came")

func (ts *turns) wait(ctx context.Context, free chan struct{}) error {
	select {
	case free <- struct{}{}:
		return nil
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errPatience) {
			return ts.busy()
		}
		return ctx.Err()
	}
}

func (ts *turns) busy() error {
	ts.refused.Add(1)
	return domain.Unavailable.Errorf(domain.CodeBusy,
		"many searches are under way just now; try again").After(searchRetry)
}

func (ts *turns) join(user string) *userTurn {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	own := ts.users[user]
	if own == nil {
		own = &userTurn{free: make(chan struct{}, 1)}
		ts.users[user] = own
	}
	own.want++
	return own
}

func (ts *turns) part(user string, own *userTurn) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if own.want--; own.want == 0 {
		delete(ts.users, user)
	}
}
