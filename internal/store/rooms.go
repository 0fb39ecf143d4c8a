package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const roomColumns = `r.id, r.kind, r.name, r.topic, r.archived, r.head, r.members, r.created_at, r.last_at,
	r.floor, r.keep_days, r.keep_lines, r.held_at`

// roomRow is a room as the database has it.
type roomRow struct {
	domain.Room
	created, last, held int64
	days, lines         sql.NullInt64
}

func (r *roomRow) dest() []any {
	return []any{
		&r.ID, &r.Kind, &r.Name, &r.Topic, &r.Archived, &r.Head, &r.Members, &r.created, &r.last,
		&r.Floor, &r.days, &r.lines, &r.held,
	}
}

func (r *roomRow) room() domain.Room {
	r.CreatedAt, r.LastAt, r.HeldAt = at(r.created), at(r.last), at(r.held)
	r.Keep = keepOf(r.days, r.lines)
	return r.Room
}

func keepOf(days, lines sql.NullInt64) domain.KeepOf {
	return domain.KeepOf{Own: days.Valid, Retention: domain.Retention{Days: int(days.Int64), Lines: int(lines.Int64)}}
}

func scanRoom(rows *sql.Rows) (domain.Room, error) {
	var r roomRow
	err := rows.Scan(r.dest()...)
	return r.room(), err
}

// Room returns a room by its id, or domain.ErrNoRoom. It does not ask who wants
// to know.
func (db *DB) Room(ctx context.Context, room string) (domain.Room, error) {
	return roomByID(ctx, db.read, room, "")
}

func roomByID(ctx context.Context, q querier, room, lock string) (domain.Room, error) {
	rows, err := q.QueryContext(ctx, `SELECT `+roomColumns+` FROM rooms r WHERE r.id = $1 AND r.kind <> 'gone'`+lock, room)
	if err != nil {
		return domain.Room{}, err
	}
	found, err := collect(rows, scanRoom)
	if err != nil {
		return domain.Room{}, err
	}
	if len(found) == 0 {
		return domain.Room{}, domain.ErrNoRoom()
	}
	return found[0], nil
}

// Place returns a room and the user's place in it: the zero Member for someone
// who is none. No such room is domain.ErrNoRoom.
func (db *DB) Place(ctx context.Context, room, user string) (domain.Room, domain.Member, error) {
	r, err := roomByID(ctx, db.read, room, "")
	if err != nil {
		return r, domain.Member{}, err
	}
	m, err := memberOf(ctx, db.read, room, user)
	return r, m, err
}

// placeFor is Place inside a write: the room is locked, and p is checked.
func (t *tx) placeFor(ctx context.Context, room, user string, p domain.Permission, now time.Time) (domain.Room, domain.Member, error) {
	r, err := roomByID(ctx, t, room, t.d.forUpdate)
	if err != nil {
		return r, domain.Member{}, err
	}
	m, err := memberOf(ctx, t, room, user)
	if err != nil {
		return r, m, err
	}
	return r, m, domain.Allow(r, m, p, now)
}

// CreateRoom makes a room with actor as its owner, and n.Members in it, or asked
// whether they want to be. A direct room between the same people is made only once:
// asking again returns it, with created false, and takes back in who had left it.
func (db *DB) CreateRoom(ctx context.Context, actor string, n domain.NewRoom, now time.Time) (s domain.RoomState, created bool, err error) {
	now = trim(now)
	people := append([]string{actor}, n.Members...)
	slices.Sort(people)
	people = slices.Compact(people)
	id, made := "", false
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		users, err := t.refs(ctx, people)
		if err != nil {
			return err
		}
		if len(users) != len(people) {
			return domain.InvalidField("/members", "one of these people does not exist or is disabled")
		}
		for _, u := range users {
			if err := t.mayBring(ctx, domain.Member{User: domain.UserRef{ID: actor}}, u); err != nil {
				return err
			}
		}
		id, made = domain.NewID(domain.RoomPrefix), true
		var key any
		if n.Kind == domain.DirectRoom {
			key = strings.Join(people, " ")
			err := t.QueryRowContext(ctx, `SELECT id FROM rooms WHERE direct_key = $1`, key).Scan(&id)
			if err == nil {
				made = false
				return db.reopen(ctx, t, id, actor, users, now)
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if err := db.mayMake(ctx, t, actor); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `INSERT INTO rooms (id, kind, name, topic, direct_key, made_by, created_at, last_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)`,
			id, n.Kind, n.Name, n.Topic, key, actor, ms(now))
		if err != nil {
			return err
		}
		if err := t.foldRoom(ctx, id); err != nil {
			return err
		}
		return db.firstEvents(ctx, t, id, actor, n, users, now)
	})
	if unique, _ := db.dialect.conflict(err); unique && n.Kind == domain.DirectRoom {
		return db.CreateRoom(ctx, actor, n, now) // another server made it just now
	}
	if err != nil {
		return s, false, err
	}
	s, err = db.RoomState(ctx, actor, id)
	return s, made, err
}

