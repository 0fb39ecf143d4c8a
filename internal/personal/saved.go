package personal

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

func (s *Service) getSaved(ctx context.Context, in *struct {
	Cursor string `query:"cursor" doc:"next of an earlier page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"30"`
}) (*struct{ Body httpx.Page[wire.Saved] }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	var c domain.SavedCursor
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &c); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.Saved(ctx, p.ID, c, in.Limit+1)
	if err != nil {
		return nil, err
	}
	shown := found[:min(in.Limit, len(found))]
	messages := make([]*domain.Message, len(shown))
	for i := range shown {
		messages[i] = &shown[i].Message
	}
	if err := s.RoomLog.MarkMine(ctx, p.ID, messages); err != nil {
		return nil, err
	}
	var page httpx.Page[wire.Saved]
	for _, f := range shown {
		page.Items = append(page.Items, wire.FromSaved(f))
	}
	if len(found) > in.Limit {
		last := shown[in.Limit-1]
		page.Next = httpx.EncodeCursor(domain.SavedCursor{At: last.At.UnixMilli(), Room: last.Message.Room,
			Seq: last.Message.Seq})
	}
	return &struct{ Body httpx.Page[wire.Saved] }{page}, nil
}

// savedNumbers are the saved messages of a room.
type savedNumbers struct {
	Items []int64 `json:"items" nullable:"false" maxItems:"1000"`
}

func (s *Service) getSavedIn(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
}) (*struct{ Body savedNumbers }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	found, err := s.Store.SavedIn(ctx, p.ID, in.Room, s.Now())
	if err != nil {
		return nil, err
	}
	return &struct{ Body savedNumbers }{savedNumbers{append([]int64{}, found...)}}, nil
}

// inMessage names a message.
type inMessage struct {
	Room string `path:"room" maxLength:"64"`
	Seq  int64  `path:"seq" minimum:"1"`
}

func (s *Service) putSaved(ctx context.Context, in *inMessage) (*struct{}, error) {
	if err := s.DiskFull(); err != nil {
		return nil, err
	}
	return nil, s.setSaved(ctx, in, true)
}

func (s *Service) deleteSaved(ctx context.Context, in *inMessage) (*struct{}, error) {
	return nil, s.setSaved(ctx, in, false)
}

// setSaved saves a message or not any longer, and tells the other devices of the person.
func (s *Service) setSaved(ctx context.Context, in *inMessage, save bool) error {
	p, err := person(ctx)
	if err != nil {
		return err
	}
	if err := domain.CheckRoomID(in.Room); err != nil {
		return err
	}
	var changed bool
	if save {
		changed, err = s.Store.Save(ctx, p.ID, in.Room, in.Seq, s.Now())
	} else {
		changed, err = s.Store.Unsave(ctx, p.ID, in.Room, in.Seq, s.Now())
	}
	if changed && err == nil {
		s.tell(ctx, p.ID, wire.TypeSaved, wire.SavedChanged{Room: in.Room, Seq: in.Seq, Saved: save})
	}
	return err
}
