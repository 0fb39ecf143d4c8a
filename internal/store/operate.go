package store

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// orders are what lists of rooms are sorted by: a column, and how to go on from
// the room before.
var orders = map[domain.RoomOrder]struct{ key, after, direction string }{
	domain.RoomsByName:     {"lower(r.name)", ">", "ASC"},
	domain.RoomsByActivity: {"r.last_at", "<", "DESC"},
	domain.RoomsBySize:     {"(r.head - r.floor)", "<", "DESC"},
}

// AllRooms lists rooms for administrators, whose name contains q, after the room
// with a given id. Direct conversations are nobody's business.
func (db *DB) AllRooms(ctx context.Context, q string, order domain.RoomOrder, after string, limit int) ([]domain.OwnedRoom, error) {
	o, ok := orders[order]
	if !ok {
		return nil, domain.InvalidField("?order", "%q is no order", order)
	}
	like, some := likeWithin(q)
	if !some {
		return nil, nil
	}
	place := strings.ReplaceAll(o.key, "r.", "a.")
	rows, err := db.read.QueryContext(ctx, `SELECT `+roomColumns+`, u.id, u.kind, u.username, u.display_name, u.avatar FROM rooms r
		LEFT JOIN members m ON m.room_id = r.id AND m.role = 'owner' LEFT JOIN users u ON u.id = m.user_id
		WHERE r.kind NOT IN ('direct', 'gone') AND ($1 = '' OR r.folded LIKE $2 ESCAPE '\')
		AND ($3 = '' OR (`+o.key+`, r.id) `+o.after+` (SELECT `+place+`, a.id FROM rooms a WHERE a.id = $3))
		ORDER BY `+o.key+` `+o.direction+`, r.id `+o.direction+` LIMIT $4`, q, like, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (r domain.OwnedRoom, err error) {
		var row roomRow
		var owner nullRef
		err = rows.Scan(append(row.dest(), owner.dest()...)...)
		r.Room, r.Owner = row.room(), owner.ref()
		return r, err
	})
}

// openRoom locks a room that administrators may act upon.
func (t *tx) openRoom(ctx context.Context, room string) (domain.Room, error) {
	r, err := roomByID(ctx, t, room, t.d.forUpdate)
	if err == nil && r.Kind == domain.DirectRoom {
		err = domain.ErrNoRoom()
	}
	return r, err
}

// ArchiveRoom archives a room or reopens it, for actor, who need not be in it.
// Its members read of that in its log. A room that is so already is left alone.
func (db *DB) ArchiveRoom(ctx context.Context, actor, room string, archived bool, now time.Time) error {
	now = trim(now)
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		r, err := t.openRoom(ctx, room)
		if err != nil || r.Archived == archived {
			return err
		}
		by, err := t.ref(ctx, actor)
		if err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE rooms SET archived = $2 WHERE id = $1`, room, archived); err != nil {
			return err
		}
		return t.appendEvent(ctx, &domain.Event{Room: room, Type: domain.RoomUpdated, Actor: by, At: now, Detail: &domain.Detail{Archived: &archived}}, nil)
	})
}

// RemoveRoom removes a room as DeleteRoom does, whoever asks.
func (db *DB) RemoveRoom(ctx context.Context, room string) (members []string, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, err := t.openRoom(ctx, room)
		if err != nil {
			return err
		}
		members, err = t.deleteRoom(ctx, r)
		return err
	})
	return members, err
}

// Mails returns what the queue of mails holds, and what was given up lately.
func (db *DB) Mails(ctx context.Context) (m domain.MailState, err error) {
	var oldest int64
	err = db.read.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN state = 'waiting' THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END), 0),
		COALESCE(MIN(CASE WHEN state = 'waiting' THEN created_at END), 0) FROM mails`).Scan(&m.Waiting, &m.Failed, &oldest)
	m.Oldest = at(oldest)
	return m, err
}

// AuditReceivers returns how far each receiver of the audit log has come.
func (db *DB) AuditReceivers(ctx context.Context) ([]domain.AuditReceiver, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT name, seq, dropped FROM audit_sinks ORDER BY name`)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (r domain.AuditReceiver, err error) {
		err = rows.Scan(&r.Name, &r.Seq, &r.Dropped)
		return r, err
	})
}
