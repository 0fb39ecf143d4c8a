package assistant

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
)

// Models are those that run beside the server.
type Models interface {
	// Chat has a model continue a conversation in a room, which is JSON, and hands each piece of the text to yield.
	Chat(ctx context.Context, model, room, conversation string, yield func(text string) error) error
}

// askModel has a model beside the server answer. It does not say whether it wanted to write more.
func (s *Service) askModel(ctx context.Context, room string, turns []turn, yield func(string)) error {
	conversation, err := json.Marshal(turns)
	if err != nil {
		return err
	}
	err = s.Models.Chat(ctx, s.Endpoint.Model, room, string(conversation), func(text string) error {
		yield(text)
		return ctx.Err()
	})
	if err == nil {
		return nil
	}
	f := &failure{why: "the model does not answer", cause: err}
	switch domain.KindOf(err) {
	case domain.NotFound, domain.Invalid, domain.TooLarge:
		f.final = true
	case domain.Unavailable:
		f.busy = true
		var e *domain.Error
		if errors.As(err, &e) {
			f.after = e.RetryAfter
		}
	}
	return f
}
