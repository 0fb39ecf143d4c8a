package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const memberColumns = `m.room_id, m.role, m.muted_until, m.joined_at, u.id, u.kind, u.username, u.display_name, u.avatar`

func scanMember[R interface{ Scan(...any) error }](row R) (m domain.Member, err error) {
	var muted, joined int64
	var u nullRef
	err = row.Scan(append([]any{&m.Room, &m.Role, &muted, &joined}, u.dest()...)...)
	m.MutedUntil, m.JoinedAt, m.User = at(muted), at(joined), u.ref()
	return m, err
}

// memberOf returns the zero Member for someone who is none.
func memberOf(ctx context.Context, q querier, room, user string) (domain.Member, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+memberColumns+` FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND m.user_id = $2`, room, user)
	if err != nil {
		return domain.Member{}, err
	}
	found, err := collect(rows, scanMember)
	if err != nil || len(found) == 0 {
		return domain.Member{}, err
	}
	return found[0], nil
}

// Members lists a room's members by username, those whose names contain q. after
// is the username of the last one of the page before.
func (db *DB) Members(ctx context.Context, room, q, after string, limit int) ([]domain.Member, error) {
	like, some := likeWithin(q)
	if !some {
		return nil, nil
	}
	rows, err := db.read.QueryContext(ctx, `SELECT `+memberColumns+` FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND u.username > $2 AND ($3 = '' OR u.folded LIKE $4 ESCAPE '\')
		ORDER BY u.username LIMIT $5`, room, after, q, like, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanMember)
}

const joinedMax = 2000

// JoinedSince returns who came into which room since a time, the latest first; of
// each only these two.
func (db *DB) JoinedSince(ctx context.Context, since time.Time) ([]domain.Member, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT room_id, user_id FROM members WHERE joined_at >= $1 ORDER BY joined_at DESC LIMIT $2`, ms(since), joinedMax)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(row *sql.Rows) (m domain.Member, err error) {
		err = row.Scan(&m.Room, &m.User.ID)
		return m, err
	})
}

// MemberIDs returns the ids of all members of room.
func (db *DB) MemberIDs(ctx context.Context, room string) ([]string, error) {
	return memberIDs(ctx, db.read, room)
}

func memberIDs(ctx context.Context, q querier, room string) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT user_id FROM members WHERE room_id = $1`, room)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

// SharesRoom returns those of others who are in a room with user.
func (db *DB) SharesRoom(ctx context.Context, user string, others []string) ([]string, error) {
	if len(others) == 0 {
		return nil, nil
	}
	rows, err := db.read.QueryContext(ctx, `SELECT DISTINCT b.user_id FROM members a JOIN members b ON b.room_id = a.room_id
		WHERE a.user_id = $1 AND b.user_id IN (`+holders(2, len(others))+`)`, append([]any{user}, anys(others)...)...)
	if err != nil {
		return nil, err
	}
	return collect(rows, scanString)
}

// enter makes user a member and says so in the log.
func (t *tx) enter(ctx context.Context, room string, actor, user domain.UserRef, role domain.RoomRole, invite string, now time.Time) error {
	detail := &domain.Detail{Role: role, Invite: invite}
	e := domain.Event{Room: room, Type: domain.MemberJoined, Actor: actor, Subject: &user, At: now, Detail: detail}
	if err := t.appendEvent(ctx, &e, nil); err != nil {
		return err
	}
	// What was said before is history to a newcomer, not unread. A mute is theirs still,
	// and a device has that of its owner.
	_, err := t.ExecContext(ctx, `INSERT INTO members (room_id, user_id, role, read_seq, joined_at, muted_until) VALUES ($1, $2, $3, $4, $5,
		coalesce((SELECT max(until) FROM mutes WHERE room_id = $1 AND until > $5
			AND (user_id = $2 OR user_id = (SELECT owner_id FROM devices WHERE id = $2))), 0))`,
		room, user.ID, role, e.Seq, ms(now))
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET members = members + 1 WHERE id = $1`, room); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM room_requests WHERE room_id = $1 AND user_id = $2`, room, user.ID)
	return err
}