// firstEvents opens a new room's log: it was created, and who is in it.
func (db *DB) firstEvents(ctx context.Context, t *tx, room, actor string, n domain.NewRoom, users map[string]domain.UserRef, now time.Time) error {
	detail := &domain.Detail{Kind: n.Kind}
	if n.Name != "" {
		detail.Name = &n.Name
	}
	if n.Topic != "" {
		detail.Topic = &n.Topic
	}
	err := t.appendEvent(ctx, &domain.Event{Room: room, Type: domain.RoomCreated, Actor: users[actor], At: now, Detail: detail}, nil)
	if err != nil {
		return err
	}
	owner := domain.Owner
	if n.Kind == domain.DirectRoom {
		owner = domain.Plain
	}
	r := domain.Room{ID: room, Kind: n.Kind}
	if err := db.mayEnter(ctx, t, r, users[actor]); err != nil {
		return err
	}
	if err := t.enter(ctx, room, users[actor], users[actor], owner, "", now); err != nil {
		return err
	}
	r.Members = 1
	for id, u := range users {
		if id == actor {
			continue
		}
		asked, err := db.bring(ctx, t, r, users[actor], u, now)
		if err != nil {
			return err
		}
		if !asked {
			r.Members++
		}
	}
	return nil
}

// reopen takes actor back into a direct room, and asks those who are not in it.
func (db *DB) reopen(ctx context.Context, t *tx, room, actor string, users map[string]domain.UserRef, now time.Time) error {
	r, err := roomByID(ctx, t, room, t.d.forUpdate)
	if err != nil {
		return err
	}
	in, err := memberIDs(ctx, t, room)
	if err != nil {
		return err
	}
	if !slices.Contains(in, actor) {
		if err := db.consent(ctx, t, r, users[actor], now); err != nil {
			return err
		}
	}
	if r.Archived {
		if _, err := t.ExecContext(ctx, `UPDATE rooms SET archived = FALSE WHERE id = $1`, room); err != nil {
			return err
		}
	}
	for id, u := range users {
		if id == actor || slices.Contains(in, id) {
			continue
		}
		if err := t.ask(ctx, room, actor, u, now); err != nil && domain.CodeOf(err) != "already_asked" {
			return err
		}
	}
	return nil
}

// refs returns the users of ids that exist and are not disabled.
func (t *tx) refs(ctx context.Context, ids []string) (map[string]domain.UserRef, error) {
	rows, err := t.QueryContext(ctx, `SELECT id, kind, username, display_name, avatar FROM users
		WHERE NOT disabled AND NOT pending AND id IN (`+holders(1, len(ids))+`)`, anys(ids)...)
	if err != nil {
		return nil, err
	}
	found, err := collect(rows, scanRef)
	if err != nil {
		return nil, err
	}
	byID := make(map[string]domain.UserRef, len(found))
	for _, u := range found {
		byID[u.ID] = u
	}
	return byID, nil
}

// ref returns one user as others see them, disabled or not.
func (t *tx) ref(ctx context.Context, id string) (domain.UserRef, error) {
	var n nullRef
	err := t.QueryRowContext(ctx, `SELECT id, kind, username, display_name, avatar FROM users WHERE id = $1`, id).Scan(n.dest()...)
	if errors.Is(err, sql.ErrNoRows) {
		return domain.UserRef{}, errNoUser()
	}
	return n.ref(), err
}

func errNoUser() error {
	return domain.NotFound.Errorf("no_user", "there is no such user")
}

func scanRef(rows *sql.Rows) (domain.UserRef, error) {
	var n nullRef
	err := rows.Scan(n.dest()...)
	return n.ref(), err
}

// UpdateRoom changes a room. Each kind of change needs its own permission.
func (db *DB) UpdateRoom(ctx context.Context, actor, room string, c domain.RoomChange, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, m, err := t.placeFor(ctx, room, actor, domain.ReadRoom, now)
		if err != nil {
			return err
		}
		if err := allowChange(r, m, c, now); err != nil {
			return err
		}
		detail := &domain.Detail{Name: c.Name, Topic: c.Topic, Archived: c.Archived, Keep: c.Keep}
		if c.Name != nil {
			r.Name = *c.Name
		}
		if c.Topic != nil {
			r.Topic = *c.Topic
		}
		if c.Kind != nil {
			r.Kind, detail.Kind = *c.Kind, *c.Kind
		}
		if c.Archived != nil {
			r.Archived = *c.Archived
		}
		_, err = t.ExecContext(ctx, `UPDATE rooms SET name = $2, topic = $3, kind = $4, archived = $5 WHERE id = $1`, room, r.Name, r.Topic, r.Kind, r.Archived)
		if err != nil {
			return err
		}
		if err := t.foldRoom(ctx, room); err != nil {
			return err
		}
		if c.Keep != nil {
			if err := t.setKeep(ctx, room, *c.Keep); err != nil {
				return err
			}
		}
		e = domain.Event{Room: room, Type: domain.RoomUpdated, Actor: m.User, At: now, Detail: detail}
		return t.appendEvent(ctx, &e, nil)
	})
	return e, err
}

