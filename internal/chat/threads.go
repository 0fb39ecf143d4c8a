package chat

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// ThreadStore stores what users have read of rooms and threads, and which threads they follow.
type ThreadStore interface {
	MarkRead(ctx context.Context, user, room string, seq int64, main bool, now time.Time) (domain.ReadMark, error)
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
	if err := roomID(room); err != nil {
		return domain.ReadMark{}, err
	}
	mark, err := s.Store.MarkRead(ctx, p.ID, room, seq, main, s.Now())
	if err == nil {
		s.publishToUser(ctx, p.ID, wire.TypeReadMoved, wire.FromMark(mark))
	}
	return mark, err
}