// drop ends a membership and says so in the log. The member's own devices go as
// well: nobody reads on through a machine.
func (t *tx) drop(ctx context.Context, e *domain.Event) error {
	_, err := t.ExecContext(ctx, `DELETE FROM members WHERE room_id = $1 AND user_id = $2`, e.Room, e.Subject.ID)
	if err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET members = members - 1 WHERE id = $1`, e.Room); err != nil {
		return err
	}
	if err := t.appendEvent(ctx, e, nil); err != nil {
		return err
	}
	return t.dropDevices(ctx, *e)
}

func (t *tx) notBanned(ctx context.Context, room, user string) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM bans WHERE room_id = $1 AND user_id = $2`, room, user).Scan(&n)
	if err == nil && n > 0 {
		err = domain.Forbidden.Errorf("banned", "this person is banned from the room; lift the ban first")
	}
	return err
}

// newcomer returns the one who is to enter room: someone who exists, is not
// disabled, not banned and not in it.
func (t *tx) newcomer(ctx context.Context, room, user string) (domain.UserRef, error) {
	users, err := t.refs(ctx, []string{user})
	if err != nil {
		return domain.UserRef{}, err
	}
	u, ok := users[user]
	if !ok {
		return u, errNoUser()
	}
	m, err := memberOf(ctx, t, room, user)
	if err != nil {
		return u, err
	}
	if m.Role != domain.Outsider {
		return u, domain.Conflict.Errorf("already_member", "%s is a member of this room already", u.DisplayName)
	}
	return u, t.notBanned(ctx, room, user)
}

// AddMember lets actor bring user into room. If user is asked first, the event is a
// domain.MemberAsked without a number.
func (db *DB) AddMember(ctx context.Context, actor, room, user string, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, err := t.placeFor(ctx, room, actor, domain.InviteMember, now)
		if err != nil {
			return err
		}
		u, err := t.newcomer(ctx, room, user)
		if err != nil {
			return err
		}
		if err := t.mayBring(ctx, m, u); err != nil {
			return err
		}
		asked, err := db.bring(ctx, t, r, m.User, u, now)
		if err != nil {
			return err
		}
		if asked {
			e = domain.Event{Room: room, Type: domain.MemberAsked, Actor: m.User, Subject: &u, At: now}
			return nil
		}
		e = t.events[len(t.events)-1]
		return nil
	})
	return e, err
}

// Join lets user enter a public room.
func (db *DB) Join(ctx context.Context, user, room string, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, _, err := t.placeFor(ctx, room, user, domain.JoinRoom, now)
		if err != nil {
			return err
		}
		u, err := t.newcomer(ctx, room, user)
		if domain.CodeOf(err) == "banned" {
			return domain.Forbidden.Errorf("banned", "you are banned from this room")
		}
		if err != nil {
			return err
		}
		if err := db.mayEnter(ctx, t, r, u); err != nil {
			return err
		}
		if err := t.enter(ctx, room, u, u, domain.Plain, "", now); err != nil {
			return err
		}
		e = t.events[len(t.events)-1]
		return nil
	})
	return e, err
}

// Leave ends user's own membership. The last owner hands over first, unless
// nobody else is there: then the room is archived.
func (db *DB) Leave(ctx context.Context, user, room string, now time.Time) (e domain.Event, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		e, err = t.leave(ctx, user, room, trim(now))
		return err
	})
	return e, err
}

