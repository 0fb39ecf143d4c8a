package auth

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Ways to register.
const (
	RegisterOpen   = "open"
	RegisterInvite = "invite"
	RegisterClosed = "closed"
)

// Names of the settings that administrators change while the server runs.
const (
	SettingRegistration = "registration"
	SettingSecondFactor = "second_factor"
)

// rulesEvery is how often each node looks for changed rules. A change on another node applies within that time.
const rulesEvery = 5 * time.Second

// Rules are what administrators change while the server runs.
type Rules struct {
	Registration string
	SecondFactor domain.SecondFactorRule
}

// LoadRules applies what administrators have changed; where they have not, the configuration counts. When it
// returns, no earlier look replaces what it has found.
func (s *Service) LoadRules(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	settings, err := s.Store.Settings(ctx)
	if err != nil {
		return err
	}
	r := s.Rules
	for _, v := range settings {
		switch v.Name {
		case SettingRegistration:
			r.Registration = v.Value
		case SettingSecondFactor:
			r.SecondFactor = domain.SecondFactorRule(v.Value)
		}
	}
	s.rules.Store(&r)
	return nil
}

// open reports whether anybody may make an account.
func (s *Service) open() bool { return s.rules.Load().Registration == RegisterOpen }

// Run does the tasks that were left for after an answer, and learns of changed rules and ended
// sessions. It blocks until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() { s.Work(ctx) })
	beside.Go(func() { s.followRules(ctx) })
	return s.Sessions.Run(ctx)
}

// followRules loads the rules again and again, because administrators may change them on another node.
func (s *Service) followRules(ctx context.Context) {
	t := time.NewTicker(rulesEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.LoadRules(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for changed settings", "err", err)
		}
	}
}
