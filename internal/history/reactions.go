package history

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// ReactionStore reads reactions to messages.
type ReactionStore interface {
	MarkMine(ctx context.Context, user string, messages []*domain.Message) error
	Reactors(
		ctx context.Context, v domain.View, seq int64, emoji string, after int64, limit int,
	) ([]domain.Reactor, error)
}

// markMine says of the reactions and polls in events what the caller has given, or voted for.
func (s *Service) markMine(ctx context.Context, events []domain.Event) error {
	var messages []*domain.Message
	for _, e := range events {
		if e.Message != nil && (len(e.Message.Reactions.All) > 0 || e.Message.Poll != nil) {
			messages = append(messages, e.Message)
		}
	}
	if len(messages) == 0 {
		return nil
	}
	return s.Store.MarkMine(ctx, httpx.Principal(ctx).ID, messages)
}

// reactor is a user who reacted to a message.
type reactor struct {
	User wire.User `json:"user"`
	At   time.Time `json:"at" doc:"when they did"`
}

func (s *Service) getReactors(ctx context.Context, in *struct {
	Room   string `path:"room" maxLength:"64"`
	Seq    int64  `path:"seq" minimum:"1"`
	Emoji  string `path:"emoji" maxLength:"64" doc:"one emoji, percent-encoded, or the name of one of the server between colons"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}) (*struct{ Body httpx.Page[reactor] }, error) {
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	emoji, err := domain.CheckReaction("/emoji", in.Emoji)
	if err != nil {
		return nil, err
	}
	var after int64
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &after); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.Reactors(ctx, v, in.Seq, emoji, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := httpx.Page[reactor]{Items: []reactor{}}
	for _, r := range found[:min(in.Limit, len(found))] {
		page.Items = append(page.Items, reactor{wire.FromUser(r.User), r.At})
	}
	if len(found) > in.Limit {
		page.Next = httpx.EncodeCursor(found[in.Limit-1].Seq)
	}
	return &struct{ Body httpx.Page[reactor] }{page}, nil
}
