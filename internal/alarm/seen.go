package alarm

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// rooms says of rooms whether somebody may read them. It asks once for each.
type rooms struct {
	s     *Service
	p     domain.Principal
	known map[string]bool
}

func (s *Service) roomsOf(p domain.Principal) *rooms { return &rooms{s, p, make(map[string]bool)} }

func (r *rooms) seen(ctx context.Context, room string) (bool, error) {
	if room == "" {
		return false, nil
	}
	if seen, asked := r.known[room]; asked {
		return seen, nil
	}
	err := r.s.Rooms.MayRead(ctx, r.p, room)
	if k := domain.KindOf(err); err != nil && k != domain.NotFound && k != domain.Forbidden {
		return false, err
	}
	r.known[room] = err == nil
	return err == nil, nil
}

// rulesFor returns those of rules that post to rooms of p, without what is about other rooms: their ids,
// and who is mentioned there.
func (s *Service) rulesFor(
	ctx context.Context, p domain.Principal, rules []domain.AlarmRule,
) ([]domain.AlarmRule, error) {
	of := s.roomsOf(p)
	seen := make([]domain.AlarmRule, 0, len(rules))
	for _, r := range rules {
		here, err := of.seen(ctx, r.Room)
		if err != nil {
			return nil, err
		}
		there, err := of.seen(ctx, r.Escalation.Room)
		if err != nil {
			return nil, err
		}
		if !here && !there {
			continue
		}
		if !here {
			r.Room = ""
		}
		if r.Escalation.Room != "" && !there {
			r.Escalation = domain.Escalation{}
		}
		seen = append(seen, r)
	}
	return seen, nil
}

// hideRooms takes rooms that p is not in from alarms. Of one that escalated to a room of theirs, the line
// there takes the place of the first.
func (s *Service) hideRooms(ctx context.Context, p domain.Principal, alarms []domain.Alarm) error {
	of := s.roomsOf(p)
	for i := range alarms {
		a := &alarms[i]
		here, err := of.seen(ctx, a.Room)
		if err != nil {
			return err
		}
		if here {
			continue
		}
		there, err := of.seen(ctx, a.EscalatedTo)
		if err != nil {
			return err
		}
		a.Room, a.Seq = "", 0
		if there {
			a.Room, a.Seq = a.EscalatedTo, a.EscalatedSeq
		}
	}
	return nil
}
