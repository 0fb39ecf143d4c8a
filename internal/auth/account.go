package auth

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// Delete ends the caller's account. What they said stays in its rooms, under no
// name; rooms that they own are handed over first.
func (s *Service) Delete(ctx context.Context, p domain.Principal, c Client) error {
	if err := s.Fresh(ctx, p); err != nil {
		return err
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return err
	}
	if err := s.Store.DeleteUser(ctx, u.ID, s.Now()); err != nil {
		return err
	}
	s.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch + 1, Reason: "deleted"})
	s.Record(ctx, c, report.Event{Kind: domain.AuditDelete, User: u, Session: p.SessionID})
	return nil
}

// export is everything that the server has about a user's account.
type export struct {
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

// exported returns what the server has about the caller's account.
func (s *Service) exported(ctx context.Context, p domain.Principal, c Client) (export, error) {
	if err := s.Fresh(ctx, p); err != nil {
		return export{}, err
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return export{}, err
	}
	sessions, err := s.sessionsOf(ctx, p)
	if err != nil {
		return export{}, err
	}
	factors, err := s.factorsOf(ctx, p)
	if err != nil {
		return export{}, err
	}
	found, err := s.IdentitiesOf(ctx, p.ID)
	if err != nil {
		return export{}, err
	}
	ids := []identity{}
	for _, i := range found {
		ids = append(ids, identity{i.Issuer, i.Subject, i.Email, i.CreatedAt})
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditDataExport, User: u, Session: p.SessionID})
	return export{wire.FromMe(u), sessions.Body.Items, factors.Body.Passkeys, factors.Body.Remembered, ids, s.Now()}, nil
}

// writeExport writes the account on the first line, and each message that its owner wrote on one more, then each of
// their reactions, saved messages and drafts. After an error in the middle, the last line, which tells that it is the
// last, is not there.
func (s *Service) writeExport(ctx context.Context, w io.Writer, account export) error {
	e := json.NewEncoder(w)
	if err := e.Encode(map[string]export{"account": account}); err != nil {
		return err
	}
	messages, err := s.Store.EachMessageBy(ctx, account.Me.ID, func(m domain.Message) error {
		return e.Encode(map[string]wire.Message{"message": wire.FromMessage(m)})
	})
	if err != nil {
		return err
	}
	reactions, err := s.Store.EachReactionBy(ctx, account.Me.ID, func(r domain.ReactionBy) error {
		return e.Encode(map[string]wire.ReactionBy{"reaction": wire.ReactionBy(r)})
	})
	if err != nil {
		return err
	}
	kept, err := s.Store.EachKept(ctx, account.Me.ID, func(k domain.Kept) error { return e.Encode(wire.FromKept(k)) })
	if err != nil {
		return err
	}
	return e.Encode(map[string]int{"messages": messages, "reactions": reactions, "kept": kept})
}
