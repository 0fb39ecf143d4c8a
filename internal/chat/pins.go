package chat

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// PinStore pins messages.
type PinStore interface {
	Pin(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, error)
	Unpin(ctx context.Context, actor, room string, seq int64, now time.Time) (domain.Event, error)
}

func (s *Service) pinRoutes(api huma.API) {
	const path = "/rooms/{room}/messages/{seq}/pin"
	httpx.Register(api, op("pin-message", "PUT", path, "messages",
		"Pin a message in its room; repeating it changes nothing"), s.putPin)
	httpx.Register(api, op("unpin-message", "DELETE", path, "messages",
		"Take a message off the pinned ones; repeating it changes nothing"), s.deletePin)
}

func (s *Service) putPin(ctx context.Context, in *InMessage) (*body[wire.PinChanged], error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	if err := s.checkDisk(); err != nil {
		return nil, err
	}
	e, err := s.Store.Pin(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq, s.Now())
	return answer(e, err, pinChanged)
}

func (s *Service) deletePin(ctx context.Context, in *InMessage) (*body[wire.PinChanged], error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	e, err := s.Store.Unpin(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq, s.Now())
	return answer(e, err, pinChanged)
}

func pinChanged(e domain.Event) wire.PinChanged { return wire.PinChanged{Seq: e.Seq} }
