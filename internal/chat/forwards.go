package chat

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// LogStore reads messages.
type LogStore interface {
	MessageAt(ctx context.Context, v domain.View, seq int64) (domain.Message, error)
}

func (s *Service) forwardRoutes(api huma.API) {
	httpx.Register(api, status(op("forward-message", "POST", "/rooms/{room}/forwards", "messages",
		"Forward a message that you may read to a room; the same key gives the same message"), 201), s.postForward)
}

func (s *Service) postForward(ctx context.Context, in *struct {
	InRoom
	Body struct {
		Key    string `json:"key" doc:"idempotency key: 1 to 64 printable characters, such as a fresh UUID"`
		From   string `json:"from" maxLength:"64" doc:"room id of the original"`
		Seq    int64  `json:"seq" minimum:"1" doc:"of the original"`
		Text   string `json:"text,omitempty" doc:"what you say, at most 4 KiB"`
		Thread int64  `json:"thread,omitempty" doc:"seq of the message whose thread it is a reply in"`
	}
}) (*body[wire.Sent], error) {
	b, p := in.Body, httpx.Principal(ctx)
	original, err := s.readable(ctx, p, b.From, b.Seq)
	if err != nil {
		return nil, err
	}
	f, text, err := domain.ForwardOf(original, b.Text)
	if err != nil {
		return nil, err
	}
	e, err := s.Send(ctx, p, domain.Draft{Room: in.Room, Key: b.Key, Text: text, ContentType: domain.ContentForward,
		Thread: b.Thread, Forward: &f})
	return answer(e, err, sent)
}

// readable returns a message that p may read now.
func (s *Service) readable(
	ctx context.Context, p domain.Principal, room string, seq int64,
) (m domain.Message, err error) {
	_, member, err := s.authorize(ctx, p, room, domain.ReadRoom)
	if err != nil {
		return m, err
	}
	if m, err = s.Store.MessageAt(ctx, member.View(), seq); err != nil {
		return m, err
	}
	if !m.DeletedAt.IsZero() {
		return m, domain.Conflict.Errorf(domain.CodeMessageDeleted, "this message was deleted")
	}
	return m, nil
}
