// Package emoji is the emoji that people add to the server. The store decides which of them a reaction may be by.
package emoji

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store stores emoji.
type Store interface {
	CustomEmoji(ctx context.Context) ([]domain.CustomEmoji, error)
	OneEmoji(ctx context.Context, name string) (domain.CustomEmoji, error)
	EmojiByAdmins(ctx context.Context) (bool, error)
	AddEmoji(ctx context.Context, e domain.CustomEmoji, hash string, now time.Time) (domain.CustomEmoji, error)
	DeleteEmoji(ctx context.Context, id string, now time.Time) error
}

// Files keeps pictures.
type Files interface {
	Put(ctx context.Context, r io.Reader, limit int64) (domain.Blob, error)
}

// Recorder is the audit log. What cannot be recorded there is not done.
type Recorder interface {
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store Store
	Files Files
	Bus   bus.Bus
	Audit Recorder
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Service is the module.
type Service struct {
	Deps
	pictures *picture.Maker
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{d, picture.NewMaker()}
}

// Queues are where pictures wait.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "emoji_pictures", Limit: picture.MaxWaiting, Depth: s.pictures.Waiting,
		Full: s.pictures.Refused}}
}

// By is who does something, and from where.
type By struct {
	domain.Principal
	Addr      netip.Addr
	UserAgent string
	RequestID string
}

// List returns all emoji by their names, and whether p may add some.
func (s *Service) List(ctx context.Context, p domain.Principal) (all []domain.CustomEmoji, mayAdd bool, err error) {
	if all, err = s.Store.CustomEmoji(ctx); err != nil {
		return nil, false, err
	}
	switch err := s.mayAdd(ctx, p); domain.KindOf(err) {
	case domain.Forbidden:
		return all, false, nil
	default:
		return all, err == nil, err
	}
}

// mayAdd refuses who may not add emoji.
func (s *Service) mayAdd(ctx context.Context, p domain.Principal) error {
	switch {
	case p.Kind != domain.KindUser:
		return domain.Forbidden.Errorf(domain.CodePeopleOnly,
			"only people add emoji; bots and devices use those that there are")
	case p.IsGuest():
		return domain.ErrNotForGuests()
	case p.IsAdmin():
		return nil
	}
	admins, err := s.Store.EmojiByAdmins(ctx)
	if err == nil && admins {
		err = domain.Forbidden.Errorf(domain.CodeNotAdmin, "on this server administrators add emoji; ask one of them")
	}
	return err
}

// Add adds an emoji with a picture, which is made anew in our size, so that nothing else that was in the file is kept.
func (s *Service) Add(ctx context.Context, by By, name string, data []byte) (e domain.CustomEmoji, err error) {
	if name, err = domain.CheckEmojiName("/name", name); err != nil {
		return e, err
	}
	if err := s.mayAdd(ctx, by.Principal); err != nil {
		return e, err
	}
	// To read a picture is work, which is not done for a name that is taken.
	switch _, err := s.Store.OneEmoji(ctx, name); {
	case err == nil:
		return e, domain.ErrEmojiTaken(name)
	case domain.CodeOf(err) != domain.CodeNoEmoji:
		return e, err
	}
	made, err := s.pictures.Emoji(ctx, data, domain.EmojiSide)
	if err != nil {
		return e, err
	}
	file, err := s.Files.Put(ctx, bytes.NewReader(made.Data), picture.MaxEmojiBytes)
	if err != nil {
		return e, err
	}
	e = domain.CustomEmoji{ID: domain.NewID(domain.EmojiPrefix), Name: name, By: domain.UserRef{ID: by.ID}}
	if err := s.record(ctx, by, e, "add"); err != nil {
		return e, err
	}
	if e, err = s.Store.AddEmoji(ctx, e, file.Hash, s.Now()); err == nil {
		s.tell(ctx, wire.EmojiChanged{Name: e.Name, Picture: wire.AvatarPath(e.Picture)})
	}
	return e, err
}

// Delete deletes an emoji, which whoever added it may do, and administrators. Messages and reactions keep its name.
func (s *Service) Delete(ctx context.Context, by By, name string) error {
	e, err := s.Store.OneEmoji(ctx, name)
	if err != nil {
		return err
	}
	if by.ID != e.By.ID && !by.IsAdmin() {
		return domain.Forbidden.Errorf(domain.CodeNotAdmin,
			"%s added this emoji, and only they and administrators can delete it", e.By.Username)
	}
	if err := s.record(ctx, by, e, "delete"); err != nil {
		return err
	}
	if err = s.Store.DeleteEmoji(ctx, e.ID, s.Now()); err == nil {
		s.tell(ctx, wire.EmojiChanged{Name: e.Name})
	}
	return err
}

// tell tells everybody who is connected.
func (s *Service) tell(ctx context.Context, news wire.EmojiChanged) {
	frame, err := wire.PackReply(wire.TypeEmojiChanged, news)
	if err == nil {
		err = s.Bus.Publish(bus.NewsSubject, frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell of a changed emoji", "name", news.Name, "err", err)
	}
}

// record writes what by is about to do into the audit log, before it is done.
func (s *Service) record(ctx context.Context, by By, e domain.CustomEmoji, change string) error {
	s.Log.InfoContext(ctx, string(domain.AuditEmoji), "user", by.ID, "target", e.ID, "name", e.Name, "change", change)
	return s.Audit.RecordSync(ctx, domain.AuditEvent{
		Type: domain.AuditEmoji, Actor: domain.AuditActor{Kind: string(by.Kind), ID: by.ID},
		Target: domain.AuditTarget{Kind: "emoji", ID: e.ID}, Session: by.SessionID, Addr: by.Addr, UserAgent: by.UserAgent,
		RequestID: by.RequestID, Details: map[string]string{"change": change, "name": e.Name, "by": e.By.ID},
	})
}
