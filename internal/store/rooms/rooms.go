package rooms

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

func setRetention(ctx context.Context, t *store.Tx, room string, k domain.RoomRetention) error {
	var days, lines any
	if k.Own {
		days, lines = k.Days, k.Lines
	}
	t.Invalidate()
	_, err := t.ExecContext(ctx, `UPDATE rooms SET keep_days = $2, keep_lines = $3 WHERE id = $1`, room, days, lines)
	return err
}

// Columns are read by Scan; the table is r.
const Columns = `r.id, r.kind, r.name, r.topic, r.archived, r.head, r.members, r.created_at, r.last_at,
	r.floor, r.keep_days, r.keep_lines, r.held_at, r.replied, r.previews, r.hides_history,
	r.screen_rough, r.screen_spam, r.colour, r.emoji, r.avatar`

// Row is a row of the table rooms.
type Row struct {
	domain.Room
	created, last, held int64
	days, lines         sql.NullInt64
}

// Dest returns the destinations for scanning Columns.
func (r *Row) Dest() []any {
	return []any{
		&r.ID, &r.Kind, &r.Name, &r.Topic, &r.Archived, &r.Head, &r.Members, &r.created, &r.last,
		&r.Floor, &r.days, &r.lines, &r.held, &r.Replied, &r.Previews, &r.Hides,
		&r.Screening.Rough, &r.Screening.Spam, &r.Look.Colour, &r.Look.Emoji, &r.Look.Avatar,
	}
}

// Value returns the room.
func (r *Row) Value() domain.Room {
	r.CreatedAt, r.LastAt, r.HeldAt = store.Time(r.created), store.Time(r.last), store.Time(r.held)
	r.Keep = ParseRetention(r.days, r.lines)
	return r.Room
}

// ParseRetention returns a room's retention from its columns keep_days and keep_lines.
func ParseRetention(days, lines sql.NullInt64) domain.RoomRetention {
	return domain.RoomRetention{Own: days.Valid,
		Retention: domain.Retention{Days: int(days.Int64), Lines: int(lines.Int64)}}
}

// Scan reads a row of Columns.
func Scan(rows *sql.Rows) (domain.Room, error) {
	var r Row
	err := rows.Scan(r.Dest()...)
	return r.Value(), err
}

// Room returns a room by its id, or domain.ErrNoRoom. It checks no permission.
func (repo *Repository) Room(ctx context.Context, room string) (domain.Room, error) {
	return ByID(ctx, repo.db, room, "")
}

// ByID returns a room, or domain.ErrNoRoom. lock is appended to the SELECT: "" or Tx.ForUpdate.
func ByID(ctx context.Context, q store.Queryer, room, lock string) (domain.Room, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+Columns+` FROM rooms r WHERE r.id = $1 AND r.kind <> 'gone'`+lock, room)
	if err != nil {
		return domain.Room{}, err
	}
	found, err := store.Collect(rows, Scan)
	if err != nil {
		return domain.Room{}, err
	}
	if len(found) == 0 {
		return domain.Room{}, domain.ErrNoRoom()
	}
	return found[0], nil
}

// RoomAndMember returns a room and the user's membership, which has no role for a
// non-member. It returns domain.ErrNoRoom if there is no such room. For a member it is one query.
func (repo *Repository) RoomAndMember(ctx context.Context, room, user string) (domain.Room, domain.Member, error) {
	var r Row
	var m memberRow
	err := repo.db.QueryRowContext(ctx, `SELECT `+Columns+`, `+MemberColumns+`
		FROM members m JOIN rooms r ON r.id = m.room_id JOIN users u ON u.id = m.user_id
		WHERE m.room_id = $1 AND m.user_id = $2 AND r.kind <> 'gone'`, room, user).Scan(append(r.Dest(), m.dest()...)...)
	if errors.Is(err, sql.ErrNoRows) {
		other, err := ByID(ctx, repo.db, room, "")
		if err != nil {
			return other, domain.Member{}, err
		}
		none, err := outsider(ctx, repo.db, other, user)
		return other, none, err
	}
	if err != nil {
		return domain.Room{}, domain.Member{}, err
	}
	return r.Value(), m.value(), nil
}

// LockAndAuthorize is RoomAndMember inside a transaction. It locks the room and returns an error
// if user may not do p.
func LockAndAuthorize(
	ctx context.Context, t *store.Tx, room, user string, p domain.Permission, now time.Time,
) (domain.Room, domain.Member, error) {
	r, err := ByID(ctx, t, room, t.ForUpdate())
	if err != nil {
		return r, domain.Member{}, err
	}
	m, err := memberOrOutsider(ctx, t, r, user)
	if err != nil {
		return r, m, err
	}
	return r, m, domain.Allow(r, m, p, now)
}

