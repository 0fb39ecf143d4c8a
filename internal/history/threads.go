package history

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// ThreadStore reads threads.
type ThreadStore interface {
	Thread(ctx context.Context, v domain.View, root int64, q domain.PageQuery) (domain.Page, error)
	ThreadState(ctx context.Context, user, room string, root int64) (domain.ThreadState, error)
	FollowedThreads(
		ctx context.Context, user string, unread bool, c domain.ThreadCursor, limit int,
	) ([]domain.FollowedThread, error)
}

func (s *Service) threadRoutes(api huma.API, op func(id, path, summary string) huma.Operation) {
	httpx.Register(api, op("get-thread", "/rooms/{room}/messages/{seq}/thread",
		"A page of the replies in a message's thread, the latest unless you say otherwise"), s.getThread)
	httpx.Register(api, op("list-threads", "/threads",
		"The threads that you follow, with one in which something was said last first"), s.getThreads)
}

// threadPage is a page of a thread.
type threadPage struct {
	Items  []wire.Event `json:"items" nullable:"false"`
	Next   string       `json:"next,omitempty"`
	Prev   string       `json:"prev,omitempty"`
	Thread wire.Thread  `json:"thread"`
}

func (s *Service) getThread(ctx context.Context, in *struct {
	Room   string `path:"room" maxLength:"64"`
	Seq    int64  `path:"seq" minimum:"1"`
	After  int64  `query:"after" minimum:"0" doc:"replies with higher numbers"`
	Cursor string `query:"cursor" doc:"prev or next of an earlier page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}) (*struct{ Body threadPage }, error) {
	q := domain.PageQuery{After: in.After, Limit: in.Limit}
	if in.Cursor != "" {
		var c timelineCursor
		if err := httpx.DecodeCursor(in.Cursor, &c); err != nil {
			return nil, err
		}
		q.Before, q.After = c.Before, c.After
	}
	v, err := s.authorizeRead(ctx, in.Room)
	if err != nil {
		return nil, err
	}
	first, err := s.threadRoot(ctx, v, in.Seq)
	if err != nil {
		return nil, err
	}
	page, err := s.Store.Thread(ctx, v, in.Seq, q)
	if err != nil {
		return nil, err
	}
	if first == nil && len(page.Events) == 0 && in.Cursor == "" && in.After == 0 {
		return nil, domain.ErrNoMessage(in.Seq)
	}
	if err := s.markMine(ctx, page.Events); err != nil {
		return nil, err
	}
	state, err := s.Store.ThreadState(ctx, httpx.Principal(ctx).ID, in.Room, in.Seq)
	if err != nil {
		return nil, err
	}
	out := threadPage{Items: events(page.Events),
		Thread: wire.FromFollowed(domain.FollowedThread{ThreadState: state, First: first})}
	if n := len(page.Events); n > 0 {
		if page.Older {
			out.Prev = httpx.EncodeCursor(timelineCursor{Before: page.Events[0].Seq})
		}
		if page.Newer {
			out.Next = httpx.EncodeCursor(timelineCursor{After: page.Events[n-1].Seq})
		}
	}
	return &struct{ Body threadPage }{out}, nil
}

// threadRoot returns the message that a thread begins with, or nil if it was purged or v does not show it.
func (s *Service) threadRoot(ctx context.Context, v domain.View, seq int64) (*domain.Message, error) {
	m, err := s.Store.MessageAt(ctx, v, seq)
	switch {
	case domain.CodeOf(err) == domain.CodeNoMessage:
		return nil, nil
	case err != nil:
		return nil, err
	case m.Thread != 0:
		return nil, domain.InvalidField("/seq", "message %d is in the thread of message %d: name that one", seq, m.Thread)
	}
	return &m, s.Store.MarkMine(ctx, httpx.Principal(ctx).ID, []*domain.Message{&m})
}

func (s *Service) getThreads(ctx context.Context, in *struct {
	Unread bool   `query:"unread" doc:"only threads with unread replies"`
	Cursor string `query:"cursor" doc:"next of an earlier page"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"30"`
}) (*struct{ Body httpx.Page[wire.Thread] }, error) {
	var c domain.ThreadCursor
	if in.Cursor != "" {
		if err := httpx.DecodeCursor(in.Cursor, &c); err != nil {
			return nil, err
		}
	}
	found, err := s.Store.FollowedThreads(ctx, httpx.Principal(ctx).ID, in.Unread, c, in.Limit+1)
	if err != nil {
		return nil, err
	}
	page := httpx.Page[wire.Thread]{Items: []wire.Thread{}}
	for _, f := range found[:min(in.Limit, len(found))] {
		page.Items = append(page.Items, wire.FromFollowed(f))
	}
	if len(found) > in.Limit {
		last := found[in.Limit-1].Last
		page.Next = httpx.EncodeCursor(domain.ThreadCursor{At: last.At.UnixMilli(), Room: last.Room, Seq: last.Seq})
	}
	return &struct{ Body httpx.Page[wire.Thread] }{page}, nil
}
