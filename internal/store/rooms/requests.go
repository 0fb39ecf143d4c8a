package rooms

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// checkMemberLimits fails if the room is full, or if user is in as many rooms as allowed; a bot in
// domain.MaxBotRooms at most. The limit per user is not exact: concurrent joins of different rooms
// may exceed it by one each.
func (repo *Repository) checkMemberLimits(ctx context.Context, t *store.Tx, r domain.Room, user domain.UserRef) error {
	if most := repo.limits.Members; most > 0 && r.Members >= most {
		return domain.Conflict.Errorf(domain.CodeRoomFull,
			"this room has as many members as a room may have (%d)", r.Members)
	}
	most := repo.limits.PerUser
	if user.Kind == domain.KindBot && (most == 0 || most > domain.MaxBotRooms) {
		most = domain.MaxBotRooms
	}
	if most == 0 {
		return nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM members WHERE user_id = $1`, user.ID).Scan(&n)
	if err == nil && n >= most {
		err = domain.Conflict.Errorf(domain.CodeTooManyRooms,
			"%s is in as many rooms as may be (%d); they must leave one first", user.DisplayName, n)
	}
	return err
}

// checkCreatedLimit fails if actor has created as many rooms as allowed.
func (repo *Repository) checkCreatedLimit(ctx context.Context, t *store.Tx, actor string) error {
	if repo.limits.Created == 0 {
		return nil
	}
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM rooms WHERE made_by = $1 AND made_by <> '' AND kind <> 'gone'`,
		actor).Scan(&n)
	if err == nil && n >= repo.limits.Created {
		err = domain.Conflict.Errorf(domain.CodeTooManyRoomsMade,
			"you have created as many rooms as one person may (%d); delete one first", n)
	}
	return err
}

// needsRequest reports whether u must consent before actor adds them to a room.
func (repo *Repository) needsRequest(
	ctx context.Context, t *store.Tx, actor string, u domain.UserRef,
) (ask bool, err error) {
	if u.Kind != domain.KindUser || u.ID == actor {
		return false, nil
	}
	var asking domain.RequestPolicy
	var role domain.SystemRole
	var blocked bool
	err = t.QueryRowContext(ctx,
		`SELECT u.asked_by, a.role, EXISTS (SELECT 1 FROM blocks b WHERE b.user_id = u.id AND b.other_id = a.id)
		FROM users u CROSS JOIN users a WHERE u.id = $1 AND a.id = $2`, u.ID, actor).Scan(&asking, &role, &blocked)
	if err != nil || role == domain.SystemAdmin || blocked {
		return blocked && role != domain.SystemAdmin, err
	}
	if asking == "" {
		asking = repo.limits.Requests
	}
	switch asking {
	case domain.AskEveryone:
		return true, nil
	case domain.AskStrangers:
		err = t.QueryRowContext(ctx,
			`SELECT NOT EXISTS (SELECT 1 FROM members a JOIN members b ON b.room_id = a.room_id WHERE a.user_id = $1
				AND b.user_id = $2)`,
			actor, u.ID).Scan(&ask)
	}
	return ask, err
}

// insertRequest stores the request to u to join room. If u has blocked the requester it is stored
// as declined, which the requester cannot see.
func insertRequest(ctx context.Context, t *store.Tx, room, by string, u domain.UserRef, now time.Time) error {
	var here, waiting, mine int
	var blocked bool
	err := t.QueryRowContext(ctx,
		`SELECT count(CASE WHEN room_id = $2 THEN 1 END), count(CASE WHEN state = '' THEN 1 END), count(CASE WHEN by_user = $3
			THEN 1 END),
		EXISTS (SELECT 1 FROM blocks WHERE user_id = $1 AND other_id = $3)
		FROM room_requests WHERE user_id = $1`, u.ID, room, by).Scan(&here, &waiting, &mine, &blocked)
	switch {
	case err != nil:
		return err
	case here > 0, mine >= domain.MaxRequestsByUser:
		return domain.Conflict.Errorf(domain.CodeAlreadyAsked,
			"%s was already asked; wait for an answer, or send an invitation link", u.DisplayName)
	case waiting >= domain.MaxRequests:
		return domain.Conflict.Errorf(domain.CodeTooManyRequests,
			"%s has too many requests to answer; send an invitation link", u.DisplayName)
	}
	state := ""
	if blocked {
		state = "declined"
	}
	_, err = t.ExecContext(ctx,
		`INSERT INTO room_requests (room_id, user_id, by_user, state, at) VALUES ($1, $2, $3, $4, $5)`, room, u.ID, by, state,
		store.Millis(now))
	return err
}

