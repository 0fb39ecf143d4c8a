package history

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

type messageInput struct {
	Room string `path:"room" maxLength:"64"`
	Seq  int64  `path:"seq" minimum:"1"`
}

func (s *Service) getMessage(ctx context.Context, in *messageInput) (*struct{ Body wire.Message }, error) {
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	m, err := s.Store.MessageAt(ctx, v, in.Seq)
	if err == nil {
		err = s.Store.MarkMine(ctx, httpx.Principal(ctx).ID, []*domain.Message{&m})
	}
	if err != nil {
		return nil, err
	}
	return &struct{ Body wire.Message }{wire.FromMessage(m)}, nil
}

// version is an earlier text of a message.
type version struct {
	Text string    `json:"text"`
	At   time.Time `json:"at" doc:"when it was written"`
}

type versionList struct {
	Items []version `json:"items" nullable:"false"`
}

func (s *Service) getVersions(ctx context.Context, in *messageInput) (*struct{ Body versionList }, error) {
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Versions(ctx, v, in.Seq)
	if err != nil {
		return nil, err
	}
	out := versionList{[]version{}}
	for _, v := range found {
		out.Items = append(out.Items, version(v))
	}
	return &struct{ Body versionList }{out}, nil
}
