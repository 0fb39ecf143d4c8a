package admin

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// listedRoom is a room as administrators see it: what it is, not what is said in it.
type listedRoom struct {
	wire.Room
	Owner *wire.User `json:"owner,omitempty"`
}

func viewRoom(r domain.OwnedRoom) listedRoom {
	v := listedRoom{Room: wire.FromRoom(r.Room)}
	if r.Owner.ID != "" {
		u := wire.FromUser(r.Owner)
		v.Owner = &u
	}
	return v
}

func (s *Service) listRooms(ctx context.Context, in *struct {
	Q      string `query:"q" maxLength:"64" doc:"part of a name"`
	Order  string `query:"order" enum:"name,activity,size" default:"name"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body httpx.Page[listedRoom] }, error) {
	if err := s.allowed(ctx, by(ctx), false); err != nil {
		return nil, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	rooms, err := s.Store.AllRooms(ctx, in.Q, domain.RoomOrder(in.Order), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[listedRoom] }{httpx.PageOf(rooms, in.Limit,
		func(r domain.OwnedRoom) string { return r.ID }, viewRoom)}, nil
}

// changeRoom does something to a room that anybody may be in, recorded first.
func (s *Service) changeRoom(ctx context.Context, by By, id, change string, do func() error) error {
	if err := s.allowed(ctx, by, true); err != nil {
		return err
	}
	r, err := s.Store.Room(ctx, id)
	if err != nil {
		return err
	}
	if r.Kind == domain.DirectRoom {
		return domain.ErrNoRoom()
	}
	if err := s.record(ctx, by, domain.AuditAdminRoom, domain.AuditTarget{Kind: "room", ID: r.ID},
		map[string]string{"change": change}); err != nil {
		return err
	}
	return do()
}

// ArchiveRoom archives a room, or reopens it.
func (s *Service) ArchiveRoom(ctx context.Context, by By, id string, archived bool) error {
	change := "reopen"
	if archived {
		change = "archive"
	}
	return s.changeRoom(ctx, by, id, change, func() error {
		return s.Store.ArchiveRoom(ctx, by.ID, id, archived,
			s.Now())
	})
}

// RemoveRoom deletes a room with all that was said in it.
func (s *Service) RemoveRoom(ctx context.Context, by By, id string) error {
	return s.changeRoom(ctx, by, id, "delete", func() error { return s.Rooms.RemoveRoom(ctx, id) })
}

func (s *Service) patchRoom(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64" doc:"id"`
	Body struct {
		Archived bool `json:"archived"`
	}
}) (*struct{}, error) {
	return nil, s.ArchiveRoom(ctx, by(ctx), in.Room, in.Body.Archived)
}

func (s *Service) deleteRoom(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64" doc:"id"`
}) (*struct{}, error) {
	return nil, s.RemoveRoom(ctx, by(ctx), in.Room)
}
