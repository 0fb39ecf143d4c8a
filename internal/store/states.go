package store

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
)

// RoomStates returns the rooms that user is in, the liveliest first.
func (db *DB) RoomStates(ctx context.Context, user string) ([]domain.RoomState, error) {
	return db.states(ctx, user, "")
}

// RoomState returns one room as user, who is in it, sees it in a list.
func (db *DB) RoomState(ctx context.Context, user, room string) (domain.RoomState, error) {
	states, err := db.states(ctx, user, room)
	if err != nil {
		return domain.RoomState{}, err
	}
	if len(states) == 0 {
		return domain.RoomState{}, domain.ErrNoRoom()
	}
	return states[0], nil
}

func (db *DB) states(ctx context.Context, user, room string) ([]domain.RoomState, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+roomColumns+`, m.role, m.muted_until, m.read_seq
		FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 AND ($2 = '' OR m.room_id = $2) ORDER BY r.last_at DESC, r.id`, user, room)
	if err != nil {
		return nil, err
	}
	states, err := collect(rows, scanState)
	if err != nil {
		return nil, err
	}
	for i := range states {
		if err := db.fillState(ctx, user, &states[i]); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func scanState(rows *sql.Rows) (s domain.RoomState, err error) {
	var r roomRow
	var muted int64
	err = rows.Scan(append(r.dest(), &s.Role, &muted, &s.Read)...)
	s.Room, s.Muted = r.room(), at(muted)
	return s, err
}

const lastMessage = `e.pos = (SELECT pos FROM (SELECT pos, seq, type, deleted_at FROM events
	WHERE room_id = $1 AND target IS NULL ORDER BY seq DESC LIMIT 20) AS tail WHERE type = 'message.created' AND deleted_at = 0 ORDER BY seq DESC LIMIT 1)`

func (db *DB) fillState(ctx context.Context, user string, s *domain.RoomState) (err error) {
	if s.Read < s.Room.Head {
		if s.Unread, s.Mentions, err = unread(ctx, db.read, user, s.Room.ID, s.Read); err != nil {
			return err
		}
	}
	// The latest message still there, if it is among the last lines.
	last, err := eventsWhere(ctx, db.read, lastMessage, s.Room.ID)
	if err != nil {
		return err
	}
	if len(last) > 0 {
		s.Last = last[0].Message
	}
	if s.Room.Kind != domain.DirectRoom {
		return nil
	}
	rows, err := db.read.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar
		FROM users u WHERE u.id <> $2 AND u.id IN (SELECT user_id FROM members WHERE room_id = $1
		UNION SELECT user_id FROM room_requests WHERE room_id = $1) ORDER BY u.username`, s.Room.ID, user)
	if err != nil {
		return err
	}
	s.Peers, err = collect(rows, scanRef)
	return err
}

// LastWords returns the latest message, cut to an excerpt, of each of rooms that has one, but for those
// that user is banned from. It does not ask whether user may read the others.
func (db *DB) LastWords(ctx context.Context, user string, rooms []string) (map[string]domain.Message, error) {
	last := make(map[string]domain.Message)
	for _, room := range rooms {
		found, err := eventsWhere(ctx, db.read, lastMessage+` AND NOT EXISTS (SELECT 1 FROM bans WHERE room_id = $1 AND user_id = $2)`, room, user)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			m := *found[0].Message
			m.Text = excerpt(m.Text)
			last[room] = m
		}
	}
	return last, nil
}
