package rooms

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/bots"
	"github.com/unhidra/unhidra/internal/store/devices"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// AuthorizeAdd returns an error if member m may not add u to the room, nor ban u from it beforehand. A device
// may be added by its owner, or by an admin of a room that its owner is a member of. For others the device does
// not exist: the event would tell them its name. A webhook is in the room that it was made for, and in no other.
func AuthorizeAdd(ctx context.Context, t *store.Tx, m domain.Member, u domain.UserRef) error {
	if u.IsHook() {
		return accounts.ErrNoUser()
	}
	if u.Kind != domain.KindDevice {
		return nil
	}
	owner, err := devices.OwnerOf(ctx, t, u.ID)
	if err != nil {
		return err
	}
	if owner == m.User.ID {
		return nil
	}
	if m.Role.Rank() < domain.Admin.Rank() {
		return accounts.ErrNoUser()
	}
	o, err := MemberOf(ctx, t, m.Room, owner)
	if err == nil && o.Role == domain.NonMember {
		err = accounts.ErrNoUser()
	}
	return err
}

// MemberColumns are read by ScanMember; the tables are m and u.
const MemberColumns = `m.room_id, m.role, m.muted_until, m.joined_at, m.since, u.id, u.kind, u.username,
	u.display_name, u.avatar, u.role = 'guest'`

// memberRow is a row of the table members, with the user.
type memberRow struct {
	domain.Member
	muted, joined int64
	user          accounts.RefRow
}

// dest returns the destinations for scanning MemberColumns.
func (r *memberRow) dest() []any {
	return append(append([]any{&r.Room, &r.Role, &r.muted, &r.joined, &r.Since}, r.user.Dest()...), &r.Guest)
}

func (r *memberRow) value() domain.Member {
	r.MutedUntil, r.JoinedAt, r.User = store.Time(r.muted), store.Time(r.joined), r.user.Ref()
	return r.Member
}

// ScanMember reads a row of MemberColumns.
func ScanMember[R interface{ Scan(...any) error }](row R) (domain.Member, error) {
	var r memberRow
	err := row.Scan(r.dest()...)
	return r.value(), err
}

// MemberOf returns the membership of user in room, or the zero Member for a non-member.
func MemberOf(ctx context.Context, q store.Queryer, room, user string) (domain.Member, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+MemberColumns+` FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND m.user_id = $2`, room, user)
	if err != nil {
		return domain.Member{}, err
	}
	found, err := store.Collect(rows, ScanMember)
	if err != nil || len(found) == 0 {
		return domain.Member{}, err
	}
	return found[0], nil
}

// outsider returns the membership of a user who is no member of r: nothing, but whether they are a guest, where that
// counts.
func outsider(ctx context.Context, q store.Queryer, r domain.Room, user string) (m domain.Member, err error) {
	if r.Kind == domain.PublicRoom {
		m.Guest, err = isGuest(ctx, q, user)
	}
	return m, err
}

// isGuest reports whether user is a guest of the server.
func isGuest(ctx context.Context, q store.Queryer, user string) (guest bool, err error) {
	err = q.QueryRowContext(ctx, `SELECT role = 'guest' FROM users WHERE id = $1`, user).Scan(&guest)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return guest, err
}

// memberOrOutsider is MemberOf for a room that is known.
func memberOrOutsider(ctx context.Context, q store.Queryer, r domain.Room, user string) (domain.Member, error) {
	m, err := MemberOf(ctx, q, r.ID, user)
	if err != nil || m.Role != domain.NonMember {
		return m, err
	}
	return outsider(ctx, q, r, user)
}

// Members lists the members of a room whose names contain q, by username. after is the username
// of the last one of the page before.
func (repo *Repository) Members(ctx context.Context, room, q, after string, limit int) ([]domain.Member, error) {
	like, some := naming.SubstringPattern(q)
	if !some {
		return nil, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+MemberColumns+` FROM members m JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND u.username > $2 AND ($3 = '' OR u.folded LIKE $4 ESCAPE '\')
		ORDER BY u.username LIMIT $5`, room, after, q, like, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, ScanMember)
}

const maxJoined = 2000

