// Package personal is what people keep for themselves: messages that they saved, drafts, messages that they send later,
// reminders, and the sections of their list of rooms. Only they see it, on all their devices.
package personal

import (
	"context"
	"log/slog"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store stores what people keep.
type Store interface {
	SavedStore
	ScheduledStore
	ReminderStore
	SectionStore
}

// ScheduledStore stores messages that are sent later. Claimed and taken ones are leased: nobody else, on any node, has
// them meanwhile.
type ScheduledStore interface {
	Schedule(
		ctx context.Context, m domain.Scheduled, now time.Time,
	) (kept domain.Scheduled, repeat bool, err error)
	Scheduled(ctx context.Context, user string) ([]domain.Scheduled, error)
	Reschedule(ctx context.Context, user, id string, to domain.Scheduled) (domain.Scheduled, error)
	SkipScheduled(ctx context.Context, user, id string, at, now time.Time) (domain.Scheduled, error)
	Unschedule(ctx context.Context, user, id string) error
	TakeScheduled(ctx context.Context, user, id string, lease time.Duration, now time.Time) (domain.Scheduled, error)
	ClaimScheduled(ctx context.Context, limit int, lease time.Duration, now time.Time) ([]domain.Scheduled, error)
	FinishScheduled(ctx context.Context, m domain.Scheduled) error
	AdvanceScheduled(
		ctx context.Context, m domain.Scheduled, why domain.Code, now time.Time,
	) (next domain.Scheduled, err error)
	FailScheduled(ctx context.Context, m domain.Scheduled, why domain.Code) error
	RetryScheduled(ctx context.Context, m domain.Scheduled, at time.Time) error
}

// ReminderStore stores reminders.
type ReminderStore interface {
	Remind(ctx context.Context, r domain.Reminder, now time.Time) (kept domain.Reminder, repeat bool, err error)
	Reminders(ctx context.Context, user string) ([]domain.Reminder, error)
	Reminder(ctx context.Context, user, id string) (domain.Reminder, error)
	ChangeReminder(ctx context.Context, user, id string, at time.Time) error
	ReminderDone(ctx context.Context, user, id string) error
	DeleteReminder(ctx context.Context, user, id string) error
	// FireReminders has reminders come, each once for each of its times, and returns them.
	FireReminders(ctx context.Context, limit int, now time.Time) ([]domain.Reminder, error)
}

// Chat sends messages.
type Chat interface {
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
}

// SavedStore stores saved messages and drafts.
type SavedStore interface {
	Save(ctx context.Context, user, room string, seq int64, now time.Time) (changed bool, err error)
	Unsave(ctx context.Context, user, room string, seq int64, now time.Time) (changed bool, err error)
	Saved(ctx context.Context, user string, c domain.SavedCursor, limit int) ([]domain.Saved, error)
	SavedIn(ctx context.Context, user, room string, now time.Time) ([]int64, error)
	PutDraft(
		ctx context.Context, user string, d domain.PersonalDraft, over int64, now time.Time,
	) (domain.PersonalDraft, error)
	Drafts(ctx context.Context, user string) ([]domain.PersonalDraft, error)
}

// SectionStore stores how people arrange their rooms.
type SectionStore interface {
	PutSections(
		ctx context.Context, user string, s domain.RoomSections, over int64, now time.Time,
	) (kept domain.RoomSections, err error)
	Sections(ctx context.Context, user string) (domain.RoomSections, error)
}

// RoomLog marks the reactions of a user in messages.
type RoomLog interface {
	MarkMine(ctx context.Context, user string, messages []*domain.Message) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	RoomLog  RoomLog
	Chat     Chat
	Bus      bus.Bus
	Log      *slog.Logger
	DiskFull func() error     // nil: the disk is never full
	Now      func() time.Time // nil: time.Now
}

// Service is the module.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.DiskFull == nil {
		d.DiskFull = func() error { return nil }
	}
	return &Service{d}
}

func op(id, method, path, summary string, status int) huma.Operation {
	return huma.Operation{OperationID: id, Method: method, Path: path, Tags: []string{"personal"}, Security: httpx.Bearer,
		Summary: summary, DefaultStatus: status}
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	s.scheduledRoutes(api)
	s.reminderRoutes(api)
	s.sectionRoutes(api)
	httpx.Register(api, op("list-saved", "GET", "/me/saved",
		"The messages that you saved, the one that you saved last first", 200), s.getSaved)
	httpx.Register(api, op("list-saved-in-room", "GET", "/me/saved/{room}",
		"The numbers of the messages of a room that you saved", 200), s.getSavedIn)
	httpx.Register(api, op("save-message", "PUT", "/me/saved/{room}/{seq}",
		"Save a message for yourself; repeating it changes nothing", 204), s.putSaved)
	httpx.Register(api, op("unsave-message", "DELETE", "/me/saved/{room}/{seq}",
		"Take a message off the saved ones; repeating it changes nothing", 204), s.deleteSaved)
	httpx.Register(api, op("list-drafts", "GET", "/me/drafts",
		"What you have begun to write, the draft that you changed last first", 200), s.getDrafts)
	httpx.Register(api, op("put-draft", "PUT", "/me/drafts/{room}",
		"Keep what you have begun to write in a room or thread", 200), s.putDraft)
}

// person returns who asks, who must be a person.
func person(ctx context.Context) (domain.Principal, error) {
	p := httpx.Principal(ctx)
	if p.Kind != domain.KindUser {
		return p, domain.Forbidden.Errorf(domain.CodePeopleOnly, "only people keep messages and drafts for themselves")
	}
	return p, nil
}

// tell sends a frame to all connections of a user.
func (s *Service) tell(ctx context.Context, user, kind string, data any) {
	frame, err := wire.PackReply(kind, data)
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(user), frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell a user", "user", user, "type", kind, "err", err)
	}
}
