// Package usergroup is what administrators do with user groups, which messages mention by their handles, and how people
// look at them. The store decides whom a message mentions.
package usergroup

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
)

// Store stores user groups.
type Store interface {
	UserGroups(ctx context.Context, user, circle string) ([]domain.UserGroup, error)
	UserGroup(ctx context.Context, user, circle, which string) (domain.UserGroup, []domain.UserRef, error)
	CreateUserGroup(ctx context.Context, g domain.UserGroup, people []string) error
	ChangeUserGroup(ctx context.Context, id string, handle, name *string) error
	DeleteUserGroup(ctx context.Context, id string) error
	AddToUserGroup(ctx context.Context, id string, people []string) error
	RemoveFromUserGroup(ctx context.Context, id, user string) error
}

// Recorder is the audit log. What cannot be recorded there is not done.
type Recorder interface {
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store Store
	Audit Recorder
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
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

// By is who does something, and from where.
type By struct {
	domain.AuditActor
	Session   string
	Addr      netip.Addr
	UserAgent string
	RequestID string
}

// List returns all groups by their handles. Those that p is in are theirs. A guest sees those with somebody who shares
// a room with them, and of these such people.
func (s *Service) List(ctx context.Context, p domain.Principal) ([]domain.UserGroup, error) {
	return s.Store.UserGroups(ctx, p.ID, p.Circle(false))
}

// Group returns a group by its id or handle, and who is in it, as List does.
func (s *Service) Group(
	ctx context.Context, p domain.Principal, which string,
) (domain.UserGroup, []domain.UserRef, error) {
	return s.Store.UserGroup(ctx, p.ID, p.Circle(false), strings.ToLower(strings.TrimPrefix(which, "@")))
}

// Create makes a group of the people who have ids. An empty name is the handle.
func (s *Service) Create(
	ctx context.Context, by By, handle, name string, people []string,
) (g domain.UserGroup, err error) {
	if g.Handle, err = names.CheckHandle(handle); err != nil {
		return g, err
	}
	if g.Name, err = names.Check("/name", name, domain.MaxDisplayName, false); err != nil {
		return g, err
	}
	if g.Name == "" {
		g.Name = g.Handle
	}
	g.ID, g.CreatedAt = domain.NewID(domain.UserGroupPrefix), s.Now().Truncate(time.Millisecond)
	details := map[string]string{"change": "create", "members": strings.Join(people, " ")}
	if err := s.record(ctx, by, g, details); err != nil {
		return g, err
	}
	if err := s.Store.CreateUserGroup(ctx, g, people); err != nil {
		return g, err
	}
	g, _, err = s.Store.UserGroup(ctx, by.ID, "", g.ID)
	return g, err
}

// Change gives a group another handle and name, where they are not nil.
func (s *Service) Change(
	ctx context.Context, by By, which string, handle, name *string,
) (g domain.UserGroup, err error) {
	if g, _, err = s.Group(ctx, domain.Principal{ID: by.ID}, which); err != nil {
		return g, err
	}
	details := map[string]string{"change": "update"}
	if handle != nil {
		checked, err := names.CheckHandle(*handle)
		if err != nil {
			return g, err
		}
		handle, details["to"] = &checked, checked
	}
	if name != nil {
		checked, err := names.Check("/name", *name, domain.MaxDisplayName, true)
		if err != nil {
			return g, err
		}
		name, details["name"] = &checked, checked
	}
	if handle == nil && name == nil {
		return g, domain.Invalid.Errorf(domain.CodeNothingToChange, "say what to change: handle or name")
	}
	if err := s.record(ctx, by, g, details); err != nil {
		return g, err
	}
	if err := s.Store.ChangeUserGroup(ctx, g.ID, handle, name); err != nil {
		return g, err
	}
	g, _, err = s.Store.UserGroup(ctx, by.ID, "", g.ID)
	return g, err
}

// Delete deletes a group. Messages that named it stay as they are, and whom they mentioned stays mentioned.
func (s *Service) Delete(ctx context.Context, by By, which string) error {
	return s.alter(ctx, by, which, map[string]string{"change": "delete"}, s.Store.DeleteUserGroup)
}

// Add has people be in a group, by their ids. Who is in it already stays.
func (s *Service) Add(ctx context.Context, by By, which string, people []string) error {
	details := map[string]string{"change": "add", "members": strings.Join(people, " ")}
	return s.alter(ctx, by, which, details, func(ctx context.Context, id string) error {
		return s.Store.AddToUserGroup(ctx, id, people)
	})
}

// Remove takes somebody out of a group, who need not be in it.
func (s *Service) Remove(ctx context.Context, by By, which, user string) error {
	details := map[string]string{"change": "remove", "members": user}
	return s.alter(ctx, by, which, details, func(ctx context.Context, id string) error {
		return s.Store.RemoveFromUserGroup(ctx, id, user)
	})
}

// alter records what by is about to do to a group, and then does it.
func (s *Service) alter(
	ctx context.Context, by By, which string, details map[string]string,
	do func(ctx context.Context, id string) error,
) error {
	g, _, err := s.Group(ctx, domain.Principal{ID: by.ID}, which)
	if err != nil {
		return err
	}
	if err := s.record(ctx, by, g, details); err != nil {
		return err
	}
	return do(ctx, g.ID)
}

// record writes what by is about to do to a group into the audit log, before it is done.
func (s *Service) record(
	ctx context.Context, by By, g domain.UserGroup, details map[string]string,
) error {
	details = maps.Clone(details)
	details["handle"] = g.Handle
	s.Log.InfoContext(ctx, string(domain.AuditAdminUserGroup), "admin", by.ID, "target", g.ID, "details", details)
	return s.Audit.RecordSync(ctx, domain.AuditEvent{
		Type: domain.AuditAdminUserGroup, Actor: by.AuditActor, Target: domain.AuditTarget{Kind: "user_group", ID: g.ID},
		Session: by.Session, Addr: by.Addr, UserAgent: by.UserAgent, RequestID: by.RequestID, Details: details,
	})
}