// addOrRequest makes u a member, or stores a request if u must consent first.
func (repo *Repository) addOrRequest(
	ctx context.Context, t *store.Tx, r domain.Room, actor, u domain.UserRef, now time.Time,
) (asked bool, err error) {
	if asked, err = repo.needsRequest(ctx, t, actor.ID, u); err != nil {
		return false, err
	}
	if asked {
		return true, insertRequest(ctx, t, r.ID, actor.ID, u, now)
	}
	if err := repo.checkMemberLimits(ctx, t, r, u); err != nil {
		return false, err
	}
	return false, InsertMember(ctx, t, r.ID, actor, u, domain.RegularMember, "", now)
}

// RoomRequests returns the pending requests to user, the latest first. If room is not empty, only
// the one for that room.
func (repo *Repository) RoomRequests(ctx context.Context, user, room string) ([]domain.RoomRequest, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT `+Columns+`, q.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM room_requests q JOIN rooms r ON r.id = q.room_id JOIN users u ON u.id = q.by_user
		WHERE q.user_id = $1 AND ($2 = '' OR q.room_id = $2) AND q.state = '' AND r.kind <> 'gone' AND NOT r.archived
		AND NOT u.disabled
		ORDER BY q.at DESC, q.room_id LIMIT $3`, user, room, domain.MaxRequests)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (q domain.RoomRequest, err error) {
		var r Row
		var when int64
		var by accounts.RefRow
		err = rows.Scan(append(append(r.Dest(), &when), by.Dest()...)...)
		q.Room, q.At, q.By = r.Value(), store.Time(when), by.Ref()
		return q, err
	})
}

// AcceptRequest makes user a member of a room that they have a request for. In a direct room all
// earlier messages are unread for them.
func (repo *Repository) AcceptRequest(ctx context.Context, user, room string, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, err := ByID(ctx, t, room, t.ForUpdate())
		if domain.CodeOf(err) == domain.CodeNoRoom {
			return errNoRequest() // do not reveal whether the room exists
		}
		if err != nil {
			return err
		}
		if err := pendingRequest(ctx, t, user, room); err != nil {
			return err
		}
		if r.Archived {
			return domain.Conflict.Errorf(domain.CodeRoomArchived, "this room is archived; it takes no new members")
		}
		u, err := checkNewMember(ctx, t, room, user)
		if err != nil {
			return err
		}
		return repo.admit(ctx, t, r, u, now)
	})
}

// admit makes u, who has consented, a member of r.
func (repo *Repository) admit(ctx context.Context, t *store.Tx, r domain.Room, u domain.UserRef, now time.Time) error {
	if err := repo.checkMemberLimits(ctx, t, r, u); err != nil {
		return err
	}
	if err := InsertMember(ctx, t, r.ID, u, u, domain.RegularMember, "", now); err != nil || r.Kind != domain.DirectRoom {
		return err
	}
	_, err := t.ExecContext(ctx, `UPDATE members SET read_seq = 0, threads_read = 0 WHERE room_id = $1 AND user_id = $2`,
		r.ID, u.ID)
	return err
}

// pendingRequest fails unless user has a pending request for room.
func pendingRequest(ctx context.Context, t *store.Tx, user, room string) error {
	var state string
	err := t.QueryRowContext(ctx, `SELECT state FROM room_requests WHERE room_id = $1 AND user_id = $2`, room,
		user).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state != "" {
		err = errNoRequest()
	}
	return err
}

func errNoRequest() error {
	return domain.NotFound.Errorf(domain.CodeNoRequest, "there is no such request; you may have answered it elsewhere")
}

// DeclineRequest declines a request. With alsoBlock it blocks the requester too, and returns who that is.
func (repo *Repository) DeclineRequest(
	ctx context.Context, user, room string, alsoBlock bool,
) (blocked string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := pendingRequest(ctx, t, user, room); err != nil {
			return err
		}
		var by string
		err := t.QueryRowContext(ctx, `UPDATE room_requests SET state = 'declined' WHERE room_id = $1 AND user_id = $2
			RETURNING by_user`, room, user).Scan(&by)
		if err != nil || !alsoBlock {
			return err
		}
		blocked = by
		_, err = block(ctx, t, user, by)
		return err
	})
	return blocked, err
}

// RequestPolicy returns the policy that user has chosen, or else that of the server.
func (repo *Repository) RequestPolicy(ctx context.Context, user string) (a domain.RequestPolicy, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT asked_by FROM users WHERE id = $1`, user).Scan(&a)
	if err == nil && a == "" {
		a = repo.limits.Requests
	}
	if a == "" {
		a = domain.AskNobody
	}
	return a, err
}

// SetRequestPolicy stores the policy that user has chosen.
func (repo *Repository) SetRequestPolicy(ctx context.Context, user string, a domain.RequestPolicy) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE users SET asked_by = $2 WHERE id = $1`, user, a)
		return err
	})
}
