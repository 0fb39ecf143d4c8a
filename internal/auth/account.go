package auth

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
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

// Export is everything that the server has about a user's account.
type Export struct {
	Me         wire.Me      `json:"me"`
	Sessions   []session    `json:"sessions"`
	Passkeys   []passkeyKey `json:"passkeys"`
	Remembered []browser    `json:"remembered"`
	Identities []identity   `json:"identities"`
	Exported   time.Time    `json:"exported_at"`
}

type identity struct {
	Issuer  string    `json:"issuer"`
	Subject string    `json:"subject"`
	Email   string    `json:"email,omitempty"`
	Created time.Time `json:"created_at"`
}

// Export returns what the server has about the caller's account. What they said
// is in their rooms, and read by the history API.
func (s *Service) Export(ctx context.Context, p domain.Principal, c Client) (Export, error) {
	if err := s.fresh(p); err != nil {
		return Export{}, err
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return Export{}, err
	}
	sessions, err := s.getSessions(ctx, nil)
	if err != nil {
		return Export{}, err
	}
	factors, err := s.getFactors(ctx, nil)
	if err != nil {
		return Export{}, err
	}
	found, err := s.Store.Identities(ctx, p.ID)
	if err != nil {
		return Export{}, err
	}
	ids := []identity{}
	for _, i := range found {
		ids = append(ids, identity{i.Issuer, i.Subject, i.Email, i.CreatedAt})
	}
	s.record(ctx, c, event{kind: domain.AuditDataExport, user: u, session: p.SessionID})
	return Export{wire.FromMe(u), sessions.Body.Items, factors.Body.Passkeys, factors.Body.Remembered, ids, s.Now()}, nil
}
