package rooms

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Greeting returns what user is greeted with. With nothing to tell but rooms, it costs no more than RoomStates.
func (repo *Repository) Greeting(ctx context.Context, user string) (g domain.Greeting, err error) {
	var has exists
	if g.Rooms, has, err = repo.states(ctx, user, ""); err != nil {
		return g, err
	}
	if has.requests {
		requests, err := repo.RoomRequests(ctx, user, "")
		if err != nil {
			return g, err
		}
		g.Requests = len(requests)
	}
	if has.blocks {
		g.Blocked, err = repo.blockedIDs(ctx, user)
	}
	return g, err
}

// RoomStates returns the rooms that user is a member of, the most recently active first.
func (repo *Repository) RoomStates(ctx context.Context, user string) ([]domain.RoomState, error) {
	states, _, err := repo.states(ctx, user, "")
	return states, err
}

// RoomState returns one room as its member user sees it in a list.
func (repo *Repository) RoomState(ctx context.Context, user, room string) (domain.RoomState, error) {
	states, _, err := repo.states(ctx, user, room)
	if err != nil {
		return domain.RoomState{}, err
	}
	if len(states) == 0 {
		return domain.RoomState{}, domain.ErrNoRoom()
	}
	return states[0], nil
}

// exists says of what most servers and users have none whether there may be some: else it need not be asked for.
type exists struct {
	guests, requests, blocks bool
}

func (repo *Repository) states(
	ctx context.Context, user, room string,
) (states []domain.RoomState, has exists, err error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+Columns+`, m.role, m.muted_until, m.read_seq,
		m.threads_read, m.follow_threads, m.since,
		EXISTS (SELECT 1 FROM users WHERE role = 'guest' AND NOT disabled),
		EXISTS (SELECT 1 FROM room_requests WHERE user_id = $1), EXISTS (SELECT 1 FROM blocks WHERE user_id = $1)
		FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 AND ($2 = '' OR m.room_id = $2)
		ORDER BY r.last_at DESC, r.id`, user, room)
	if err != nil {
		return nil, has, err
	}
	has = exists{requests: true, blocks: true} // without a room, no row says otherwise
	states, err = store.Collect(rows, func(rows *sql.Rows) (domain.RoomState, error) { return scanState(rows, &has) })
	if err != nil {
		return nil, has, err
	}
	var guests map[string]int
	if has.guests {
		if guests, err = repo.guestsIn(ctx, user, room); err != nil {
			return nil, has, err
		}
	}
	for i := range states {
		states[i].Guests = guests[states[i].Room.ID]
		if err := repo.fillState(ctx, user, &states[i]); err != nil {
			return nil, has, err
		}
	}
	return states, has, nil
}

// guestsIn returns how many guests are in each of the rooms of user, of which there are some, or in one of them. Guests
// are few, and so it begins with them.
func (repo *Repository) guestsIn(ctx context.Context, user, room string) (map[string]int, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT g.room_id, count(*) FROM users u JOIN members g ON g.user_id = u.id
		JOIN members m ON m.room_id = g.room_id AND m.user_id = $1
		WHERE u.role = 'guest' AND NOT u.disabled AND ($2 = '' OR g.room_id = $2) GROUP BY g.room_id`, user, room)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	in := make(map[string]int)
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, err
		}
		in[id] = n
	}
	return in, rows.Err()
}

func scanState(rows *sql.Rows, has *exists) (s domain.RoomState, err error) {
	var r Row
	var muted int64
	err = rows.Scan(append(r.Dest(), &s.Role, &muted, &s.Read, &s.ThreadsRead, &s.FollowThreads, &s.Since, &has.guests,
		&has.requests, &has.blocks)...)
	s.Room, s.Muted = r.Value(), store.Time(muted)
	return s, err
}

var lastMessageWhere = `e.pos = (SELECT pos FROM (SELECT pos, seq, type, deleted_at FROM events
	WHERE room_id = $1 AND seq > $2 AND ` + roomlog.MainLines + ` ORDER BY seq DESC LIMIT 20) AS tail WHERE ` +
	roomlog.OfTypes(`type`, func(s domain.EventSpec) bool { return s.Message == domain.NewMessage }) +
	` AND deleted_at = 0 ORDER BY seq DESC LIMIT 1)`

func (repo *Repository) fillState(ctx context.Context, user string, s *domain.RoomState) (err error) {
	marks := roomlog.Marks{Read: s.Read, Threads: s.ThreadsRead}
	if s.Unread, err = roomlog.Unread(ctx, repo.db, user, s.Room, marks); err != nil {
		return err
	}
	// The latest message that is not deleted, if it is among the last 20 lines.
	view := s.View()
	last, err := roomlog.Brief(ctx, repo.db, view, lastMessageWhere, s.Room.ID, view.Since)
	if err != nil {
		return err
	}
	if len(last) > 0 {
		s.Last = last[0].Message
	}
	if s.Room.Kind != domain.DirectRoom {
		return nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar
		FROM users u WHERE u.id <> $2 AND u.id IN (SELECT user_id FROM members WHERE room_id = $1
		UNION SELECT user_id FROM room_requests WHERE room_id = $1) ORDER BY u.username`, s.Room.ID, user)
	if err != nil {
		return err
	}
	s.Peers, err = store.Collect(rows, accounts.ScanRef)
	return err
}

// LastMessages returns the latest message of each of rooms, cut to an excerpt. Rooms without
// messages, and those that user is banned from, are left out. It checks no other permission.
func (repo *Repository) LastMessages(
	ctx context.Context, user string, rooms []string,
) (map[string]domain.Message, error) {
	last := make(map[string]domain.Message)
	since, err := roomlog.Narrow(ctx, repo.db, user)
	if err != nil {
		return nil, err
	}
	for _, room := range rooms {
		view := domain.View{Room: room, Since: since[room]}
		found, err := roomlog.Brief(ctx, repo.db, view, lastMessageWhere+
			` AND NOT EXISTS (SELECT 1 FROM bans WHERE room_id = $1 AND user_id = $3)`, room, view.Since, user)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 {
			m := *found[0].Message
			m.Text = roomlog.Excerpt(m.Text)
			last[room] = m
		}
	}
	return last, nil
}
