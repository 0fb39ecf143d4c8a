package auth

import (
	"context"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/wire"
)

// UpdateProfile changes a user's own profile.
func (s *Service) UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error) {
	p, err := domain.CheckProfile(p)
	if err == nil && p.DisplayName != nil {
		err = s.checkDisplayName(ctx, user, p.DisplayName)
	}
	if err != nil {
		return domain.User{}, err
	}
	u, err := s.Store.UpdateProfile(ctx, user, p)
	if err == nil {
		s.tell(ctx, u, true)
	}
	return u, err
}

// checkDisplayName brings a display name into the form in which it is kept. One that
// the account has already stays as it is.
func (s *Service) checkDisplayName(ctx context.Context, user string, name *string) error {
	u, err := s.user(ctx, user)
	if err != nil || u.DisplayName == *name {
		return err
	}
	*name, err = names.CheckPrincipal("/display_name", *name, domain.MaxDisplayName, true)
	return err
}

// SetStatus changes what a user shows of themselves.
func (s *Service) SetStatus(ctx context.Context, user string, st domain.Status) (domain.User, error) {
	st, err := domain.CheckStatus(st, s.Now())
	if err != nil {
		return domain.User{}, err
	}
	u, err := s.Store.SetStatus(ctx, user, st)
	if err == nil {
		s.tell(ctx, u, false)
	}
	return u, err
}

// tell tells everyone who looks at u, and u's own connections, what is new. If that is in the profile, it tells all who
// share a room with u, too.
func (s *Service) tell(ctx context.Context, u domain.User, profile bool) {
	packed, err := wire.PackUser(u)
	if err == nil {
		err = s.Bus.Publish(bus.PresenceSubject, packed)
	}
	if err == nil && profile {
		err = s.Bus.Publish(bus.ProfileSubject, packed)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell of a changed user", "user", u.ID, "err", err)
	}
	s.tellOwn(ctx, u)
}

func (s *Service) tellOwn(ctx context.Context, u domain.User) {
	frame, err := wire.PackReply(wire.TypeUser, wire.FromMe(u))
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(u.ID), frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell a user of their own change", "user", u.ID, "err", err)
	}
}

// me returns the caller's own account.
func (s *Service) me(ctx context.Context, p domain.Principal) (domain.User, error) {
	users, err := s.Store.UsersByID(ctx, []string{p.ID})
	if err != nil {
		return domain.User{}, err
	}
	if len(users) == 0 {
		return domain.User{}, domain.Unauthorized.Errorf(domain.CodeSignedOut, "this account was deleted")
	}
	return users[0], nil
}
