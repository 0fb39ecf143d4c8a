package alarms

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// place is where an alarm has a line: its number in a room, and of which type it is.
type place struct {
	room  string
	line  int64 // 0: it is written now
	first domain.EventType
}

// payload is what the line says of the alarm as it is now.
func (p place) payload(a domain.Alarm, user string) domain.Payload {
	if p.first == domain.AlarmEscalated {
		return domain.AlarmEscalatedPayload{User: user, Alarm: a.Line()}
	}
	return domain.AlarmRaisedPayload{Alarm: a.Line()}
}

func placesOf(a domain.Alarm) (places []place) {
	if a.Room != "" {
		places = append(places, place{a.Room, a.Seq, domain.AlarmRaised})
	}
	if a.EscalatedTo != "" {
		places = append(places, place{a.EscalatedTo, a.EscalatedSeq, domain.AlarmEscalated})
	}
	return places
}

// tell says in each room that has a line of the alarm what has become of it, once, and in the lines themselves.
func tell(
	ctx context.Context, t *store.Tx, a domain.Alarm, typ domain.EventType, actor string, now time.Time,
) error {
	told := make(map[string]bool)
	for _, p := range placesOf(a) {
		if !told[p.room] {
			told[p.room] = true
			var payload domain.Payload = domain.AlarmAcknowledgedPayload{Of: p.line, Alarm: a.Line()}
			if typ == domain.AlarmCleared {
				payload = domain.AlarmClearedPayload{Of: p.line, Alarm: a.Line()}
			}
			seq, err := post(ctx, t, a, p, typ, payload, actor, now)
			if err != nil {
				return err
			}
			if seq == 0 {
				continue
			}
		}
		if err := restate(ctx, t, a, p); err != nil {
			return err
		}
	}
	return nil
}

// restate writes the alarm as it is now into one of its lines.
func restate(ctx context.Context, t *store.Tx, a domain.Alarm, p place) error {
	user := ""
	if p.first == domain.AlarmEscalated {
		e, ok, err := roomlog.BySeq(ctx, t, domain.WholeLog(p.room), p.line)
		if err != nil || !ok {
			return err
		}
		before, _ := e.Payload.(domain.AlarmEscalatedPayload)
		user = before.User
	}
	line := domain.Event{Room: p.room, Seq: p.line, Type: p.first, Payload: p.payload(a, user)}
	return roomlog.Restate(ctx, t, &line)
}

// post writes an event about an alarm into a room. It returns the number of the event, or 0 if nothing can be
// said there: the room or the line is gone, or the device has left the room or is muted in it.
func post(
	ctx context.Context, t *store.Tx, a domain.Alarm, p place, typ domain.EventType, payload domain.Payload, actor string,
	now time.Time,
) (int64, error) {
	room, err := rooms.ByID(ctx, t, p.room, t.ForUpdate())
	if domain.KindOf(err) == domain.NotFound {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	m, err := rooms.MemberOf(ctx, t, p.room, a.Device)
	if err != nil {
		return 0, err
	}
	if m.Role == domain.NonMember || domain.Allow(room, m, domain.SendMessage, now) != nil ||
		p.line != 0 && room.Floor >= p.line {
		return 0, nil
	}
	by, err := accounts.Ref(ctx, t, actor)
	if err != nil {
		return 0, err
	}
	e := domain.Event{Room: p.room, Type: typ, Actor: by, Subject: &m.User, At: now, Payload: payload}
	var target any
	if !typ.Timeline() {
		target = p.line
	}
	err = roomlog.Append(ctx, t, &e, target)
	return e.Seq, err
}
