package chat

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// ThreadStore stores what users have read of rooms and threads, and which threads they follow.
type ThreadStore interface {
	MarkRead(ctx context.Context, user, room string, seq int64, main bool, now time.Time) (domain.ReadMark, error)
	MarkUnread(ctx context.Context, user, room string, seq int64, now time.Time) (domain.ThreadState, error)
	MarkThread(ctx context.Context, user, room string, root, seq int64, now time.Time) (domain.ThreadState, error)
	FollowThread(
		ctx context.Context, user, room string, root int64, following bool, now time.Time,
	) (domain.ThreadState, error)
	FollowThreads(ctx context.Context, user, room string, following bool, now time.Time) error
	NewFollowers(ctx context.Context, room string, root, since int64) (users []string, err error)
}

func checkThread(d domain.Draft) error {
	if d.Thread < 0 {
		return domain.InvalidField("/thread", "this is the number of a message in the room")
	}
	if d.Broadcast && d.Thread == 0 {
		return domain.InvalidField("/broadcast", "only a reply in a thread can also be sent to the room: say which thread")
	}
	return nil
}

// MarkRead moves the user's read mark, and notifies their other connections. With main the marks of threads stay as
// they are; otherwise all threads of the room are read up to seq as well.
func (s *Service) MarkRead(
	ctx context.Context, p domain.Principal, room string, seq int64, main bool,
) (domain.ReadMark, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.ReadMark{}, err
	}
	mark, err := s.Store.MarkRead(ctx, p.ID, room, seq, main, s.Now())
	if err == nil {
		s.publishToUser(ctx, p.ID, wire.TypeReadMoved, wire.FromMark(mark))
	}
	return mark, err
}

// MarkUnread has a message and those after it, in the room or in its thread, be unread again, and notifies the user's
// other connections.
func (s *Service) MarkUnread(ctx context.Context, p domain.Principal, room string, seq int64) (domain.ReadMark, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.ReadMark{}, err
	}
	state, err := s.Store.MarkUnread(ctx, p.ID, room, seq, s.Now())
	switch {
	case err != nil:
	case state.Root != 0:
		s.publishToUser(ctx, p.ID, wire.TypeThread, wire.FromThreadState(state))
	default:
		s.publishToUser(ctx, p.ID, wire.TypeReadMoved, wire.FromMark(state.RoomMark))
	}
	return state.RoomMark, err
}

// MarkThread moves the user's read mark in a thread, and notifies their other connections.
func (s *Service) MarkThread(
	ctx context.Context, p domain.Principal, room string, root, seq int64,
) (domain.ThreadState, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.ThreadState{}, err
	}
	state, err := s.Store.MarkThread(ctx, p.ID, room, root, seq, s.Now())
	if err == nil {
		s.publishToUser(ctx, p.ID, wire.TypeThread, wire.FromThreadState(state))
	}
	return state, err
}

// FollowThread has the user follow a thread, or not any longer, and notifies their other connections.
func (s *Service) FollowThread(
	ctx context.Context, p domain.Principal, room string, root int64, following bool,
) (domain.ThreadState, error) {
	if err := domain.CheckRoomID(room); err != nil {
		return domain.ThreadState{}, err
	}
	state, err := s.Store.FollowThread(ctx, p.ID, room, root, following, s.Now())
	if err == nil {
		s.publishToUser(ctx, p.ID, wire.TypeThread, wire.FromThreadState(state))
	}
	return state, err
}

// FollowThreads has the user follow each thread of a room that gets a reply from now on, or not any longer.
func (s *Service) FollowThreads(ctx context.Context, p domain.Principal, room string, following bool) error {
	if err := domain.CheckRoomID(room); err != nil {
		return err
	}
	return s.Store.FollowThreads(ctx, p.ID, room, following, s.Now())
}

// tellFollowers tells the connections of those who follow a thread since m, a reply in it, that they do. If that
// fails, they see it when they load their threads again.
func (s *Service) tellFollowers(ctx context.Context, m *domain.Message) {
	if m == nil || m.Thread == 0 {
		return
	}
	users, err := s.Store.NewFollowers(ctx, m.Room, m.Thread, m.Seq)
	if err != nil {
		s.Log.WarnContext(ctx, "tell who follows a thread", "room", m.Room, "seq", m.Seq, "err", err)
		return
	}
	for _, user := range users {
		t := wire.Thread{Room: m.Room, Root: m.Thread, Following: true, Read: m.Seq - 1}
		if user != m.Sender.ID {
			t.Unread = 1
		}
		s.publishToUser(ctx, user, wire.TypeThread, wire.ThreadState{Thread: t})
	}
}

func (s *Service) threadRoutes(api huma.API) {
	const tag, path = "threads", "/rooms/{room}/messages/{seq}/thread"
	httpx.Register(api, op("mark-thread", "PUT", path+"/read", tag, "Say how far you have read a thread"), s.putThreadRead)
	httpx.Register(api, op("follow-thread", "PUT", path+"/follow", tag, "Follow a thread, or stop following it"),
		s.putThreadFollow)
	httpx.Register(api, status(op("follow-threads", "PUT", "/rooms/{room}/threads", tag,
		"Follow each thread of a room that gets a reply from now on, or not any longer"), 204), s.putThreads)
}

// Following is the body of operations that follow threads.
type Following struct {
	Following bool `json:"following"`
}

func (s *Service) putThreadRead(ctx context.Context, in *struct {
	InMessage
	Body struct {
		Seq int64 `json:"seq" minimum:"0" doc:"of the last reply that you have read"`
	}
}) (*body[wire.ThreadState], error) {
	state, err := s.MarkThread(ctx, httpx.Principal(ctx), in.Room, in.Seq, in.Body.Seq)
	return answer(state, err, wire.FromThreadState)
}

func (s *Service) putThreadFollow(ctx context.Context, in *struct {
	InMessage
	Body Following
}) (*body[wire.ThreadState], error) {
	state, err := s.FollowThread(ctx, httpx.Principal(ctx), in.Room, in.Seq, in.Body.Following)
	return answer(state, err, wire.FromThreadState)
}

func (s *Service) putThreads(ctx context.Context, in *struct {
	InRoom
	Body Following
}) (*struct{}, error) {
	return nil, s.FollowThreads(ctx, httpx.Principal(ctx), in.Room, in.Body.Following)
}