// Authorize returns an error if user may not do p in a room just now.
func Authorize(
	ctx context.Context, q store.Queryer, room, user string, p domain.Permission, now time.Time,
) error {
	r, err := ByID(ctx, q, room, "")
	if err != nil {
		return err
	}
	m, err := memberOrOutsider(ctx, q, r, user)
	if err != nil {
		return err
	}
	return domain.Allow(r, m, p, now)
}

// Readable returns a room that user may read, and what they see of it.
func Readable(
	ctx context.Context, q store.Queryer, user, room string, now time.Time,
) (domain.Room, domain.View, error) {
	r, err := ByID(ctx, q, room, "")
	if err != nil {
		return r, domain.View{}, err
	}
	m, err := memberOrOutsider(ctx, q, r, user)
	if err != nil {
		return r, domain.View{}, err
	}
	return r, m.View(), domain.Allow(r, m, domain.ReadRoom, now)
}

// CreateRoom creates a room with actor as its owner. It adds n.Members, or sends them a request
// if they must consent. There is one direct room for the same people: if it exists, CreateRoom
// returns it with created false, adds actor again and sends requests to others who have left.
func (repo *Repository) CreateRoom(
	ctx context.Context, actor string, n domain.NewRoom, now time.Time,
) (s domain.RoomState, created bool, err error) {
	now = store.Trim(now)
	people := append([]string{actor}, n.Members...)
	slices.Sort(people)
	people = slices.Compact(people)
	id, made := "", false
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		users, err := accounts.Refs(ctx, t, people)
		if err != nil {
			return err
		}
		if len(users) != len(people) {
			return domain.InvalidField("/members", "one of these people does not exist or is disabled")
		}
		for _, u := range users {
			if err := AuthorizeAdd(ctx, t, domain.Member{User: domain.UserRef{ID: actor}}, u); err != nil {
				return err
			}
		}
		if err := authorizeGuest(ctx, t, actor, n); err != nil {
			return err
		}
		id, made = domain.NewID(domain.RoomPrefix), true
		var key any
		if n.Kind == domain.DirectRoom {
			key = strings.Join(people, " ")
			err := t.QueryRowContext(ctx, `SELECT id FROM rooms WHERE direct_key = $1`, key).Scan(&id)
			if err == nil {
				made = false
				return repo.reopenDirect(ctx, t, id, actor, users, now)
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if err := repo.checkCreatedLimit(ctx, t, actor); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx,
			`INSERT INTO rooms (id, kind, name, topic, direct_key, made_by, created_at, last_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
			id, n.Kind, n.Name, n.Topic, key, actor, store.Millis(now))
		if err != nil {
			return err
		}
		if err := naming.FoldRoom(ctx, t, id); err != nil {
			return err
		}
		return repo.appendFirstEvents(ctx, t, id, actor, n, users, now)
	})
	if store.IsUnique(err) && n.Kind == domain.DirectRoom {
		return repo.CreateRoom(ctx, actor, n, now) // another server made it just now
	}
	if err != nil {
		return s, false, err
	}
	s, err = repo.RoomState(ctx, actor, id)
	return s, made, err
}

// authorizeGuest fails if actor is a guest and may not create the room: they begin only direct conversations, with
// people who share a room with them.
func authorizeGuest(ctx context.Context, t *store.Tx, actor string, n domain.NewRoom) error {
	guest, err := isGuest(ctx, t, actor)
	if err != nil || !guest {
		return err
	}
	if n.Kind != domain.DirectRoom {
		return domain.ErrNotForGuests()
	}
	shared, err := sharesRoom(ctx, t, actor, n.Members)
	if err != nil {
		return err
	}
	for _, id := range n.Members {
		if id != actor && !slices.Contains(shared, id) {
			return domain.InvalidField("/members", "one of these people does not exist or is disabled")
		}
	}
	return nil
}

// appendFirstEvents appends the first events of a new room: its creation and its members.
func (repo *Repository) appendFirstEvents(
	ctx context.Context, t *store.Tx, room, actor string, n domain.NewRoom, users map[string]domain.UserRef, now time.Time,
) error {
	created := domain.RoomCreatedPayload{Kind: n.Kind}
	if n.Name != "" {
		created.Name = &n.Name
	}
	if n.Topic != "" {
		created.Topic = &n.Topic
	}
	err := roomlog.Append(ctx, t, &domain.Event{Room: room, Type: domain.RoomCreated, Actor: users[actor], At: now,
		Payload: created}, nil)
	if err != nil {
		return err
	}
	owner := domain.Owner
	if n.Kind == domain.DirectRoom {
		owner = domain.RegularMember
	}
	r := domain.Room{ID: room, Kind: n.Kind}
	if err := repo.checkMemberLimits(ctx, t, r, users[actor]); err != nil {
		return err
	}
	if err := InsertMember(ctx, t, room, users[actor], users[actor], owner, "", now); err != nil {
		return err
	}
	r.Members = 1
	for id, u := range users {
		if id == actor {
			continue
		}
		asked, err := repo.addOrRequest(ctx, t, r, users[actor], u, now)
		if err != nil {
			return err
		}
		if !asked {
			r.Members++
		}
	}
	return nil
}

// reopenDirect adds actor to an existing direct room, and sends a request to everybody else who
// has left it.
func (repo *Repository) reopenDirect(
	ctx context.Context, t *store.Tx, room, actor string, users map[string]domain.UserRef, now time.Time,
) error {
	r, err := ByID(ctx, t, room, t.ForUpdate())
	if err != nil {
		return err
	}
	in, err := memberIDs(ctx, t, room)
	if err != nil {
		return err
	}
	if !slices.Contains(in, actor) {
		if err := repo.admit(ctx, t, r, users[actor], now); err != nil {
			return err
		}
	}
	if r.Archived {
		if err := Archive(ctx, t, room, false); err != nil {
			return err
		}
	}
	for id, u := range users {
		if id == actor || slices.Contains(in, id) {
			continue
		}
		if err := insertRequest(ctx, t, room, actor, u, now); err != nil &&
			domain.CodeOf(err) != domain.CodeAlreadyAsked {
			return err
		}
	}
	return nil
}

// UpdateRoom changes a room. Each kind of change needs its own permission.
func (repo *Repository) UpdateRoom(
	ctx context.Context, actor, room string, c domain.RoomChange, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, m, err := LockAndAuthorize(ctx, t, room, actor, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		if err := authorizeChange(r, m, c, now); err != nil {
			return err
		}
		updated := domain.RoomUpdatedPayload{Name: c.Name, Topic: c.Topic, Archived: c.Archived, Keep: c.Keep,
			Previews: c.Previews, Hides: c.Hides, Screening: c.Screening}
		if c.Name != nil {
			r.Name = *c.Name
		}
		if c.Topic != nil {
			r.Topic = *c.Topic
		}
		if c.Kind != nil {
			r.Kind, updated.Kind = *c.Kind, *c.Kind
		}
		if c.Archived != nil {
			r.Archived = *c.Archived
		}
		if c.Previews != nil {
			r.Previews = *c.Previews
		}
		if c.Hides != nil {
			r.Hides = *c.Hides
		}
		if c.Screening != nil {
			r.Screening = *c.Screening
		}
		if c.Look != nil {
			r.Look = r.Look.With(*c.Look)
			if err := keepPicture(ctx, t, r, *c.Look, now); err != nil {
				return err
			}
			updated.Look = &r.Look
		}
		if r.Hides && r.Kind == domain.PublicRoom {
			return errPublicHides(c)
		}
		t.Invalidate()
		_, err = t.ExecContext(ctx, `UPDATE rooms SET name = $2, topic = $3, kind = $4, archived = $5, previews = $6,
			hides_history = $7, colour = $8, emoji = $9, avatar = $10, screen_rough = $11, screen_spam = $12 WHERE id = $1`,
			room, r.Name, r.Topic, r.Kind, r.Archived, r.Previews, r.Hides, r.Look.Colour, r.Look.Emoji, r.Look.Avatar,
			r.Screening.Rough, r.Screening.Spam)
		if err != nil {
			return err
		}
		if err := naming.FoldRoom(ctx, t, room); err != nil {
			return err
		}
		if c.Keep != nil {
			if err := setRetention(ctx, t, room, *c.Keep); err != nil {
				return err
			}
		}
		e = domain.Event{Room: room, Type: domain.RoomUpdated, Actor: m.User, At: now, Payload: updated}
		return roomlog.Append(ctx, t, &e, nil)
	})
	return e, err
}

// keepPicture has the room r, as it is after the change c, refer to the file of its picture and to no other.
func keepPicture(ctx context.Context, t *store.Tx, r domain.Room, c domain.LookChange, now time.Time) error {
	switch {
	case r.Look.Avatar == "":
		return accounts.ReferAvatar(ctx, t, r.ID, "", now)
	case c.Picture != nil:
		return accounts.ReferAvatar(ctx, t, r.ID, *c.Picture, now)
	}
	return nil
}

// errPublicHides refuses the change c, after which a public room would hide its history: whoever can read it from the
// directory on cannot be kept from it.
func errPublicHides(c domain.RoomChange) error {
	if c.Hides != nil {
		return domain.InvalidField("/hides_history",
			"a public room shows its whole history to whoever joins; only a private room can hide it")
	}
	return domain.InvalidField("/kind",
		"this room hides its history from new members; have it show all of it before it becomes public")
}

func authorizeChange(r domain.Room, m domain.Member, c domain.RoomChange, now time.Time) error {
	if c.Archived != nil {
		if err := domain.Allow(r, m, domain.ArchiveRoom, now); err != nil {
			return err
		}
		r.Archived = false // reopening and changing in one request is allowed
	}
	if c.Name != nil || c.Topic != nil || c.Look != nil {
		if err := domain.Allow(r, m, domain.UpdateRoom, now); err != nil {
			return err
		}
	}
	if c.Keep != nil {
		if err := domain.Allow(r, m, domain.SetRetention, now); err != nil {
			return err
		}
	}
	if c.Previews != nil {
		if err := domain.Allow(r, m, domain.SetPreviews, now); err != nil {
			return err
		}
	}
	if c.Hides != nil {
		if err := domain.Allow(r, m, domain.SetHistory, now); err != nil {
			return err
		}
	}
	if c.Screening != nil {
		if err := domain.Allow(r, m, domain.SetScreening, now); err != nil {
			return err
		}
	}
	if c.Kind != nil {
		return domain.Allow(r, m, domain.SetVisibility, now)
	}
	return nil
}

// DeleteRoom deletes a room and returns the ids of its members. Nobody can see the room from then
// on. Its log is deleted in steps by messages.PurgeDeleted, so that a large one does not hold up
// other writes.
func (repo *Repository) DeleteRoom(
	ctx context.Context, actor, room string, now time.Time,
) (members []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, _, err := LockAndAuthorize(ctx, t, room, actor, domain.DeleteRoom, now)
		if err != nil {
			return err
		}
		members, err = deleteRoom(ctx, t, r)
		return err
	})
	return members, err
}

func deleteRoom(ctx context.Context, t *store.Tx, r domain.Room) (members []string, err error) {
	if !r.HeldAt.IsZero() {
		return nil, domain.Conflict.Errorf(domain.CodeRoomHeld,
			"this room is under a legal hold and can't be deleted; ask an administrator")
	}
	if members, err = memberIDs(ctx, t, r.ID); err != nil {
		return nil, err
	}
	for _, table := range []string{"members", "invites", "bans", "room_requests"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1`, r.ID); err != nil {
			return nil, err
		}
	}
	if err := accounts.ReferAvatar(ctx, t, r.ID, "", time.Now()); err != nil {
		return nil, err
	}
	t.Invalidate()
	_, err = t.ExecContext(ctx, `UPDATE rooms SET kind = 'gone', name = '', topic = '', colour = '', emoji = '', avatar = '',
		members = 0, direct_key = NULL WHERE id = $1`, r.ID)
	return members, err
}

