package messages

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/files"
	"github.com/unhidra/unhidra/internal/store/notifications"
	"github.com/unhidra/unhidra/internal/store/previews"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
	"github.com/unhidra/unhidra/internal/store/search"
)

// messageTables are the tables with rows of messages besides the log. Purging a message deletes
// its rows in them.
var messageTables = []string{
	"versions", "mentions", "reactions", "pins", "polls", "poll_votes", "message_reports", "saved_messages", "reminders",
	"forwards", "assistant_answers",
}

// Purgeable lists rooms, in the order of their ids and after a given one, that
// have something left and are under no legal hold, and those that were deleted.
func (repo *Repository) Purgeable(ctx context.Context, after string, limit int) ([]domain.Purgeable, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT r.id, r.kind = 'gone', r.floor, r.head, r.keep_days, r.keep_lines,
		COALESCE((SELECT e.at FROM events e WHERE e.room_id = r.id AND e.seq = r.floor + 1), 0)
		FROM rooms r WHERE r.id > $1 AND (r.head > r.floor OR r.kind = 'gone') AND r.held_at = 0 ORDER BY r.id
		LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (p domain.Purgeable, err error) {
		var days, lines sql.NullInt64
		var oldest int64
		err = rows.Scan(&p.Room, &p.Deleted, &p.Floor, &p.Head, &days, &lines, &oldest)
		p.Keep, p.Oldest = rooms.ParseRetention(days, lines), store.Time(oldest)
		return p, err
	})
}

// NthNewestLine returns the number of the newest line of the main timeline of room that so many newer
// ones follow; 0 if there is none.
func (repo *Repository) NthNewestLine(ctx context.Context, room string, lines int) (seq int64, err error) {
	err = repo.db.QueryRowContext(ctx,
		`SELECT COALESCE((SELECT seq FROM events WHERE room_id = $1 AND `+roomlog.MainLines+` ORDER BY seq DESC
			LIMIT 1 OFFSET $2), 0)`,
		room, lines).Scan(&seq)
	return seq, err
}

// Purge forgets the oldest events of room, with all that belongs to them. It is
// one small step: it takes the first events of the log in their order and ends
// with the first that stays, so that what is kept has no gaps. Several nodes may
// do this at once. A room under a legal hold loses nothing.
func (repo *Repository) Purge(ctx context.Context, room string, step domain.PurgeStep) (p domain.Purged, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		p = domain.Purged{}
		// The lock keeps edits of what goes away, and appends for the time of a step.
		r, err := rooms.ByID(ctx, t, room, t.ForUpdate())
		if err != nil {
			return err
		}
		p.Floor = r.Floor
		if !r.HeldAt.IsZero() {
			return nil
		}
		if p.Events, err = countPurgeable(ctx, t, r, step); err != nil || p.Events == 0 {
			return err
		}
		p.Floor += int64(p.Events) // the log has no gaps
		p.More = p.Events == step.Limit
		return deleteUpTo(ctx, t, room, p.Floor)
	})
	return p, err
}

// PurgeDeleted deletes the oldest events of a deleted room, at most limit, and with the last one
// the room itself. Several nodes may call it concurrently.
func (repo *Repository) PurgeDeleted(ctx context.Context, room string, limit int) (p domain.Purged, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		p = domain.Purged{}
		var floor, head int64
		err := t.QueryRowContext(ctx, `SELECT floor, head FROM rooms WHERE id = $1 AND kind = 'gone'`+t.ForUpdate(),
			room).Scan(&floor, &head)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		p.Floor = min(floor+int64(limit), head) // the log has no gaps
		p.Events, p.More = int(p.Floor-floor), p.Floor < head
		if err := deleteUpTo(ctx, t, room, p.Floor); err != nil || p.More {
			return err
		}
		if err := previews.DropFaces(ctx, t, room, time.Now()); err != nil {
			return err
		}
		t.Invalidate()
		_, err = t.ExecContext(ctx, `DELETE FROM rooms WHERE id = $1`, room)
		return err
	})
	return p, err
}

// countPurgeable counts the events that a step may purge.
func countPurgeable(ctx context.Context, t *store.Tx, r domain.Room, step domain.PurgeStep) (n int, err error) {
	rows, err := t.QueryContext(ctx, `SELECT seq, at FROM events WHERE room_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`,
		r.ID, r.Floor, step.Limit)
	if err != nil {
		return 0, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var seq, when int64
		if err := rows.Scan(&seq, &when); err != nil {
			return 0, err
		}
		if !step.Matches(seq, store.Time(when)) {
			break
		}
		n++
	}
	return n, rows.Err()
}

// deleteUpTo deletes the events of a room up to a number, with everything that belongs to them.
func deleteUpTo(ctx context.Context, t *store.Tx, room string, to int64) error {
	if err := search.DeleteUpTo(ctx, t, room, to); err != nil {
		return err
	}
	if err := files.DropUpTo(ctx, t, room, to, time.Now()); err != nil {
		return err
	}
	if err := previews.DropUpTo(ctx, t, room, to, time.Now()); err != nil {
		return err
	}
	if err := notifications.DropUpTo(ctx, t, room, to); err != nil {
		return err
	}
	for _, table := range messageTables {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE room_id = $1 AND seq <= $2`, room, to); err != nil {
			return err
		}
	}
	// One that has not ended goes when it does.
	_, err := t.ExecContext(ctx, `DELETE FROM commands WHERE room_id = $1 AND room_id <> '' AND seq <= $2 AND due_at = 0`,
		room, to)
	if err != nil {
		return err
	}
	// Those of its devices go with what a group was told, or when they end.
	for _, what := range []string{`commands WHERE due_at = 0 AND batch_id IN (SELECT id FROM command_batches
		WHERE room_id = $1 AND room_id <> '' AND seq <= $2)`, `command_batches WHERE room_id = $1 AND room_id <> '' AND seq <= $2`} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+what, room, to); err != nil {
			return err
		}
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM events WHERE room_id = $1 AND seq <= $2`, room, to); err != nil {
		return err
	}
	// A thread whose first message is gone lasts as long as its replies.
	_, err = t.ExecContext(ctx, `DELETE FROM thread_marks WHERE room_id = $1 AND root <= $2 AND NOT EXISTS (SELECT 1
		FROM events e WHERE e.room_id = $1 AND e.thread = thread_marks.root AND e.deleted_at = 0)`, room, to)
	if err != nil {
		return err
	}
	t.Invalidate()
	if _, err := t.ExecContext(ctx, `UPDATE rooms SET floor = $2 WHERE id = $1`, room, to); err != nil {
		return err
	}
	return search.LowerHead(ctx, t)
}

// EraseUser deletes the mentions of a user, their reactions and votes, and which threads they follow.
func EraseUser(ctx context.Context, t *store.Tx, user string) error {
	for _, table := range []string{"mentions", "reactions", "poll_votes", "thread_marks"} {
		if _, err := t.ExecContext(ctx, `DELETE FROM `+table+` WHERE user_id = $1`, user); err != nil {
			return err
		}
	}
	return nil
}