// JoinedSince returns the memberships that began since a time, the latest first, at most
// maxJoined. Only Room and User.ID are set.
func (repo *Repository) JoinedSince(ctx context.Context, since time.Time) ([]domain.Member, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT room_id, user_id FROM members WHERE joined_at >= $1 ORDER BY joined_at DESC LIMIT $2`, store.Millis(since),
		maxJoined)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(row *sql.Rows) (m domain.Member, err error) {
		err = row.Scan(&m.Room, &m.User.ID)
		return m, err
	})
}

// OwnIn returns the devices and bots of a user that are in a room.
func OwnIn(ctx context.Context, t *store.Tx, room, user string) ([]domain.UserRef, error) {
	own, err := devices.InRoom(ctx, t, room, user)
	if err != nil {
		return nil, err
	}
	programs, err := bots.InRoom(ctx, t, room, user)
	return append(own, programs...), err
}

// memberIDs returns the ids of all members of room.
func memberIDs(ctx context.Context, q store.Queryer, room string) ([]string, error) {
	rows, err := q.QueryContext(ctx, `SELECT user_id FROM members WHERE room_id = $1`, room)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// SharesRoom returns those of others who are in a room with user.
func (repo *Repository) SharesRoom(ctx context.Context, user string, others []string) ([]string, error) {
	return sharesRoom(ctx, repo.db, user, others)
}

func sharesRoom(ctx context.Context, q store.Queryer, user string, others []string) ([]string, error) {
	if len(others) == 0 {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx,
		`SELECT DISTINCT b.user_id FROM members a JOIN members b ON b.room_id = a.room_id
		WHERE a.user_id = $1 AND b.user_id IN (`+store.Placeholders(2, len(others))+`)`,
		append([]any{user}, store.Args(others)...)...)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// InsertMember makes user a member and appends member.joined to the log.
func InsertMember(
	ctx context.Context, t *store.Tx, room string, actor, user domain.UserRef, role domain.RoomRole, invite string,
	now time.Time,
) error {
	joined := domain.MemberJoinedPayload{Role: role, Invite: invite}
	e := domain.Event{Room: room, Type: domain.MemberJoined, Actor: actor, Subject: &user, At: now, Payload: joined}
	if err := roomlog.Append(ctx, t, &e, nil); err != nil {
		return err
	}
	// Earlier messages are not unread for a new member. A mute outlasts leaving, and a mute of
	// the owner applies to the device or bot. What they see begins with the event, if the room hides its history.
	_, err := t.ExecContext(ctx,
		`INSERT INTO members (room_id, user_id, role, read_seq, threads_read, joined_at, since, muted_until)
		VALUES ($1, $2, $3, $4, $4, $5,
		CASE WHEN (SELECT hides_history FROM rooms WHERE id = $1) THEN CAST($6 AS BIGINT) ELSE 0 END,
		coalesce((SELECT max(until) FROM mutes WHERE room_id = $1 AND until > $5
			AND (user_id = $2 OR user_id = (SELECT owner_id FROM devices WHERE id = $2)
				OR user_id = (SELECT owner_id FROM bots WHERE id = $2))), 0))`,
		room, user.ID, role, e.Seq, store.Millis(now), e.Seq-1)
	if err != nil {
		return err
	}
	t.Invalidate()
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET members = members + 1 WHERE id = $1`, room); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM room_requests WHERE room_id = $1 AND user_id = $2`, room, user.ID)
	return err
}

// CheckBan fails if user is banned from room, or is a bot of somebody who is.
func CheckBan(ctx context.Context, t *store.Tx, room, user string) error {
	var n int
	err := t.QueryRowContext(ctx, `SELECT count(*) FROM bans WHERE room_id = $1
		AND (user_id = $2 OR user_id = (SELECT owner_id FROM bots WHERE id = $2))`, room, user).Scan(&n)
	if err == nil && n > 0 {
		err = domain.Forbidden.Errorf(domain.CodeBanned,
			"this person, or the owner of this bot, is banned from the room; lift the ban first")
	}
	return err
}

// checkNewMember returns the user who is to become a member of room. It fails if the user does
// not exist, is disabled or banned, or is a member already.
func checkNewMember(ctx context.Context, t *store.Tx, room, user string) (domain.UserRef, error) {
	users, err := accounts.Refs(ctx, t, []string{user})
	if err != nil {
		return domain.UserRef{}, err
	}
	u, ok := users[user]
	if !ok {
		return u, accounts.ErrNoUser()
	}
	m, err := MemberOf(ctx, t, room, user)
	if err != nil {
		return u, err
	}
	if m.Role != domain.NonMember {
		return u, domain.Conflict.Errorf(domain.CodeAlreadyMember, "%s is already a member of this room", u.DisplayName)
	}
	return u, CheckBan(ctx, t, room, user)
}

// AddMember adds user to room on behalf of actor. If user must consent first, the event is
// domain.MemberAsked, which has no number.
func (repo *Repository) AddMember(
	ctx context.Context, actor, room, user string, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, err := LockAndAuthorize(ctx, t, room, actor, domain.InviteMember, now)
		if err != nil {
			return err
		}
		u, err := checkNewMember(ctx, t, room, user)
		if err != nil {
			return err
		}
		if err := AuthorizeAdd(ctx, t, m, u); err != nil {
			return err
		}
		asked, err := repo.addOrRequest(ctx, t, r, m.User, u, now)
		if err != nil {
			return err
		}
		if asked {
			e = domain.Event{Room: room, Type: domain.MemberAsked, Actor: m.User, Subject: &u, At: now}
			return nil
		}
		e = t.LastEvent()
		return nil
	})
	return e, err
}

// AddInvited adds u, who accepted an invitation of inviter to the server, to a room that the inviter may add people to.
// If they may not, or u cannot be a member, it does nothing.
func (repo *Repository) AddInvited(
	ctx context.Context, t *store.Tx, inviter, room string, u domain.UserRef, now time.Time,
) error {
	r, m, err := LockAndAuthorize(ctx, t, room, inviter, domain.InviteMember, now)
	if err == nil {
		_, err = checkNewMember(ctx, t, room, u.ID)
	}
	if err == nil {
		err = repo.checkMemberLimits(ctx, t, r, u)
	}
	if err == nil {
		return InsertMember(ctx, t, room, m.User, u, domain.RegularMember, "", now)
	}
	switch domain.KindOf(err) {
	case domain.NotFound, domain.Forbidden, domain.Conflict:
		return nil
	}
	return err
}

// Join makes user a member of a public room.
func (repo *Repository) Join(ctx context.Context, user, room string, now time.Time) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := LockAndAuthorize(ctx, t, room, user, domain.JoinRoom, now)
		if err != nil {
			return err
		}
		u, err := checkNewMember(ctx, t, room, user)
		if domain.CodeOf(err) == domain.CodeBanned {
			return domain.Forbidden.Errorf(domain.CodeBanned, "you are banned from this room")
		}
		if err != nil {
			return err
		}
		if err := repo.checkMemberLimits(ctx, t, r, u); err != nil {
			return err
		}
		if err := InsertMember(ctx, t, room, u, u, domain.RegularMember, "", now); err != nil {
			return err
		}
		e = t.LastEvent()
		return nil
	})
	return e, err
}

// RoomIDs returns the ids of the rooms that user is a member of, without direct rooms, sorted.
func RoomIDs(ctx context.Context, t *store.Tx, user string) ([]string, error) {
	rows, err := t.QueryContext(ctx,
		`SELECT room_id FROM members m JOIN rooms r ON r.id = m.room_id WHERE m.user_id = $1 AND r.kind <> 'direct'
			ORDER BY room_id`, user)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// SharedRooms returns the ids of the rooms, without direct ones, that both users are members of. Those of the
// latest messages are first.
func (repo *Repository) SharedRooms(ctx context.Context, user, other string) ([]string, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT r.id FROM members a JOIN members b ON b.room_id = a.room_id
		JOIN rooms r ON r.id = a.room_id WHERE a.user_id = $1 AND b.user_id = $2 AND r.kind <> 'direct'
		ORDER BY r.last_at DESC, r.id`, user, other)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanString)
}

