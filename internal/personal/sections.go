package personal

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) sectionRoutes(api huma.API) {
	httpx.Register(api, op("get-sections", "GET", "/me/sections",
		"The favourites and sections in which you have your rooms", 200), s.getSections)
	httpx.Register(api, op("put-sections", "PUT", "/me/sections",
		"Arrange your rooms; those in which you are not are left out", 200), s.putSections)
}

func (s *Service) getSections(ctx context.Context, _ *struct{}) (*struct{ Body wire.RoomSections }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Sections(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.RoomSections }{wire.FromRoomSections(found)}, nil
}

// newSections is how somebody arranges their rooms.
type newSections struct {
	Favourites wire.RoomGroup     `json:"favourites"`
	Sections   []wire.RoomSection `json:"sections" nullable:"false" maxItems:"50" doc:"in order; names are different"`
	Over       int64              `json:"over,omitempty" minimum:"0" doc:"version that you have; a newer one stays"`
}

func (s *Service) putSections(ctx context.Context, in *struct{ Body newSections }) (
	*struct{ Body wire.RoomSections }, error,
) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if in.Body.Over > domain.MaxVersion {
		return nil, domain.InvalidField("/over", "this is no version of sections")
	}
	wanted := domain.RoomSections{Sections: make([]domain.RoomSection, len(in.Body.Sections)),
		Favourites: domain.RoomSection{Closed: in.Body.Favourites.Closed, Rooms: in.Body.Favourites.Rooms}}
	for i, one := range in.Body.Sections {
		wanted.Sections[i] = domain.RoomSection(one)
	}
	if wanted, err = domain.CheckRoomSections(wanted); err != nil {
		return nil, err
	}
	if err := s.DiskFull(); err != nil {
		return nil, err
	}
	kept, err := s.Store.PutSections(ctx, p.ID, wanted, in.Body.Over, s.Now())
	if err != nil {
		return nil, err
	}
	v := wire.FromRoomSections(kept)
	s.tell(ctx, p.ID, wire.TypeSections, v)
	return &struct{ Body wire.RoomSections }{v}, nil
}
