package chat

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/wire"
)

// Pictures makes small pictures of what users send, and keeps them.
type Pictures interface {
	MakePicture(ctx context.Context, user string, data []byte) (hash string, err error)
}

func (s *Service) lookRoutes(api huma.API) {
	give := op("set-room-avatar", "PUT", "/rooms/{room}/avatar", "rooms", "Give a room a picture; it takes its emoji away")
	give.MaxBodyBytes = picture.MaxBytes + 1
	httpx.Register(api, give, s.putAvatar)
	httpx.Register(api, op("delete-room-avatar", "DELETE", "/rooms/{room}/avatar", "rooms",
		"Take the picture of a room away"), s.deleteAvatar)
}

func (s *Service) putAvatar(ctx context.Context, in *struct {
	InRoom
	RawBody []byte `contentType:"image/*"`
}) (*body[wire.Event], error) {
	p := httpx.Principal(ctx)
	// To read a picture is work, which nobody may ask for who cannot use it.
	if _, _, err := s.authorize(ctx, p, in.Room, domain.UpdateRoom); err != nil {
		return nil, err
	}
	hash, err := s.Pictures.MakePicture(ctx, p.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	return s.changeLook(ctx, p, in.Room, domain.LookChange{Picture: &hash})
}

func (s *Service) deleteAvatar(ctx context.Context, in *InRoom) (*body[wire.Event], error) {
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	none := ""
	return s.changeLook(ctx, httpx.Principal(ctx), in.Room, domain.LookChange{Picture: &none})
}

func (s *Service) changeLook(
	ctx context.Context, p domain.Principal, room string, c domain.LookChange,
) (*body[wire.Event], error) {
	change := domain.RoomChange{Look: &c}
	e, err := s.Store.UpdateRoom(ctx, p.ID, room, change, s.Now())
	if err == nil {
		s.recordChange(ctx, p, room, change)
	}
	return answer(e, err, wire.FromEvent)
}

// lookDetails are what the audit log says of a change of a look.
func lookDetails(c domain.LookChange) map[string]string {
	details := map[string]string{}
	if c.Colour != nil {
		details["colour"] = *c.Colour
	}
	if c.Emoji != nil {
		details["emoji"] = *c.Emoji
	}
	if c.Picture != nil {
		details["picture"] = domain.AvatarOf(*c.Picture)
	}
	return details
}