func (t *tx) leave(ctx context.Context, user, room string, now time.Time) (e domain.Event, err error) {
	r, m, err := t.placeFor(ctx, room, user, domain.LeaveRoom, now)
	if err != nil {
		return e, err
	}
	own, err := t.devicesIn(ctx, room, user)
	if err != nil {
		return e, err
	}
	others := r.Members - 1 - len(own)
	if m.Role == domain.Owner && others > 0 {
		return e, domain.Conflict.Errorf("last_owner", "you own this room; hand it over to somebody before you leave")
	}
	e = domain.Event{Room: room, Type: domain.MemberLeft, Actor: m.User, Subject: &m.User, At: now}
	if err := t.drop(ctx, &e); err != nil || others > 0 {
		return e, err
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM room_requests WHERE room_id = $1`, room); err != nil {
		return e, err
	}
	_, err = t.ExecContext(ctx, `UPDATE rooms SET archived = TRUE WHERE id = $1`, room)
	return e, err
}

// upon runs fn on another member, upon whom actor may do p.
func (db *DB) upon(ctx context.Context, actor, room, user string, p domain.Permission, role domain.RoomRole, now time.Time, fn func(ctx context.Context, t *tx, m, other domain.Member) error) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, err := t.placeFor(ctx, room, actor, p, now)
		if err != nil {
			return err
		}
		other, err := memberOf(ctx, t, room, user)
		if err != nil {
			return err
		}
		if other.Role == domain.Outsider {
			return domain.NotFound.Errorf("not_a_member", "this person is not a member of the room")
		}
		if err := domain.AllowOn(r, m, other, p, role, now); err != nil {
			return err
		}
		return fn(ctx, t, m, other)
	})
}

// Kick ends another's membership.
func (db *DB) Kick(ctx context.Context, actor, room, user, reason string, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.upon(ctx, actor, room, user, domain.KickMember, "", now, func(ctx context.Context, t *tx, m, other domain.Member) error {
		e = domain.Event{Room: room, Type: domain.MemberKicked, Actor: m.User, Subject: &other.User, At: now, Detail: &domain.Detail{Reason: reason}}
		return t.drop(ctx, &e)
	})
	return e, err
}

// Mute keeps another from writing until a time; the zero time ends a mute. Their
// devices in the room are muted with them, and it lasts if they leave and come back.
func (db *DB) Mute(ctx context.Context, actor, room, user string, until, now time.Time) (e domain.Event, err error) {
	now, until = trim(now), trim(until)
	err = db.upon(ctx, actor, room, user, domain.MuteMember, "", now, func(ctx context.Context, t *tx, m, other domain.Member) error {
		devices, err := t.devicesIn(ctx, room, user)
		if err != nil {
			return err
		}
		if e, err = t.mute(ctx, room, m.User, other.User, until, now); err != nil {
			return err
		}
		for _, d := range devices {
			if _, err := t.mute(ctx, room, m.User, d, until, now); err != nil {
				return err
			}
		}
		return nil
	})
	return e, err
}

func (t *tx) mute(ctx context.Context, room string, actor, user domain.UserRef, until, now time.Time) (domain.Event, error) {
	detail := &domain.Detail{}
	keep, args := `DELETE FROM mutes WHERE room_id = $1 AND user_id = $2`, []any{room, user.ID}
	if !until.IsZero() {
		detail.Until = &until
		keep = `INSERT INTO mutes (room_id, user_id, until) VALUES ($1, $2, $3) ON CONFLICT (room_id, user_id) DO UPDATE SET until = excluded.until`
		args = append(args, ms(until))
	}
	if _, err := t.ExecContext(ctx, keep, args...); err != nil {
		return domain.Event{}, err
	}
	_, err := t.ExecContext(ctx, `UPDATE members SET muted_until = $3 WHERE room_id = $1 AND user_id = $2`, room, user.ID, ms(until))
	if err != nil {
		return domain.Event{}, err
	}
	e := domain.Event{Room: room, Type: domain.MemberMuted, Actor: actor, Subject: &user, At: now, Detail: detail}
	err = t.appendEvent(ctx, &e, nil)
	return e, err
}

// SetRole gives another member a role below the actor's own.
func (db *DB) SetRole(ctx context.Context, actor, room, user string, role domain.RoomRole, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.upon(ctx, actor, room, user, domain.SetRole, role, now, func(ctx context.Context, t *tx, m, other domain.Member) error {
		e, err = t.setRole(ctx, room, m.User, other.User, role, now)
		return err
	})
	return e, err
}

func (t *tx) setRole(ctx context.Context, room string, actor, user domain.UserRef, role domain.RoomRole, now time.Time) (domain.Event, error) {
	_, err := t.ExecContext(ctx, `UPDATE members SET role = $3 WHERE room_id = $1 AND user_id = $2`, room, user.ID, role)
	if err != nil {
		return domain.Event{}, err
	}
	e := domain.Event{Room: room, Type: domain.MemberRole, Actor: actor, Subject: &user, At: now, Detail: &domain.Detail{Role: role}}
	err = t.appendEvent(ctx, &e, nil)
	return e, err
}

// HandOver makes another member the owner, and the actor an admin.
func (db *DB) HandOver(ctx context.Context, actor, room, user string, now time.Time) (events []domain.Event, err error) {
	now = trim(now)
	err = db.upon(ctx, actor, room, user, domain.HandOver, "", now, func(ctx context.Context, t *tx, m, other domain.Member) error {
		if other.User.Kind == domain.KindDevice {
			return domain.Conflict.Errorf("device_owner", "a device cannot own a room; hand it over to a person")
		}
		up, err := t.setRole(ctx, room, m.User, other.User, domain.Owner, now)
		if err != nil {
			return err
		}
		down, err := t.setRole(ctx, room, m.User, m.User, domain.Admin, now)
		events = []domain.Event{up, down}
		return err
	})
	return events, err
}

// Ban keeps user out of room; if they are in it, it ends their membership, and
// the event tells the role that they had.
func (db *DB) Ban(ctx context.Context, actor, room, user, reason string, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, err := t.placeFor(ctx, room, actor, domain.BanMember, now)
		if err != nil {
			return err
		}
		other, err := memberOf(ctx, t, room, user)
		if err != nil {
			return err
		}
		if err := domain.AllowOn(r, m, other, domain.BanMember, "", now); err != nil {
			return err
		}
		u, err := t.ref(ctx, user)
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `INSERT INTO bans (room_id, user_id, by_user, reason, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
			room, user, actor, reason, ms(now))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.Conflict.Errorf("already_banned", "%s is banned from this room already", u.DisplayName))
		}
		e = domain.Event{Room: room, Type: domain.MemberBanned, Actor: m.User, Subject: &u, At: now, Detail: &domain.Detail{Reason: reason, Role: other.Role}}
		if other.Role == domain.Outsider {
			return t.appendEvent(ctx, &e, nil)
		}
		return t.drop(ctx, &e)
	})
	return e, err
}

