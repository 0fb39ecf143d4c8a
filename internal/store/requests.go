package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// mayEnter says whether room has a place for user, and user for another room. Two
// that enter at the same moment may both find the last place of a user.
func (db *DB) mayEnter(ctx context.Context, t *tx, r domain.Room, user domain.UserRef) error {
	if most := db.rooms.Members; most > 0 && r.Members >= most {
		return domain.Conflict.Errorf("room_full", "this room has %d members, which is as many as a room may have", r.Members)
	}
	most := db.rooms.PerUser
	if most == 0 {
		return nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE user_id = $1`, user.ID).Scan(&n)
	if err == nil && n >= most {
		err = domain.Conflict.Errorf("too_many_rooms", "%s is in %d rooms, which is as many as one may be in; leave one first", user.DisplayName, n)
	}
	return err
}

// mayMake says whether actor may have one more room.
func (db *DB) mayMake(ctx context.Context, t *tx, actor string) error {
	if db.rooms.Made == 0 {
		return nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM rooms WHERE made_by = $1 AND made_by <> '' AND kind <> 'gone'`, actor).Scan(&n)
	if err == nil && n >= db.rooms.Made {
		err = domain.Conflict.Errorf("too_many_rooms_made", "you have made %d rooms, which is as many as one may make; delete one first", n)
	}
	return err
}

// mustAsk says whether u is asked before actor brings them in.
func (db *DB) mustAsk(ctx context.Context, t *tx, actor string, u domain.UserRef) (ask bool, err error) {
	if u.Kind != domain.KindUser || u.ID == actor {
		return false, nil
	}
	var asking domain.Asking
	var role domain.SystemRole
	var blocked bool
	err = t.QueryRowContext(ctx, `SELECT u.asked_by, a.role, EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = u.id AND b.other_id = a.id)
		FROM users u CROSS JOIN users a WHERE u.id = $1 AND a.id = $2`, u.ID, actor).Scan(&asking, &role, &blocked)
	if err != nil || role == domain.SystemAdmin || blocked {
		return blocked && role != domain.SystemAdmin, err
	}
	if asking == "" {
		asking = db.rooms.Asking
	}
	switch asking {
	case domain.AskEveryone:
		return true, nil
	case domain.AskStrangers:
		err = t.QueryRowContext(ctx, `SELECT NOT EXISTS (SELECT 1 FROM members a JOIN members b ON b.room_id = a.room_id WHERE a.user_id = $1 AND b.user_id = $2)`,
			actor, u.ID).Scan(&ask)
	}
	return ask, err
}

// ask keeps the question whether u wants to be in room. Of somebody whom u blocked
// it is kept as declined, which looks the same to them.
func (t *tx) ask(ctx context.Context, room, by string, u domain.UserRef, now time.Time) error {
	var here, waiting, mine int
	var blocked bool
	err := t.QueryRowContext(ctx, `SELECT count(CASE WHEN room_id = $2 THEN 1 END), count(CASE WHEN state = '' THEN 1 END), count(CASE WHEN by_user = $3 THEN 1 END),
		EXISTS (SELECT 1 FROM blocks WHERE user_id = $1 AND other_id = $3)
		FROM room_requests WHERE user_id = $1`, u.ID, room, by).Scan(&here, &waiting, &mine, &blocked)
	switch {
	case err != nil:
		return err
	case here > 0, mine >= domain.MaxRequestsByUser:
		return domain.Conflict.Errorf("already_asked", "%s has been asked already; wait for the answer, or send an invitation link", u.DisplayName)
	case waiting >= domain.MaxRequests:
		return domain.Conflict.Errorf("too_many_requests", "%s has too many requests to answer; send an invitation link", u.DisplayName)
	}
	state := ""
	if blocked {
		state = "declined"
	}
	_, err = t.ExecContext(ctx, `INSERT INTO room_requests (room_id, user_id, by_user, state, at) VALUES ($1, $2, $3, $4, $5)`, room, u.ID, by, state, ms(now))
	return err
}

// bring makes u a member whom actor brings, or asks them first.
func (db *DB) bring(ctx context.Context, t *tx, r domain.Room, actor, u domain.UserRef, now time.Time) (asked bool, err error) {
	if asked, err = db.mustAsk(ctx, t, actor.ID, u); err != nil {
		return false, err
	}
	if asked {
		return true, t.ask(ctx, r.ID, actor.ID, u, now)
	}
	if err := db.mayEnter(ctx, t, r, u); err != nil {
		return false, err
	}
	return false, t.enter(ctx, r.ID, actor, u, domain.Plain, "", now)
}

