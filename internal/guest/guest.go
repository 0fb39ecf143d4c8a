// Package guest is what guests of the server may do, and ends their access at its time. What they may do in a room that
// they are in, domain.Allow decides.
package guest

import (
	"context"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// lookEvery is how often the service looks for guests whose access is over. It ends within that time.
const lookEvery = 3 * time.Second

// Store knows guests.
type Store interface {
	DueGuests(ctx context.Context, now time.Time) ([]domain.User, error)
	EndGuest(ctx context.Context, user string, now time.Time) (u domain.User, done bool, err error)
}

// Tokens ends access tokens, and the connections that were opened with them.
type Tokens interface {
	Revoke(ctx context.Context, r bus.Revocation)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store  Store
	Tokens Tokens
	Audit  Recorder
	Log    *slog.Logger
	Now    func() time.Time // nil: time.Now
}

// Service is the module.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{d}
}

// Run ends the access of guests at its time, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		if err := s.End(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "end the access of guests", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// End ends the access of all guests whose time has come.
func (s *Service) End(ctx context.Context) error {
	now := s.Now()
	due, err := s.Store.DueGuests(ctx, now)
	if err != nil {
		return err
	}
	for _, u := range due {
		u, done, err := s.Store.EndGuest(ctx, u.ID, now)
		if err != nil {
			return err
		}
		if !done {
			continue // another node was faster, or the access was extended
		}
		s.Audit.Record(ctx, domain.AuditEvent{
			Type: domain.AuditGuestEnd, Actor: domain.AuditActor{Kind: domain.ActorSystem},
			Target:  domain.AuditTarget{Kind: string(domain.KindUser), ID: u.ID},
			Details: map[string]string{"until": u.GuestUntil.UTC().Format(time.RFC3339)},
		})
		s.Tokens.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: domain.EndedGuest})
	}
	return nil
}
