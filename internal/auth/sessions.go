package auth

import (
	"context"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// EndSession ends one of the caller's sessions.
func (s *Service) EndSession(ctx context.Context, p domain.Principal, id string, c Client) error {
	if err := s.Store.RevokeSessionOf(ctx, p.ID, id, "ended_by_user", s.Now()); err != nil {
		return err
	}
	s.ended(ctx, p, id, c)
	return nil
}

// EndOthers ends all of the caller's sessions but the one that asks, with whatever
// was begun, and has all browsers asked for the second factor again.
func (s *Service) EndOthers(ctx context.Context, p domain.Principal, c Client) error {
	ended, err := s.Store.RevokeOthers(ctx, p.ID, p.SessionID, "ended_by_user", s.Now())
	if err != nil {
		return err
	}
	for _, id := range ended {
		s.ended(ctx, p, id, c)
	}
	return nil
}

func (s *Service) ended(ctx context.Context, p domain.Principal, id string, c Client) {
	s.record(ctx, c, event{kind: domain.AuditSessionRevoke, user: domain.User{ID: p.ID}, session: id})
	s.Revoke(bus.Revocation{User: p.ID, Session: id, Reason: "ended_by_user"})
}
