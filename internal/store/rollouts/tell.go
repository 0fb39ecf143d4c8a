package rollouts

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// tell writes into the room of a rollout what has become of it: in the name of who did it, or, if it went on by itself,
// of whoever made it. Without somebody who may write there, nothing is said.
func tell(ctx context.Context, t *store.Tx, r *domain.Rollout, by, text string, now time.Time) error {
	if r.Posts == "" {
		return nil
	}
	room, err := rooms.ByID(ctx, t, r.Posts, t.ForUpdate())
	if domain.KindOf(err) == domain.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	names := []string{r.CreatedBy.ID, r.Owner}
	if by != "" {
		names = []string{by}
	}
	for _, name := range names {
		m, err := rooms.MemberOf(ctx, t, r.Posts, name)
		if err != nil {
			return err
		}
		if m.Role == domain.NonMember || domain.Allow(room, m, domain.SendMessage, now) != nil {
			continue
		}
		c, err := counts(ctx, t, *r, now)
		if err != nil {
			return err
		}
		actor, err := accounts.Ref(ctx, t, name)
		if err != nil {
			return err
		}
		e := domain.Event{Room: r.Posts, Type: domain.RolloutTold, Actor: actor, At: now,
			Payload: domain.RolloutToldPayload{Rollout: r.Told(c, by == "", text)}}
		if err := roomlog.Append(ctx, t, &e, nil); err != nil {
			return err
		}
		r.Line = e.Seq
		return nil
	}
	return nil
}
