package personal

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// draftList are the drafts of a person.
type draftList struct {
	Items []wire.Draft `json:"items" nullable:"false" maxItems:"200"`
}

func (s *Service) getDrafts(ctx context.Context, _ *struct{}) (*struct{ Body draftList }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Drafts(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	out := draftList{make([]wire.Draft, len(found))}
	for i, d := range found {
		out.Items[i] = wire.Draft(d)
	}
	return &struct{ Body draftList }{out}, nil
}

// newDraft is what somebody has begun to write.
type newDraft struct {
	Thread int64  `json:"thread,omitempty" minimum:"0" doc:"seq of its first message; absent: of the room"`
	Text   string `json:"text" doc:"as long as that of a message; empty: there is no draft any more"`
	Over   int64  `json:"over,omitempty" minimum:"0" doc:"version that you have; a newer one stays"`
}

func (s *Service) putDraft(ctx context.Context, in *struct {
	Room string `path:"room" maxLength:"64"`
	Body newDraft
}) (*struct{ Body wire.Draft }, error) {
	p, err := person(ctx)
	if err != nil {
		return nil, err
	}
	if err := domain.CheckRoomID(in.Room); err != nil {
		return nil, err
	}
	if in.Body.Over > domain.MaxVersion {
		return nil, domain.InvalidField("/over", "this is no version of a draft")
	}
	text, err := domain.CheckDraft(in.Body.Text)
	if err != nil {
		return nil, err
	}
	if text != "" {
		if err := s.DiskFull(); err != nil {
			return nil, err
		}
	}
	d, err := s.Store.PutDraft(ctx, p.ID, domain.PersonalDraft{Room: in.Room, Thread: in.Body.Thread, Text: text},
		in.Body.Over, s.Now())
	if err != nil {
		return nil, err
	}
	s.tell(ctx, p.ID, wire.TypeDraft, wire.Draft(d))
	return &struct{ Body wire.Draft }{wire.Draft(d)}, nil
}
