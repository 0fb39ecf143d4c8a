package personal

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	atOnce    = 16          // messages that this node sends at a time
	fireLimit = 100         // reminders that come in one commit
	lease     = time.Minute // of a scheduled message; longer than an attempt
	attempt   = 30 * time.Second
	retry     = 15 * time.Second // after the store or the disk refused
	pollEvery = time.Second
)

// Run sends scheduled messages and has reminders come, until ctx is done. Any number of nodes may run it: a message is
// leased by one, and sent with its own key, so that it is in the log once also after a node has died.
func (s *Service) Run(ctx context.Context) error {
	look := time.NewTicker(pollEvery)
	defer look.Stop()
	for {
		for s.sendDue(ctx) {
		}
		for s.fireDue(ctx) {
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-look.C:
		}
	}
}

// sendDue sends some of the scheduled messages that are due, and reports whether there may be more.
func (s *Service) sendDue(ctx context.Context) (more bool) {
	due, err := s.Store.ClaimScheduled(ctx, atOnce, lease, s.Now())
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for scheduled messages; will try again", "err", err)
		}
		return false
	}
	var wg sync.WaitGroup
	for _, m := range due {
		wg.Go(func() { _, _ = s.send(ctx, m) })
	}
	wg.Wait()
	return len(due) == atOnce
}

// send sends a leased message, stores what became of it and tells its user. What may have been sent is tried again.
func (s *Service) send(ctx context.Context, m domain.Scheduled) (e domain.Event, err error) {
	now := s.Now()
	ctx, cancel := context.WithTimeout(ctx, attempt)
	defer cancel()
	m = m.Due(now)
	if m.Late(now) {
		err = domain.Conflict.Errorf(domain.CodeScheduledLate, "it could not be sent for a day")
	} else {
		e, err = s.Chat.Send(ctx, domain.Principal{ID: m.User, Kind: domain.KindUser},
			domain.Draft{Room: m.Room, Thread: m.Thread, Text: m.Text, Key: m.MessageKey()})
	}
	record := context.WithoutCancel(ctx)
	var lost error
	switch kind := domain.KindOf(err); {
	case !m.Repeat.Zero() && (err == nil || m.Late(now)):
		var next domain.Scheduled
		if next, lost = s.Store.AdvanceScheduled(record, m, domain.CodeOf(err), now); lost == nil {
			s.tellScheduled(record, next)
		}
	case err == nil:
		if lost = s.Store.FinishScheduled(record, m); lost == nil {
			s.tell(record, m.User, wire.TypeScheduled, wire.ScheduledChanged{ID: m.ID})
		}
	case kind == domain.Internal || kind == domain.Unavailable || ctx.Err() != nil:
		s.Log.WarnContext(record, "a scheduled message is tried again later", "scheduled", m.ID, "err", err)
		lost = s.Store.RetryScheduled(record, m, now.Add(retry))
	default:
		m.State, m.Failure = domain.ScheduledFailed, domain.CodeOf(err)
		if lost = s.Store.FailScheduled(record, m, m.Failure); lost == nil {
			s.tellScheduled(record, m)
		}
	}
	if lost != nil {
		s.Log.WarnContext(record, "record what became of a scheduled message; it is tried again later", "scheduled", m.ID,
			"err", lost)
	}
	return e, err
}

// fireDue has some of the reminders come that are due, and reports whether there may be more.
func (s *Service) fireDue(ctx context.Context) (more bool) {
	fired, err := s.Store.FireReminders(ctx, fireLimit, s.Now())
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for reminders; will try again", "err", err)
		}
		return false
	}
	for _, r := range fired {
		_, err := s.showReminder(ctx, r.User, r.ID, true)
		if err != nil && domain.CodeOf(err) != domain.CodeNoReminder && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "tell a user of a reminder", "user", r.User, "err", err)
		}
	}
	return len(fired) == fireLimit
}