func allowChange(r domain.Room, m domain.Member, c domain.RoomChange, now time.Time) error {
	if c.Archived != nil {
		if err := domain.Allow(r, m, domain.ArchiveRoom, now); err != nil {
			return err
		}
		r.Archived = false // whoever may archive may reopen and change at once
	}
	if c.Name != nil || c.Topic != nil {
		if err := domain.Allow(r, m, domain.UpdateRoom, now); err != nil {
			return err
		}
	}
	if c.Keep != nil {
		if err := domain.Allow(r, m, domain.SetRetention, now); err != nil {
			return err
		}
	}
	if c.Kind != nil {
		return domain.Allow(r, m, domain.SetVisibility, now)
	}
	return nil
}

// DeleteRoom deletes a room with all that was said in it, and returns the ids of
// those who were in it. From then on it is there for nobody; its log goes step by
// step, by Forget, so that a large one does not hold up every other write.
func (db *DB) DeleteRoom(ctx context.Context, actor, room string, now time.Time) (members []string, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, _, err := t.placeFor(ctx, room, actor, domain.DeleteRoom, now)
		if err != nil {
			return err
		}
		members, err = t.deleteRoom(ctx, r)
		return err
	})
	return members, err
}

func (t *tx) deleteRoom(ctx context.Context, r domain.Room) (members []string, err error) {
	if !r.HeldAt.IsZero() {
		return nil, domain.Conflict.Errorf("room_held", "an administrator has put this room under a legal hold; nothing of it may go")
	}
	if members, err = memberIDs(ctx, t, r.ID); err != nil {
		return nil, err
	}
	for _, table := range []string{"members", "invites", "bans", "room_requests"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1`, r.ID); err != nil {
			return nil, err
		}
	}
	_, err = t.ExecContext(ctx, `UPDATE rooms SET kind = 'gone', name = '', topic = '', members = 0, direct_key = NULL WHERE id = $1`, r.ID)
	return members, err
}

// PublicRooms lists public rooms whose name or topic contains q, by name. after
// is the id of the last room of the page before. joined tells which of them
// user is in.
func (db *DB) PublicRooms(ctx context.Context, user, q, after string, limit int) (rooms []domain.Room, joined map[string]bool, err error) {
	like, some := likeWithin(q)
	if !some {
		return nil, nil, nil
	}
	rows, err := db.read.QueryContext(ctx, `SELECT `+roomColumns+` FROM rooms r
		WHERE r.kind = 'public' AND NOT r.archived
		AND ($1 = '' OR r.folded LIKE $2 ESCAPE '\')
		AND ($3 = '' OR (lower(r.name), r.id) > (SELECT lower(a.name), a.id FROM rooms a WHERE a.id = $3))
		ORDER BY lower(r.name), r.id LIMIT $4`, q, like, after, limit)
	if err != nil {
		return nil, nil, err
	}
	if rooms, err = collect(rows, scanRoom); err != nil || len(rooms) == 0 {
		return rooms, nil, err
	}
	ids := []any{user}
	for _, r := range rooms {
		ids = append(ids, r.ID)
	}
	rows, err = db.read.QueryContext(ctx, `SELECT room_id FROM members WHERE user_id = $1 AND room_id IN (`+holders(2, len(rooms))+`)`, ids...)
	if err != nil {
		return nil, nil, err
	}
	in, err := collect(rows, scanString)
	joined = make(map[string]bool, len(in))
	for _, id := range in {
		joined[id] = true
	}
	return rooms, joined, err
}

func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

// Heads returns the last number of each of the rooms that still exist.
func (db *DB) Heads(ctx context.Context, rooms []string) (map[string]int64, error) {
	heads := make(map[string]int64, len(rooms))
	for part := range slices.Chunk(rooms, 500) {
		rows, err := db.read.QueryContext(ctx, `SELECT id, head FROM rooms WHERE kind <> 'gone' AND id IN (`+holders(1, len(part))+`)`, anys(part)...)
		if err != nil {
			return nil, err
		}
		found, err := collect(rows, func(rows *sql.Rows) (p roomSeq, err error) {
			err = rows.Scan(&p.room, &p.seq)
			return p, err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			heads[p.room] = p.seq
		}
	}
	return heads, nil
}
