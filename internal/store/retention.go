package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// besides are the tables, beside the log itself, that hold something of a
// message under its room and number, and lose it when the message goes.
var besides = []string{"versions", "mentions"}

// Purgeable lists rooms, in the order of their ids and after a given one, that
// have something left and are under no legal hold, and those that were deleted.
func (db *DB) Purgeable(ctx context.Context, after string, limit int) ([]domain.Purgeable, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT r.id, r.kind = 'gone', r.floor, r.head, r.keep_days, r.keep_lines,
		COALESCE((SELECT e.at FROM events e WHERE e.room_id = r.id AND e.seq = r.floor + 1), 0)
		FROM rooms r WHERE r.id > $1 AND (r.head > r.floor OR r.kind = 'gone') AND r.held_at = 0 ORDER BY r.id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (p domain.Purgeable, err error) {
		var days, lines sql.NullInt64
		var oldest int64
		err = rows.Scan(&p.Room, &p.Deleted, &p.Floor, &p.Head, &days, &lines, &oldest)
		p.Keep, p.Oldest = keepOf(days, lines), at(oldest)
		return p, err
	})
}

// LineBefore returns the number of the newest line of room that so many newer
// ones follow; 0 if there is none.
func (db *DB) LineBefore(ctx context.Context, room string, lines int) (seq int64, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT COALESCE((SELECT seq FROM events WHERE room_id = $1 AND target IS NULL ORDER BY seq DESC LIMIT 1 OFFSET $2), 0)`,
		room, lines).Scan(&seq)
	return seq, err
}

// Purge forgets the oldest events of room, with all that belongs to them. It is
// one small step: it takes the first events of the log in their order and ends
// with the first that stays, so that what is kept has no gaps. Several nodes may
// do this at once. A room under a legal hold loses nothing.
func (db *DB) Purge(ctx context.Context, room string, step domain.PurgeStep) (p domain.Purged, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		p = domain.Purged{}
		// The lock keeps edits of what goes away, and appends for the time of a step.
		r, err := roomByID(ctx, t, room, t.d.forUpdate)
		if err != nil {
			return err
		}
		p.Floor = r.Floor
		if !r.HeldAt.IsZero() {
			return nil
		}
		if p.Events, err = t.oldest(ctx, r, step); err != nil || p.Events == 0 {
			return err
		}
		p.Floor += int64(p.Events) // the log has no gaps
		p.More = p.Events == step.Limit
		return t.forget(ctx, room, p.Floor)
	})
	return p, err
}

// Forget forgets the oldest events of a deleted room, at most limit of them, and
// with the last one the room. Several nodes may do this at once.
func (db *DB) Forget(ctx context.Context, room string, limit int) (p domain.Purged, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		p = domain.Purged{}
		var floor, head int64
		err := t.QueryRowContext(ctx, `SELECT floor, head FROM rooms WHERE id = $1 AND kind = 'gone'`+t.d.forUpdate, room).Scan(&floor, &head)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		p.Floor = min(floor+int64(limit), head) // the log has no gaps
		p.Events, p.More = int(p.Floor-floor), p.Floor < head
		if err := t.forget(ctx, room, p.Floor); err != nil || p.More {
			return err
		}
		_, err = t.ExecContext(ctx, `DELETE FROM rooms WHERE id = $1`, room)
		return err
	})
	return p, err
}

// oldest counts the events that a step may forget.
func (t *tx) oldest(ctx context.Context, r domain.Room, step domain.PurgeStep) (n int, err error) {
	rows, err := t.QueryContext(ctx, `SELECT seq, at FROM events WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, r.ID, r.Floor, step.Limit)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq, when int64
		if err := rows.Scan(&seq, &when); err != nil {
			return 0, err
		}
		if !step.Goes(seq, at(when)) {
			break
		}
		n++
	}
	return n, rows.Err()
}

