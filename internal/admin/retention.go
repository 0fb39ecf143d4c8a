package admin

import (
	"context"
	"strconv"

	"github.com/unhidra/unhidra/internal/domain"
)

// setNumbers changes settings that are numbers: those that are named, if all of
// them together make sense.
func (s *Service) setNumbers(ctx context.Context, by By, to map[string]*int) error {
	now, err := s.Settings(ctx)
	if err != nil {
		return err
	}
	after := make(map[string]int)
	for name, most := range numbers() {
		if after[name], err = strconv.Atoi(now[name]); err != nil {
			after[name] = 0 // never set
		}
		if n := to[name]; n != nil {
			if *n < 0 || *n > most {
				return domain.InvalidField("/"+name, "use 0 to %d", most)
			}
			after[name] = *n
		}
	}
	if longest := after["retention_max_days"]; longest > 0 && after["retention_min_days"] > longest {
		return domain.InvalidField("/retention_min_days", "is longer than retention_max_days")
	}
	for name, n := range to {
		if n == nil {
			continue
		}
		if err := s.Set(ctx, by, name, strconv.Itoa(*n)); err != nil {
			return err
		}
	}
	return nil
}

// Hold puts a legal hold on a room, or ends it. Direct conversations can be held
// as well: that tells nothing of what is said in them.
func (s *Service) Hold(ctx context.Context, by By, id string, held bool, reason string) error {
	if err := s.allowed(ctx, by, true); err != nil {
		return err
	}
	reason, err := domain.CheckLine("/reason", reason, 200, true)
	if err != nil {
		return err
	}
	r, err := s.Store.Room(ctx, id)
	if err != nil {
		return err
	}
	details := map[string]string{"change": "hold", "held": strconv.FormatBool(held), "reason": reason}
	if err := s.record(ctx, by, domain.AuditAdminRoom, domain.AuditTarget{Kind: "room", ID: r.ID}, details); err != nil {
		return err
	}
	_, err = s.Store.HoldRoom(ctx, by.ID, r.ID, held, s.Now())
	return err
}

func (s *Service) putHold(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64" doc:"id"`
	Body struct {
		Held   bool   `json:"held"`
		Reason string `json:"reason" doc:"for the audit log: a case, or who asked for it"`
	}
}) (*struct{}, error) {
	return nil, s.Hold(ctx, by(ctx), in.Room, in.Body.Held, in.Body.Reason)
}

// roomUse is how much of a room is kept.
type roomUse struct {
	Events int64 `json:"events" doc:"that are kept: messages, changes of them, and who came and went"`
	Text   int64 `json:"text_bytes" doc:"of texts, about: a sample is measured"`
	Floor  int64 `json:"floor" doc:"how many are no longer kept"`
	Held   bool  `json:"held" doc:"a legal hold is on it"`
}

func (s *Service) getRoomUse(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64" doc:"id"`
}) (*struct{ Body roomUse }, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	r, err := s.Store.Room(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	u, err := s.Store.RoomUsage(ctx, r)
	return &struct{ Body roomUse }{roomUse{u.Events, u.Text, r.Floor, !r.HeldAt.IsZero()}}, err
}
