package sessions

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// revocations remembers what ended access tokens, for as long as such a token
// could still be shown.
type revocations struct {
	mu       sync.RWMutex
	sessions map[string]time.Time // when the entry can be forgotten
	epochs   map[string]epoch
}

type epoch struct {
	least  int64 // tokens of an earlier epoch have ended
	forget time.Time
}

func newRevocations() *revocations {
	return &revocations{sessions: make(map[string]time.Time), epochs: make(map[string]epoch)}
}

func (r *revocations) add(v bus.Revocation, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	forget := now.Add(token.Lifetime + time.Minute)
	if v.Session != "" {
		r.sessions[v.Session] = forget
		return
	}
	if v.Epoch >= r.epochs[v.User].least {
		r.epochs[v.User] = epoch{v.Epoch, forget}
	}
}

func (r *revocations) covers(c token.Claims) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ended := r.sessions[c.Session]
	return ended && c.Session != "" || c.Epoch < r.epochs[c.User].least
}

func (r *revocations) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, at := range r.sessions {
		if now.After(at) {
			delete(r.sessions, id)
		}
	}
	for user, e := range r.epochs {
		if now.After(e.forget) {
			delete(r.epochs, user)
		}
	}
}

const (
	pollEvery   = 5 * time.Second
	forgetEvery = time.Hour
)

// Run keeps the sessions informed of revocations by other nodes and commands: by
// the bus at once, by the store where the bus lost something. It blocks until
// ctx is done.
func (s *Sessions) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(bus.RevokeSubject, func(m bus.Message) {
		var v bus.Revocation
		if err := json.Unmarshal(m.Data, &v); err != nil {
			s.Report.Log.ErrorContext(ctx, "read a revocation", "err", err)
			return
		}
		s.revoked.add(v, s.Report.Now())
	})
	if err != nil {
		return err
	}
	defer stop()
	lost := make(chan struct{}, 1)
	stopGaps, err := s.Bus.Subscribe(bus.GapSubject, func(bus.Message) {
		select {
		case lost <- struct{}{}:
		default: // it is known already
		}
	})
	if err != nil {
		return err
	}
	defer stopGaps()
	poll, forget := time.NewTicker(pollEvery), time.NewTicker(forgetEvery)
	defer poll.Stop()
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-poll.C:
			s.look(ctx)
		case <-lost:
			s.look(ctx)
		case <-forget.C:
			if err := s.Store.ForgetExpired(ctx, s.Report.Now().Add(-24*time.Hour)); err != nil && ctx.Err() == nil {
				s.Report.Log.WarnContext(ctx, "forget expired sessions", "err", err)
			}
		}
	}
}

// Load learns from the store who was signed out since it last did: at first, while any
// token that is still good may have been. Run and Load are not for use at the same time.
func (s *Sessions) Load(ctx context.Context) error {
	begin := s.Report.Now()
	err := s.poll(ctx, s.looked.Add(-3*pollEvery))
	if err == nil {
		s.looked = begin
	}
	return err
}

// look finds in the store what the bus may not have told.
func (s *Sessions) look(ctx context.Context) {
	s.revoked.forget(s.Report.Now())
	if err := errors.Join(s.Load(ctx), s.pollEpochs(ctx)); err != nil && ctx.Err() == nil {
		s.Report.Log.WarnContext(ctx, "look for revocations", "err", err)
	}
}

// poll finds sessions that ended since a time, and publishes those that this
// node did not know of, so that its sockets close.
func (s *Sessions) poll(ctx context.Context, since time.Time) error {
	found, err := s.Store.Revocations(ctx, since)
	if err != nil {
		return err
	}
	for _, v := range found {
		if !s.revoked.covers(token.Claims{User: v.User, Session: v.Session, Epoch: v.Epoch}) {
			s.Revoke(ctx, revocation(v))
		}
	}
	return nil
}

func revocation(v domain.Revocation) bus.Revocation {
	return bus.Revocation{User: v.User, Session: v.Session, Epoch: v.Epoch, Reason: v.Reason}
}
