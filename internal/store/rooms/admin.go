package rooms

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
	"github.com/unhidra/unhidra/internal/store/naming"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// sortOrders are the sort orders of AllRooms: the sort key, the comparison with the last room of
// the page before, and the direction.
var sortOrders = map[domain.RoomOrder]struct{ key, after, direction string }{
	domain.RoomsByName:     {"lower(r.name)", ">", "ASC"},
	domain.RoomsByActivity: {"r.last_at", "<", "DESC"},
	domain.RoomsBySize:     {"(r.head - r.floor)", "<", "DESC"},
}

// AllRooms lists the rooms whose name contains q, for administrators. after is the id of the last
// room of the page before. Direct rooms are not listed.
func (repo *Repository) AllRooms(
	ctx context.Context, q string, order domain.RoomOrder, after string, limit int,
) ([]domain.OwnedRoom, error) {
	o, ok := sortOrders[order]
	if !ok {
		return nil, domain.InvalidField("?order", "%q is no order", order)
	}
	like, some := naming.SubstringPattern(q)
	if !some {
		return nil, nil
	}
	afterKey := strings.ReplaceAll(o.key, "r.", "a.")
	rows, err := repo.db.QueryContext(ctx, `SELECT `+Columns+
		`, u.id, u.kind, u.username, u.display_name, u.avatar FROM rooms r
		LEFT JOIN members m ON m.room_id = r.id AND m.role = 'owner' LEFT JOIN users u ON u.id = m.user_id
		WHERE r.kind NOT IN ('direct', 'gone') AND ($1 = '' OR r.folded LIKE $2 ESCAPE '\')
		AND ($3 = '' OR (`+o.key+`, r.id) `+o.after+` (SELECT `+afterKey+`, a.id FROM rooms a WHERE a.id = $3))
		ORDER BY `+o.key+` `+o.direction+`, r.id `+o.direction+` LIMIT $4`, q, like, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (r domain.OwnedRoom, err error) {
		var row Row
		var owner accounts.RefRow
		err = rows.Scan(append(row.Dest(), owner.Dest()...)...)
		r.Room, r.Owner = row.Value(), owner.Ref()
		return r, err
	})
}

// lockRoom locks a room that administrators may act on.
func lockRoom(ctx context.Context, t *store.Tx, room string) (domain.Room, error) {
	r, err := ByID(ctx, t, room, t.ForUpdate())
	if err == nil && r.Kind == domain.DirectRoom {
		err = domain.ErrNoRoom()
	}
	return r, err
}

// ArchiveRoom archives or reopens a room on behalf of actor, who need not be a member, and appends
// an event to its log. If nothing changes it does nothing.
func (repo *Repository) ArchiveRoom(ctx context.Context, actor, room string, archived bool, now time.Time) error {
	now = store.Trim(now)
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, err := lockRoom(ctx, t, room)
		if err != nil || r.Archived == archived {
			return err
		}
		by, err := accounts.Ref(ctx, t, actor)
		if err != nil {
			return err
		}
		if err := Archive(ctx, t, room, archived); err != nil {
			return err
		}
		return roomlog.Append(ctx, t, &domain.Event{Room: room, Type: domain.RoomUpdated, Actor: by, At: now,
			Payload: domain.RoomUpdatedPayload{Archived: &archived}}, nil)
	})
}

// RemoveRoom is DeleteRoom without a check of permissions.
func (repo *Repository) RemoveRoom(ctx context.Context, room string) (members []string, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, err := lockRoom(ctx, t, room)
		if err != nil {
			return err
		}
		members, err = deleteRoom(ctx, t, r)
		return err
	})
	return members, err
}

// HoldRoom places a legal hold on a room, or ends it, on behalf of an administrator, who need not
// be a member. It appends an event to the log. When the hold ends, the texts that were preserved
// for it are deleted.
func (repo *Repository) HoldRoom(
	ctx context.Context, actor, room string, held bool, now time.Time,
) (e domain.Event, err error) {
	now = store.Trim(now)
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		r, err := ByID(ctx, t, room, t.ForUpdate())
		if err != nil {
			return err
		}
		if held != r.HeldAt.IsZero() {
			return domain.Conflict.Errorf(domain.CodeHoldUnchanged, "nothing changed: this room %s", holdState(held))
		}
		by, err := accounts.Ref(ctx, t, actor)
		if err != nil {
			return err
		}
		since := time.Time{}
		if held {
			since = now
		} else if _, err := t.ExecContext(ctx, `DELETE FROM held_texts WHERE room_id = $1`, room); err != nil {
			return err
		} else if err := releaseFiles(ctx, t, room); err != nil {
			return err
		}
		t.Invalidate()
		if _, err := t.ExecContext(ctx, `UPDATE rooms SET held_at = $2 WHERE id = $1`, room,
			store.Millis(since)); err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.RoomUpdated, Actor: by, At: now,
			Payload: domain.RoomUpdatedPayload{Held: &held}}
		return roomlog.Append(ctx, t, &e, nil)
	})
	return e, err
}

func holdState(held bool) string {
	if held {
		return "is already under a legal hold"
	}
	return "is not under a legal hold"
}

// releaseFiles gives away the files of deleted messages that a legal hold has kept: they expire, unless another
// message has them.
func releaseFiles(ctx context.Context, t *store.Tx, room string) error {
	_, err := t.ExecContext(ctx, `UPDATE files SET state = $2, expires_at = 1 WHERE id IN (SELECT file_id FROM held_files
		WHERE room_id = $1) AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.file_id = files.id)
		AND NOT EXISTS (SELECT 1 FROM held_files h WHERE h.file_id = files.id AND h.room_id <> $1)`, room, domain.FileGone)
	if err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `DELETE FROM held_files WHERE room_id = $1`, room)
	return err
}