// RoomRequests returns what user is asked, the latest first. With a room it is only
// about that one.
func (db *DB) RoomRequests(ctx context.Context, user, room string) ([]domain.RoomRequest, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+roomColumns+`, q.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM room_requests q JOIN rooms r ON r.id = q.room_id JOIN users u ON u.id = q.by_user
		WHERE q.user_id = $1 AND ($2 = '' OR q.room_id = $2) AND q.state = '' AND r.kind <> 'gone' AND NOT r.archived AND NOT u.disabled
		ORDER BY q.at DESC, q.room_id LIMIT $3`, user, room, domain.MaxRequests)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (q domain.RoomRequest, err error) {
		var r roomRow
		var when int64
		var by nullRef
		err = rows.Scan(append(append(r.dest(), &when), by.dest()...)...)
		q.Room, q.At, q.By = r.room(), at(when), by.ref()
		return q, err
	})
}

// RequestsWaiting returns how many there are.
func (db *DB) RequestsWaiting(ctx context.Context, user string) (int, error) {
	found, err := db.RoomRequests(ctx, user, "")
	return len(found), err
}

// AcceptRequest makes user a member of the room that they were asked about. What
// was written in a direct conversation before is unread to them.
func (db *DB) AcceptRequest(ctx context.Context, user, room string, now time.Time) error {
	now = trim(now)
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		r, err := roomByID(ctx, t, room, t.d.forUpdate)
		if err != nil {
			return err
		}
		if err := t.waits(ctx, user, room); err != nil {
			return err
		}
		if r.Archived {
			return domain.Conflict.Errorf("room_archived", "this room is archived; it takes no new members")
		}
		u, err := t.newcomer(ctx, room, user)
		if err != nil {
			return err
		}
		return db.consent(ctx, t, r, u, now)
	})
}

// consent lets u into a room that they want to be in.
func (db *DB) consent(ctx context.Context, t *tx, r domain.Room, u domain.UserRef, now time.Time) error {
	if err := db.mayEnter(ctx, t, r, u); err != nil {
		return err
	}
	if err := t.enter(ctx, r.ID, u, u, domain.Plain, "", now); err != nil || r.Kind != domain.DirectRoom {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE members SET read_seq = 0 WHERE room_id = $1 AND user_id = $2`, r.ID, u.ID)
	return err
}

func (t *tx) waits(ctx context.Context, user, room string) error {
	var state string
	err := t.QueryRowContext(ctx, `SELECT state FROM room_requests WHERE room_id = $1 AND user_id = $2`, room, user).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state != "" {
		err = domain.NotFound.Errorf("no_request", "there is no such request; perhaps you answered it elsewhere")
	}
	return err
}

// DeclineRequest answers no. With block, who asked asks in vain from then on.
func (db *DB) DeclineRequest(ctx context.Context, user, room string, block bool) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if err := t.waits(ctx, user, room); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `UPDATE room_requests SET state = 'declined' WHERE room_id = $1 AND user_id = $2`, room, user)
		if err != nil || !block {
			return err
		}
		const by = `(SELECT by_user FROM room_requests WHERE room_id = $2 AND user_id = $1)`
		if _, err := t.ExecContext(ctx, `INSERT INTO blocks (user_id, other_id) VALUES ($1, `+by+`) ON CONFLICT DO NOTHING`, user, room); err != nil {
			return err
		}
		// The others of the same person need no answer any more.
		_, err = t.ExecContext(ctx, `UPDATE room_requests SET state = 'declined' WHERE user_id = $1 AND state = '' AND by_user = `+by, user, room)
		return err
	})
}

// Blocked returns those whom user blocked.
func (db *DB) Blocked(ctx context.Context, user string) ([]domain.UserRef, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT u.id, u.kind, u.username, u.display_name, u.avatar FROM users u
		WHERE u.id IN (SELECT other_id FROM blocks WHERE user_id = $1) ORDER BY u.username`, user)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanRef)
}

// Unblock lets other ask again.
func (db *DB) Unblock(ctx context.Context, user, other string) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM blocks WHERE user_id = $1 AND other_id = $2`, user, other); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx, `DELETE FROM room_requests WHERE user_id = $1 AND by_user = $2 AND state <> ''`, user, other)
		return err
	})
}

// AskedBy returns who must ask user: what they chose, or what the server says.
func (db *DB) AskedBy(ctx context.Context, user string) (a domain.Asking, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT asked_by FROM users WHERE id = $1`, user).Scan(&a)
	if err == nil && a == "" {
		a = db.rooms.Asking
	}
	if a == "" {
		a = domain.AskNobody
	}
	return a, err
}

// SetAskedBy keeps a user's choice.
func (db *DB) SetAskedBy(ctx context.Context, user string, a domain.Asking) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		_, err := t.ExecContext(ctx, `UPDATE users SET asked_by = $2 WHERE id = $1`, user, a)
		return err
	})
}
