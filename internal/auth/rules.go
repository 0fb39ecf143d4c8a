package auth

import (
	"context"

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

// Rules are what administrators change while the server runs.
type Rules struct {
	Registration string
	SecondFactor domain.SecondFactorRule
}

// loadRules reads what administrators have changed; where they have not, the
// configuration counts.
func (s *Service) loadRules(ctx context.Context) error {
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
