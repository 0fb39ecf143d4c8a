package chat

import (
	"context"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/wire"
)

// Announce queues committed events for publishing; Run publishes them in order. It does not
// block. If the queue is full the events are dropped, and gateways read them from the log.
func (s *Service) Announce(events []domain.Event) {
	select {
	case s.announcements <- events:
	default:
		s.dropped.Add(1)
	}
}

// Queues returns the queue of events that are to be published, for the metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "announcements", Limit: announcementQueueLength,
		Depth: func() int { return len(s.announcements) }, Full: s.dropped.Load}}
}

// Run publishes queued events until ctx is done, and then those that are left in the queue.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case events := <-s.announcements:
			s.publish(ctx, events)
		case <-ctx.Done():
			for len(s.announcements) > 0 {
				s.publish(ctx, <-s.announcements)
			}
			return ctx.Err()
		}
	}
}

// publish encodes each event once and publishes it on the bus.
func (s *Service) publish(ctx context.Context, events []domain.Event) {
	for _, e := range events {
		ctx, span := s.Trace.Continue(ctx, "bus.publish", e.Trace)
		span.Room(e.Room, e.Seq)
		e.Trace = trace.Parent(ctx)
		packed, err := wire.PackEvent(e)
		if err == nil {
			err = s.Bus.Publish(wire.RoomSubject(e.Room), packed)
		}
		span.End(err)
		if err != nil {
			s.Log.WarnContext(ctx, "publish an event", "room", e.Room, "seq", e.Seq, "err", err)
		}
		if e.Type.Joins() {
			s.publishJoin(e)
		}
	}
}

// publishJoin tells the new member's connections about the room. Their nodes may not be
// subscribed to the room's subject yet.
func (s *Service) publishJoin(e domain.Event) {
	body, err := json.Marshal(wire.InRoom{Room: e.Room})
	if err == nil {
		body, err = wire.Pack(wire.Header{Seq: e.Seq, Type: string(e.Type), Subject: e.Subject.ID, Actor: e.Actor.ID,
			At: e.At.UnixMilli()}, body)
	}
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(e.Subject.ID), body)
	}
	if err != nil {
		s.Log.Warn("tell a newcomer", "room", e.Room, "err", err)
	}
}

// publishToUser sends a frame to all connections of a user.
func (s *Service) publishToUser(ctx context.Context, user, kind string, data any) {
	frame, err := wire.PackReply(kind, data)
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(user), frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell a user", "user", user, "type", kind, "err", err)
	}
}