// Unban lets user back in; it does not bring them back.
func (db *DB) Unban(ctx context.Context, actor, room, user string, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		_, m, err := t.placeFor(ctx, room, actor, domain.BanMember, now)
		if err != nil {
			return err
		}
		res, err := t.ExecContext(ctx, `DELETE FROM bans WHERE room_id = $1 AND user_id = $2`, room, user)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, domain.NotFound.Errorf("not_banned", "this person is not banned from the room"))
		}
		u, err := t.ref(ctx, user)
		if err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.MemberUnbanned, Actor: m.User, Subject: &u, At: now}
		return t.appendEvent(ctx, &e, nil)
	})
	return e, err
}

// Bans lists who is banned from room, by username, after a given one.
func (db *DB) Bans(ctx context.Context, room, after string, limit int) ([]domain.Ban, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT b.room_id, b.by_user, b.reason, b.at, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM bans b JOIN users u ON u.id = b.user_id WHERE b.room_id = $1 AND u.username > $2 ORDER BY u.username LIMIT $3`, room, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (b domain.Ban, err error) {
		var when int64
		var u nullRef
		err = rows.Scan(append([]any{&b.Room, &b.By, &b.Reason, &when}, u.dest()...)...)
		b.At, b.User = at(when), u.ref()
		return b, err
	})
}