// PublicRooms lists public rooms whose name or topic contains q, by name. after is the id of the
// last room of the page before. joined says which of them user is a member of.
func (repo *Repository) PublicRooms(
	ctx context.Context, user, q, after string, limit int,
) (rooms []domain.Room, joined map[string]bool, err error) {
	like, some := naming.SubstringPattern(q)
	if !some {
		return nil, nil, nil
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT `+Columns+` FROM rooms r
		WHERE r.kind = 'public' AND NOT r.archived
		AND ($1 = '' OR r.folded LIKE $2 ESCAPE '\')
		AND ($3 = '' OR (lower(r.name), r.id) > (SELECT lower(a.name), a.id FROM rooms a WHERE a.id = $3))
		ORDER BY lower(r.name), r.id LIMIT $4`, q, like, after, limit)
	if err != nil {
		return nil, nil, err
	}
	if rooms, err = store.Collect(rows, Scan); err != nil || len(rooms) == 0 {
		return rooms, nil, err
	}
	ids := []any{user}
	for _, r := range rooms {
		ids = append(ids, r.ID)
	}
	rows, err = repo.db.QueryContext(ctx, `SELECT room_id FROM members WHERE user_id = $1 AND room_id IN (`+
		store.Placeholders(2, len(rooms))+`)`, ids...)
	if err != nil {
		return nil, nil, err
	}
	in, err := store.Collect(rows, store.ScanString)
	joined = make(map[string]bool, len(in))
	for _, id := range in {
		joined[id] = true
	}
	return rooms, joined, err
}

// Archive archives a room or reopens it.
func Archive(ctx context.Context, t *store.Tx, room string, archived bool) error {
	t.Invalidate()
	_, err := t.ExecContext(ctx, `UPDATE rooms SET archived = $2 WHERE id = $1`, room, archived)
	return err
}
