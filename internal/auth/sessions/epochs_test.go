package sessions

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// epochStore knows the epochs of accounts, and nothing else.
type epochStore struct {
	Store
	mu     sync.Mutex
	epochs map[string]int64
	asked  int
}

func (e *epochStore) EpochsAbove(_ context.Context, known map[string]int64) (map[string]int64, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	found := map[string]int64{}
	for u, last := range known {
		v, ok := e.epochs[u]
		if !ok {
			v = domain.NoEpoch
		}
		if v > last {
			found[u] = v
		}
	}
	return found, nil
}

func (e *epochStore) ForgetExpired(context.Context, time.Time) error { return nil }

func (e *epochStore) Revocations(context.Context, time.Time) ([]domain.Revocation, error) {
	return nil, nil
}

func newSessions(t *testing.T, store Store, b bus.Bus) (*Sessions, *token.Keyring) {
	t.Helper()
	keys, err := token.NewKeyring("HS256", []byte("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return New(Deps{Store: store, Keys: keys, Bus: b, Report: report.New(slog.New(slog.DiscardHandler))}), keys
}

// Whoever ends tokens may answer at once: the bus brings the news to others, and this
// node does not wait for what it brings.
func TestEndedTokensAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	store := &epochStore{epochs: map[string]int64{"usr_1": 3, "usr_2": 3}}
	s, keys := newSessions(t, store, bus.NewLocal())
	for user, end := range map[string]bus.Revocation{
		"usr_1": {User: "usr_1", Epoch: 4, Reason: "account_changed"},
		"usr_2": {User: "usr_2", Session: "ses_usr_2", Reason: "ended_by_admin"},
	} {
		issued, err := keys.Sign(token.Claims{User: user, Session: "ses_" + user, Epoch: 3,
			Expires: time.Now().Add(time.Hour)}, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(t.Context(), issued); err != nil {
			t.Fatal(err)
		}
		s.Revoke(t.Context(), end)
		if _, err := s.Authenticate(t.Context(), issued); domain.CodeOf(err) != domain.CodeSignedOut {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// CHK-TK: a change of the account by another process ends its tokens here
// within seconds, tokens without a session included, for as long as they live.
func TestEpochsOfOtherProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &epochStore{epochs: map[string]int64{"usr_1": 3}}
		b := bus.NewLocal()
		s, keys := newSessions(t, store, b)
		told := make(chan bus.Revocation, 10)
		stop, err := b.Subscribe(bus.RevokeSubject, func(m bus.Message) {
			var r bus.Revocation
			if err := json.Unmarshal(m.Data, &r); err != nil {
				t.Error(err)
			}
			told <- r
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		issue := func(user string, epoch int64) string {
			t.Helper()
			issued, err := keys.Sign(token.Claims{User: user, Epoch: epoch, Expires: time.Now().Add(24 * time.Hour)}, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return issued
		}
		old := issue("usr_1", 3)
		for range 100 {
			if _, err := s.Authenticate(ctx, old); err != nil {
				t.Fatal(err)
			}
		}
		store.mu.Lock()
		if store.asked != 1 {
			t.Errorf("the store was asked %d times", store.asked)
		}
		store.mu.Unlock()
		if _, err := s.Authenticate(ctx, issue("usr_2", 0)); domain.KindOf(err) != domain.Unauthorized {
			t.Errorf("nobody: %v", err)
		}
		store.mu.Lock()
		store.epochs["usr_1"] = 4
		store.mu.Unlock()
		time.Sleep(pollEvery + time.Second)
		if _, err := s.Authenticate(ctx, old); domain.CodeOf(err) != domain.CodeSignedOut {
			t.Errorf("after the change: %v", err)
		}
		if r := <-told; r.User != "usr_1" || r.Epoch != 4 || r.Session != "" {
			t.Errorf("told %+v", r)
		}
		if _, err := s.Authenticate(ctx, issue("usr_1", 4)); err != nil {
			t.Errorf("a token of the new epoch: %v", err)
		}
		time.Sleep(23 * time.Hour)
		if _, err := s.Authenticate(ctx, old); domain.CodeOf(err) != domain.CodeSignedOut {
			t.Errorf("a day later: %v", err)
		}
		cancel()
		<-done
		stop()
		synctest.Wait()
	})
}