// forget deletes what room's log holds up to a number.
func (t *tx) forget(ctx context.Context, room string, to int64) error {
	if err := t.unindexRoom(ctx, room, to); err != nil {
		return err
	}
	for _, table := range besides {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1 AND seq <= $2`, room, to); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM events WHERE room_id = $1 AND seq <= $2`, room, to); err != nil {
		return err
	}
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET floor = $2 WHERE id = $1`, room, to); err != nil {
		return err
	}
	return t.lowerSearchHead(ctx)
}

func (t *tx) setKeep(ctx context.Context, room string, k domain.KeepOf) error {
	var days, lines any
	if k.Own {
		days, lines = k.Days, k.Lines
	}
	_, err := t.ExecContext(ctx, `UPDATE rooms SET keep_days = $2, keep_lines = $3 WHERE id = $1`, room, days, lines)
	return err
}

// HoldRoom puts a legal hold on a room, or ends it, in the name of an
// administrator who need not be a member. Members are told by an event. What was
// kept for the record goes with the hold.
func (db *DB) HoldRoom(ctx context.Context, actor, room string, held bool, now time.Time) (e domain.Event, err error) {
	now = trim(now)
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		r, err := roomByID(ctx, t, room, t.d.forUpdate)
		if err != nil {
			return err
		}
		if held != r.HeldAt.IsZero() {
			return domain.Conflict.Errorf("hold_unchanged", "the legal hold on this room is like that already")
		}
		by, err := t.ref(ctx, actor)
		if err != nil {
			return err
		}
		since := time.Time{}
		if held {
			since = now
		} else if _, err := t.ExecContext(ctx, `DELETE FROM held_texts WHERE room_id = $1`, room); err != nil {
			return err
		}
		if _, err := t.ExecContext(ctx, `UPDATE rooms SET held_at = $2 WHERE id = $1`, room, ms(since)); err != nil {
			return err
		}
		e = domain.Event{Room: room, Type: domain.RoomUpdated, Actor: by, At: now, Detail: &domain.Detail{Held: &held}}
		return t.appendEvent(ctx, &e, nil)
	})
	return e, err
}

// hold keeps the texts of a message that is about to be deleted.
func (t *tx) hold(ctx context.Context, m *domain.Message, by string, now time.Time) error {
	_, err := t.ExecContext(ctx, `INSERT INTO held_texts (room_id, seq, version, text, at, by_id, deleted_at)
		SELECT room_id, seq, version, text, at, $3, $4 FROM versions WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq, by, ms(now))
	if err != nil {
		return err
	}
	written := m.At
	if !m.EditedAt.IsZero() {
		written = m.EditedAt
	}
	_, err = t.ExecContext(ctx, `INSERT INTO held_texts (room_id, seq, version, text, at, by_id, deleted_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		m.Room, m.Seq, m.Edits, m.Text, ms(written), by, ms(now))
	return err
}

// EarlierTexts lists what a message said before, after a version (-1: from the
// first on). Of a message that was deleted under a legal hold, that is all that it
// ever said.
func (db *DB) EarlierTexts(ctx context.Context, room string, seq int64, after, limit int) ([]domain.EarlierText, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT version, text, at, deleted_at, by_id, u.kind, u.username, u.display_name, u.avatar FROM (
			SELECT version, text, at, 0 AS deleted_at, NULL AS by_id FROM versions WHERE room_id = $1 AND seq = $2
			UNION ALL
			SELECT version, text, at, deleted_at, by_id FROM held_texts WHERE room_id = $1 AND seq = $2
		) AS texts LEFT JOIN users u ON u.id = by_id WHERE version > $3 ORDER BY version LIMIT $4`, room, seq, after, limit)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (t domain.EarlierText, err error) {
		var written, deleted int64
		var by nullRef
		err = rows.Scan(append([]any{&t.Version, &t.Text, &written, &deleted}, by.dest()...)...)
		t.At, t.DeletedAt, t.DeletedBy = at(written), at(deleted), by.ref()
		return t, err
	})
}
