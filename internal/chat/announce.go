package chat

import (
	"context"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/wire"
)

// Announce takes events that are durable, to be published by Run in the order
// in which they come. It does not wait: if the queue is full the events are not
// published, and gateways find them in the log.
func (s *Service) Announce(events []domain.Event) {
	select {
	case s.news <- events:
	default:
		s.unsaid.Add(1)
	}
}

// Queues are where events wait to be published.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "announcements", Limit: newsQueue, Depth: func() int { return len(s.news) }, Full: s.unsaid.Load}}
}

// Run publishes until ctx is done, and then what is left.
func (s *Service) Run(ctx context.Context) error {
	for {
		select {
		case events := <-s.news:
			s.publish(events)
		case <-ctx.Done():
			for len(s.news) > 0 {
				s.publish(<-s.news)
			}
			return ctx.Err()
		}
	}
}

// publish encodes each event once, for everybody.
func (s *Service) publish(events []domain.Event) {
	for _, e := range events {
		packed, err := wire.PackEvent(e)
		if err == nil {
			err = s.Bus.Publish(wire.RoomSubject(e.Room), packed)
		}
		if err != nil {
			s.Log.Warn("publish an event", "room", e.Room, "seq", e.Seq, "err", err)
		}
		if e.Type.Joins() {
			s.welcome(e)
		}
	}
}

// welcome tells the newcomer's connections of the room: no node follows a room
// that none of its users is in.
func (s *Service) welcome(e domain.Event) {
	body, err := json.Marshal(wire.InRoom{Room: e.Room})
	if err == nil {
		body, err = wire.Pack(wire.Header{Seq: e.Seq, Type: string(e.Type), Subject: e.Subject.ID, Actor: e.Actor.ID, At: e.At.UnixMilli()}, body)
	}
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(e.Subject.ID), body)
	}
	if err != nil {
		s.Log.Warn("tell a newcomer", "room", e.Room, "err", err)
	}
}

// tell sends a frame to all of a user's connections.
func (s *Service) tell(user, kind string, data any) {
	frame, err := wire.Encode(wire.Reply{Type: kind, Data: data})
	if err == nil {
		frame, err = wire.Pack(wire.Header{Type: kind}, frame)
	}
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(user), frame)
	}
	if err != nil {
		s.Log.Warn("tell a user", "user", user, "type", kind, "err", err)
	}
}
