package auth

import (
	"context"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// Delete ends the caller's account. What they said stays in its rooms, under no
// name; rooms that they own are handed over first.
func (s *Service) Delete(ctx context.Context, p domain.Principal, c Client) error {
	if err := s.fresh(p); err != nil {
		return err
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return err
	}
	if err := s.Store.DeleteUser(ctx, u.ID, s.Now()); err != nil {
		return err
	}
	s.announce(bus.Revocation{User: u.ID, Epoch: u.Epoch + 1, Reason: "deleted"})
	s.record(ctx, c, event{kind: domain.AuditDelete, user: u, session: p.SessionID})
	return nil
}
