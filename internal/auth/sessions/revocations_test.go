package sessions

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// awayStore tells of one session that ended, but for the time that it is away.
type awayStore struct {
	epochStore
	mu      sync.Mutex
	away    bool
	ended   domain.Revocation
	endedAt time.Time
}

func (a *awayStore) Revocations(_ context.Context, since time.Time) ([]domain.Revocation, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return nil, domain.Unavailable.Errorf(domain.CodeStoreUnavailable, "away")
	}
	if a.endedAt.Before(since) || a.endedAt.After(time.Now()) {
		return nil, nil
	}
	return []domain.Revocation{a.ended}, nil
}

func (a *awayStore) set(away bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.away = away
}

// A session that ended while this node reached neither the bus nor, for longer
// than a few looks, the store is found ended afterwards; and the node does not end
// by that.
func TestRevocationsOfATimeApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &awayStore{
			epochStore: epochStore{epochs: map[string]int64{"usr_1": 0}},
			ended:      domain.Revocation{User: "usr_1", Session: "ses_1", Reason: "signed_out"},
			endedAt:    time.Now().Add(time.Minute),
		}
		s, keys := newSessions(t, store, bus.NewLocal())
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		store.set(true)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		issued, err := keys.Sign(token.Claims{User: "usr_1", Session: "ses_1", Expires: time.Now().Add(token.Lifetime)},
			time.Now())
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if _, err := s.Authenticate(ctx, issued); err != nil {
			t.Errorf("while nothing is known of its end: %v", err)
		}
		store.set(false)
		time.Sleep(pollEvery + time.Second)
		if _, err := s.Authenticate(ctx, issued); domain.CodeOf(err) != domain.CodeSignedOut {
			t.Errorf("once the store is back: %v", err)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("ended with %v", err)
		}
	})
}
