package personal

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) reminderRoutes(api huma.API) {
	httpx.Register(api, op("list-reminders", "GET", "/me/reminders",
		"What you want to be reminded of: what came and is not done, and then what comes next", 200), s.getReminders)
	httpx.Register(api, op("create-reminder", "POST", "/me/reminders",
		"Be reminded of a message, or of a text; the same key makes no second reminder", 201), s.postReminder)
	httpx.Register(api, op("change-reminder", "PUT", "/me/reminders/{reminder}",
		"Have a reminder come at another time, also one that came", 200), s.putReminder)
	httpx.Register(api, op("finish-reminder", "POST", "/me/reminders/{reminder}/done",
		"Say that you have seen to what a reminder is about; one that repeats comes again", 204), s.doneReminder)
	httpx.Register(api, op("delete-reminder", "DELETE", "/me/reminders/{reminder}",
		"Delete a reminder, with all times at which it would come again", 204), s.deleteReminder)
}

// reminderList are the reminders of a person.
type reminderList struct {
	Items []wire.Reminder `json:"items" nullable:"false" maxItems:"200"`
}

func (s *Service) getReminders(ctx context.Context, _ *struct{}) (*struct{ Body reminderList }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Reminders(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	var messages []*domain.Message
	for _, r := range found {
		if r.Message != nil {
			messages = append(messages, r.Message)
		}
	}
	if err := s.RoomLog.MarkMine(ctx, p.ID, messages); err != nil {
		return nil, err
	}
	out := reminderList{make([]wire.Reminder, len(found))}
	for i, r := range found {
		out.Items[i] = wire.FromReminder(r)
	}
	return &struct{ Body reminderList }{out}, nil
}

// newReminder is what somebody wants to be reminded of, and when.
type newReminder struct {
	Key    string       `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
	Room   string       `json:"room,omitempty" maxLength:"64" doc:"of the message that it is about"`
	Seq    int64        `json:"seq,omitempty" minimum:"0" doc:"of the message that it is about"`
	Text   string       `json:"text,omitempty" doc:"at most 1,000 characters; needed without a message"`
	At     *time.Time   `json:"at,omitempty" doc:"at most 366 days from now; with repeat: from when on, absent: now"`
	Repeat *wire.Repeat `json:"repeat,omitempty" doc:"absent: it comes once"`
}

func (s *Service) postReminder(ctx context.Context, in *struct{ Body newReminder }) (
	*struct{ Body wire.Reminder }, error,
) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	now := s.Now()
	r, err := in.Body.check(now)
	if err == nil {
		err = s.DiskFull()
	}
	if err != nil {
		return nil, err
	}
	r.ID, r.User = domain.NewID(domain.ReminderPrefix), p.ID
	kept, repeat, err := s.Store.Remind(ctx, r, now)
	if err != nil {
		return nil, err
	}
	shown, err := s.showReminder(ctx, p.ID, kept.ID, !repeat)
	return &struct{ Body wire.Reminder }{shown}, err
}

// check returns the reminder that b says.
func (b newReminder) check(now time.Time) (r domain.Reminder, err error) {
	if err := domain.CheckKey(b.Key); err != nil {
		return r, err
	}
	if (b.Room == "") != (b.Seq == 0) {
		return r, domain.InvalidField("/seq", "a message has a room and a number; name both, or none")
	}
	if b.Room != "" {
		if err := domain.CheckRoomID(b.Room); err != nil {
			return r, err
		}
	}
	r = domain.Reminder{Room: b.Room, Seq: b.Seq, Key: b.Key}
	if r.Text, err = domain.CheckProse("/text", b.Text, domain.MaxReminderText); err != nil {
		return r, err
	}
	if r.Text == "" && r.Room == "" {
		return r, domain.InvalidField("/text", "say what you want to be reminded of")
	}
	r.At, r.Repeat, err = checkTimes(b.At, b.Repeat, now)
	return r, err
}

// OfReminder names a reminder.
type OfReminder struct {
	ID string `path:"reminder" maxLength:"64"`
}

func (s *Service) putReminder(ctx context.Context, in *struct {
	OfReminder
	Body struct {
		At time.Time `json:"at" doc:"when it comes next, at most 366 days from now"`
	}
}) (*struct{ Body wire.Reminder }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := domain.CheckAhead("/at", in.Body.At, s.Now()); err != nil {
		return nil, err
	}
	if err := s.Store.ChangeReminder(ctx, p.ID, in.ID, in.Body.At); err != nil {
		return nil, err
	}
	shown, err := s.showReminder(ctx, p.ID, in.ID, true)
	return &struct{ Body wire.Reminder }{shown}, err
}

func (s *Service) doneReminder(ctx context.Context, in *OfReminder) (*struct{}, error) {
	return nil, s.endReminder(ctx, in.ID, s.Store.ReminderDone)
}

func (s *Service) deleteReminder(ctx context.Context, in *OfReminder) (*struct{}, error) {
	return nil, s.endReminder(ctx, in.ID, s.Store.DeleteReminder)
}

// endReminder changes a reminder by do, and tells the devices of the person what is left of it.
func (s *Service) endReminder(ctx context.Context, id string, do func(context.Context, string, string) error) error {
	p, err := person(ctx)
	if err != nil {
		return err
	}
	if err := do(ctx, p.ID, id); err != nil {
		return err
	}
	if _, err := s.showReminder(ctx, p.ID, id, true); domain.CodeOf(err) != domain.CodeNoReminder {
		return err
	}
	s.tell(ctx, p.ID, wire.TypeReminder, wire.ReminderChanged{ID: id})
	return nil
}

// showReminder returns a reminder of a user with its message, and may tell their devices.
func (s *Service) showReminder(ctx context.Context, user, id string, tell bool) (wire.Reminder, error) {
	r, err := s.Store.Reminder(ctx, user, id)
	if err != nil {
		return wire.Reminder{}, err
	}
	if r.Message != nil {
		if err := s.RoomLog.MarkMine(ctx, user, []*domain.Message{r.Message}); err != nil {
			return wire.Reminder{}, err
		}
	}
	shown := wire.FromReminder(r)
	if tell {
		s.tell(ctx, user, wire.TypeReminder, wire.ReminderChanged{ID: id, Reminder: &shown})
	}
	return shown, nil
}