// RemoveMember ends a membership and appends e to the log.
func RemoveMember(ctx context.Context, t *store.Tx, e *domain.Event) error {
	t.Invalidate()
	_, err := t.ExecContext(ctx, `DELETE FROM members WHERE room_id = $1 AND user_id = $2`, e.Room, e.Subject.ID)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM thread_marks WHERE user_id = $1 AND room_id = $2`, e.Subject.ID, e.Room)
	if err != nil {
		return err
	}
	t.Invalidate()
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET members = members - 1 WHERE id = $1`, e.Room); err != nil {
		return err
	}
	return roomlog.Append(ctx, t, e, nil)
}

// EraseUser deletes a user's bans, mutes, requests and blocks.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	for _, query := range []string{
		`DELETE FROM bans WHERE user_id = $1`,
		`DELETE FROM room_requests WHERE user_id = $1`,
		`DELETE FROM blocks WHERE user_id = $1`,
		`DELETE FROM mutes WHERE user_id = $1`,
		`DELETE FROM room_requests WHERE by_user = $1`,
	} {
		if _, err := t.ExecContext(ctx, query, user); err != nil {
			return err
		}
	}
	return nil
}

// ArchiveEmpty archives a room that has no members any more, and deletes its pending requests.
func ArchiveEmpty(ctx context.Context, t *store.Tx, room string) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM room_requests WHERE room_id = $1`, room); err != nil {
		return err
	}
	return Archive(ctx, t, room, true)
}
