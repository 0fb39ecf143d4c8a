package personal

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) scheduledRoutes(api huma.API) {
	httpx.Register(api, op("list-scheduled", "GET", "/me/scheduled",
		"The messages that you send later, the next one first", 200), s.getScheduled)
	httpx.Register(api, op("schedule-message", "POST", "/me/scheduled",
		"Have a message sent later; the same key schedules no second one", 201), s.postScheduled)
	httpx.Register(api, op("change-scheduled", "PUT", "/me/scheduled/{scheduled}",
		"Change the text and times of a scheduled message; one that has failed waits again", 200), s.putScheduled)
	httpx.Register(api, op("skip-scheduled", "POST", "/me/scheduled/{scheduled}/skip",
		"Leave out the next time of a scheduled message that repeats; repeating it changes nothing", 200), s.skipScheduled)
	httpx.Register(api, op("send-scheduled", "POST", "/me/scheduled/{scheduled}/send",
		"Send a scheduled message now", 200), s.sendScheduled)
	httpx.Register(api, op("delete-scheduled", "DELETE", "/me/scheduled/{scheduled}",
		"Delete a scheduled message", 204), s.deleteScheduled)
}

// scheduledList are the scheduled messages of a person.
type scheduledList struct {
	Items []wire.Scheduled `json:"items" nullable:"false" maxItems:"100"`
}

func (s *Service) getScheduled(ctx context.Context, _ *struct{}) (*struct{ Body scheduledList }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Scheduled(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := scheduledList{make([]wire.Scheduled, len(found))}
	for i, m := range found {
		out.Items[i] = wire.FromScheduled(m)
	}
	return &struct{ Body scheduledList }{out}, nil
}

// newScheduled is a message for later.
type newScheduled struct {
	Key    string       `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
	Room   string       `json:"room" maxLength:"64"`
	Thread int64        `json:"thread,omitempty" minimum:"0" doc:"seq of the message whose thread it is a reply in"`
	Text   string       `json:"text" doc:"as long as that of a message"`
	At     *time.Time   `json:"at,omitempty" doc:"at most 366 days from now; with repeat: from when on, absent: now"`
	Repeat *wire.Repeat `json:"repeat,omitempty" doc:"absent: it is sent once"`
}

func (s *Service) postScheduled(ctx context.Context, in *struct{ Body newScheduled }) (
	*struct{ Body wire.Scheduled }, error,
) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	b, now := in.Body, s.Now()
	if err := domain.CheckRoomID(b.Room); err != nil {
		return nil, err
	}
	if err := domain.CheckKey(b.Key); err != nil {
		return nil, err
	}
	asked, err := s.checkScheduled(b.Text, b.At, b.Repeat, now)
	if err != nil {
		return nil, err
	}
	asked.ID, asked.User, asked.Room, asked.Thread = domain.NewID(domain.ScheduledPrefix), p.ID, b.Room, b.Thread
	asked.Key = b.Key
	m, repeat, err := s.Store.Schedule(ctx, asked, now)
	if err != nil {
		return nil, err
	}
	if !repeat {
		s.tellScheduled(ctx, m)
	}
	return &struct{ Body wire.Scheduled }{wire.FromScheduled(m)}, nil
}

// checkScheduled returns what a message says and when it is sent.
func (s *Service) checkScheduled(
	text string, at *time.Time, repeat *wire.Repeat, now time.Time,
) (m domain.Scheduled, err error) {
	if m.Text, err = domain.CheckText(text); err != nil {
		return m, err
	}
	if m.At, m.Repeat, err = checkTimes(at, repeat, now); err != nil {
		return m, err
	}
	return m, s.DiskFull()
}

// checkTimes returns when something comes first, and when it comes again. What repeats comes only at times of repeat:
// at says from when on.
func checkTimes(at *time.Time, repeat *wire.Repeat, now time.Time) (first time.Time, r domain.Repeat, err error) {
	if repeat != nil {
		if r, err = domain.CheckRepeat(repeat.Value()); err != nil {
			return first, r, err
		}
	}
	switch {
	case at != nil:
		err = domain.CheckAhead("/at", *at, now)
		if first = *at; repeat != nil {
			first = r.From(first)
		}
	case repeat != nil:
		first = r.Next(now)
	default:
		err = domain.InvalidField("/at", "say when, by at or repeat")
	}
	return first, r, err
}

// OfScheduled names a scheduled message.
type OfScheduled struct {
	ID string `path:"scheduled" maxLength:"64"`
}

func (s *Service) putScheduled(ctx context.Context, in *struct {
	OfScheduled
	Body struct {
		Text   string       `json:"text" doc:"as long as that of a message"`
		At     *time.Time   `json:"at,omitempty" doc:"at most 366 days from now; with repeat: from when on, absent: now"`
		Repeat *wire.Repeat `json:"repeat,omitempty" doc:"absent: it is sent once"`
		Paused bool         `json:"paused,omitempty" doc:"it repeats, but not for now"`
	}
}) (*struct{ Body wire.Scheduled }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	to, err := s.checkScheduled(in.Body.Text, in.Body.At, in.Body.Repeat, s.Now())
	if to.Paused = in.Body.Paused; err == nil && to.Paused && to.Repeat.Zero() {
		err = domain.InvalidField("/paused", "only what repeats can be paused")
	}
	if err != nil {
		return nil, err
	}
	return s.changed(ctx)(s.Store.Reschedule(ctx, p.ID, in.ID, to))
}

func (s *Service) skipScheduled(ctx context.Context, in *struct {
	OfScheduled
	Body struct {
		At time.Time `json:"at" doc:"the time that is left out, which is the next one"`
	}
}) (*struct{ Body wire.Scheduled }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	return s.changed(ctx)(s.Store.SkipScheduled(ctx, p.ID, in.ID, in.Body.At, s.Now()))
}

// changed tells a user's devices of a scheduled message that was changed, and answers with it.
func (s *Service) changed(ctx context.Context) func(domain.Scheduled, error) (*struct{ Body wire.Scheduled }, error) {
	return func(m domain.Scheduled, err error) (*struct{ Body wire.Scheduled }, error) {
		if err != nil {
			return nil, err
		}
		s.tellScheduled(ctx, m)
		return &struct{ Body wire.Scheduled }{wire.FromScheduled(m)}, nil
	}
}

func (s *Service) deleteScheduled(ctx context.Context, in *OfScheduled) (*struct{}, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.Store.Unschedule(ctx, p.ID, in.ID); err != nil {
		return nil, err
	}
	s.tell(ctx, p.ID, wire.TypeScheduled, wire.ScheduledChanged{ID: in.ID})
	return nil, nil
}

func (s *Service) sendScheduled(ctx context.Context, in *OfScheduled) (*struct{ Body wire.Sent }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	m, err := s.Store.TakeScheduled(ctx, p.ID, in.ID, lease, s.Now())
	if err != nil {
		return nil, err
	}
	e, err := s.send(ctx, m)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Sent }{wire.Sent{Seq: e.Seq}}, nil
}

func (s *Service) tellScheduled(ctx context.Context, m domain.Scheduled) {
	shown := wire.FromScheduled(m)
	s.tell(ctx, m.User, wire.TypeScheduled, wire.ScheduledChanged{ID: m.ID, Scheduled: &shown})
}
