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

// writeExport writes the account on the first line, and one more for each message, reaction and vote of its owner, for
// each thing that they keep for themselves, and for all else that there is about them. After an error in the middle,
// the last line, which tells that it is the last, is not there.
func (s *Service) writeExport(ctx context.Context, w io.Writer, account export) error {
	e, id, db := json.NewEncoder(w), account.Me.ID, s.Store
	put := func(name string, v any) error { return e.Encode(map[string]any{name: v}) }
	if err := put("account", account); err != nil {
		return err
	}
	messages, err := db.EachMessageBy(ctx, id, func(m domain.Message) error { return put("message", wire.FromMessage(m)) })
	if err != nil {
		return err
	}
	reactions, err := db.EachReactionBy(ctx, id, func(r domain.ReactionBy) error {
		return put("reaction", wire.ReactionBy(r))
	})
	if err != nil {
		return err
	}
	votes, err := db.EachVoteBy(ctx, id, func(v domain.VoteBy) error { return put("vote", wire.VoteBy(v)) })
	if err != nil {
		return err
	}
	kept, err := db.EachKept(ctx, id, func(k domain.Kept) error { return e.Encode(wire.FromKept(k)) })
	if err != nil {
		return err
	}
	reports, others, err := db.EachOther(ctx, id, put)
	if err != nil {
		return err
	}
	return e.Encode(map[string]int{"messages": messages, "reactions": reactions, "votes": votes, "kept": kept,
		"reports": reports, "others": others})
}
