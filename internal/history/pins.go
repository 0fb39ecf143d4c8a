package history

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// PinStore reads which messages are pinned.
type PinStore interface {
	Pins(ctx context.Context, v domain.View) ([]domain.Pin, error)
}

// pinList are the pinned messages of a room.
type pinList struct {
	Items []wire.Pin `json:"items" nullable:"false" maxItems:"100"`
}

func (s *Service) getPins(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
}) (*struct{ Body pinList }, error) {
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	pins, err := s.Store.Pins(ctx, v)
	if err != nil {
		return nil, err
	}
	messages := make([]*domain.Message, len(pins))
	for i := range pins {
		messages[i] = &pins[i].Message
	}
	if err := s.Store.MarkMine(ctx, httpx.Principal(ctx).ID, messages); err != nil {
		return nil, err
	}
	out := pinList{make([]wire.Pin, len(pins))}
	for i, p := range pins {
		out.Items[i] = wire.FromPin(p)
	}
	return &struct{ Body pinList }{out}, nil
}
