package history

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// PollStore reads who voted in polls.
type PollStore interface {
	Voters(
		ctx context.Context, in domain.View, seq int64, choice int, after string, limit int,
	) ([]domain.Voter, error)
}

// voter is a user who voted for a choice of a poll.
type voter struct {
	User wire.User `json:"user"`
	At   time.Time `json:"at" doc:"when they did"`
}

func (s *Service) getVoters(ctx context.Context, in *struct {
	Room   string `path:"room" maxLength:"64"`
	Seq    int64  `path:"seq" minimum:"1"`
	Choice int    `path:"choice" minimum:"1" maximum:"10" doc:"counted from 1"`
	Cursor string `query:"cursor"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}) (*struct{ Body httpx.Page[voter] }, error) {
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	after, err := httpx.After(in.Cursor)
	if err != nil {
		return nil, err
	}
	found, err := s.Store.Voters(ctx, v, in.Seq, in.Choice, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &struct{ Body httpx.Page[voter] }{httpx.PageOf(found, in.Limit,
		func(v domain.Voter) string { return v.User.ID },
		func(v domain.Voter) voter { return voter{wire.FromUser(v.User), v.At} })}, nil
}
