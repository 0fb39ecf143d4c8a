package chat

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// React adds a reaction to a message, or takes one's own away. If that is so already, it writes nothing, and
// the answer has no number.
func (s *Service) React(ctx context.Context, p domain.Principal, r domain.Reacting) (a wire.Reacted, err error) {
	if p.Kind == domain.KindDevice {
		return a, domain.Forbidden.Errorf(domain.CodePeopleOnly,
			"a device cannot react to messages; it can write one that answers them")
	}
	if err := domain.CheckRoomID(r.Room); err != nil {
		return a, err
	}
	if r.Emoji, err = domain.CheckReaction("/emoji", r.Emoji); err != nil {
		return a, err
	}
	if !r.Remove {
		if err := s.checkDisk(); err != nil {
			return a, err
		}
	}
	e, _, err := s.Store.React(ctx, p.ID, r, s.Now())
	return wire.Reacted{Seq: e.Seq}, err
}

func (s *Service) reactionRoutes(api huma.API) {
	const path = "/rooms/{room}/messages/{seq}/reactions/{emoji}"
	httpx.Register(api, op("add-reaction", "PUT", path, "messages",
		"React to a message with an emoji; repeating it changes nothing"), s.putReaction)
	httpx.Register(api, op("remove-reaction", "DELETE", path, "messages",
		"Take your reaction to a message away; repeating it changes nothing"), s.deleteReaction)
}

// OfEmoji is the input of operations on a reaction.
type OfEmoji struct {
	InMessage
	Emoji string `path:"emoji" maxLength:"64" doc:"one emoji, percent-encoded, or the name of one of the server between colons"`
}

func (in *OfEmoji) reacting(remove bool) domain.Reacting {
	return domain.Reacting{Room: in.Room, Seq: in.Seq, Emoji: in.Emoji, Remove: remove}
}

func (s *Service) putReaction(ctx context.Context, in *OfEmoji) (*body[wire.Reacted], error) {
	a, err := s.React(ctx, httpx.Principal(ctx), in.reacting(false))
	return answer(a, err, asIs)
}

func (s *Service) deleteReaction(ctx context.Context, in *OfEmoji) (*body[wire.Reacted], error) {
	a, err := s.React(ctx, httpx.Principal(ctx), in.reacting(true))
	return answer(a, err, asIs)
}

func asIs(a wire.Reacted) wire.Reacted { return a }
