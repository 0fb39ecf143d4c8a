package personal

import (
	"context"
	"database/sql"
	"math"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
	"github.com/unhidra/unhidra/internal/store/rooms"
)

// Save keeps a message for user, who must be allowed to read its room. changed is false if it is saved already.
func (repo *Repository) Save(
	ctx context.Context, user, room string, seq int64, now time.Time,
) (changed bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		changed = false
		_, v, err := rooms.Readable(ctx, t, user, room, now)
		if err != nil {
			return err
		}
		if err := roomlog.RequireMessage(ctx, t, v, seq); err != nil {
			return err
		}
		if err := lock(ctx, t, user); err != nil {
			return err
		}
		var saved, all int
		err = t.QueryRowContext(ctx, `SELECT COUNT(*),
				COALESCE(SUM(CASE WHEN room_id = $2 AND seq = $3 THEN 1 ELSE 0 END), 0)
			FROM saved_messages WHERE user_id = $1`, user, room, seq).Scan(&all, &saved)
		if err != nil || saved > 0 {
			return err
		}
		if all >= domain.MaxSaved {
			return domain.Conflict.Errorf(domain.CodeTooManySaved,
				"you have saved %d messages, as many as one person can; take one off the list first", all)
		}
		changed = true
		_, err = t.ExecContext(ctx, `INSERT INTO saved_messages (user_id, room_id, seq, at) VALUES ($1, $2, $3, $4)`, user,
			room, seq, store.Millis(now))
		return err
	})
	return changed, err
}

// Unsave takes a message off the saved ones of user, who must be allowed to read its room. changed is false if it is
// not saved.
func (repo *Repository) Unsave(
	ctx context.Context, user, room string, seq int64, now time.Time,
) (changed bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		changed = false
		if _, _, err := rooms.Readable(ctx, t, user, room, now); err != nil {
			return err
		}
		done, err := t.ExecContext(ctx, `DELETE FROM saved_messages WHERE user_id = $1 AND room_id = $2 AND seq = $3`, user,
			room, seq)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		changed = n > 0
		return err
	})
	return changed, err
}

// saved are the saved messages of the user $1 that are still there and that they see, in rooms of which they are a
// member.
const saved = ` FROM saved_messages s JOIN members m ON m.room_id = s.room_id AND m.user_id = s.user_id
	AND m.since < s.seq JOIN rooms r ON r.id = s.room_id AND r.kind <> 'gone'
	JOIN events e ON e.room_id = s.room_id AND e.seq = s.seq AND e.deleted_at = 0
	WHERE s.user_id = $1`

// Saved returns saved messages of user, the one that was saved last first. Those of rooms in which the user is no
// longer are left out, and so are deleted ones and those from before they joined.
func (repo *Repository) Saved(
	ctx context.Context, user string, c domain.SavedCursor, limit int,
) ([]domain.Saved, error) {
	if c.At == 0 {
		c.At = math.MaxInt64
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT e.pos, s.room_id, s.seq, s.at`+saved+`
		AND (s.at, s.room_id, s.seq) < ($2, $3, $4) ORDER BY s.at DESC, s.room_id DESC, s.seq DESC LIMIT $5`, user, c.At,
		c.Room, c.Seq, limit)
	if err != nil {
		return nil, err
	}
	var positions []int64
	all, err := store.Collect(rows, func(rows *sql.Rows) (s domain.Saved, err error) {
		var pos, at int64
		err = rows.Scan(&pos, &s.Message.Room, &s.Message.Seq, &at)
		s.At, positions = store.Time(at), append(positions, pos)
		return s, err
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	messages, err := repo.messagesAt(ctx, user, positions)
	if err != nil {
		return nil, err
	}
	there := all[:0]
	for _, s := range all {
		if m := messages[place{s.Message.Room, s.Message.Seq}]; m != nil {
			there = append(there, domain.Saved{Message: *m, At: s.At})
		}
	}
	return there, nil
}

// A place is where a message stands.
type place struct {
	room string
	seq  int64
}

// messagesAt reads messages by their positions, as user sees them. One that went since then is left out.
func (repo *Repository) messagesAt(
	ctx context.Context, user string, positions []int64,
) (map[place]*domain.Message, error) {
	var all []*domain.Message
	messages := make(map[place]*domain.Message, len(positions))
	for some := range store.Chunks(positions) {
		found, err := roomlog.Where(ctx, repo.db, domain.View{}, `e.pos IN (`+store.Placeholders(1, len(some))+`)`,
			store.Args(some)...)
		if err != nil {
			return nil, err
		}
		for _, e := range found {
			if e.Message != nil && e.Message.DeletedAt.IsZero() {
				messages[place{e.Room, e.Seq}] = e.Message
				all = append(all, e.Message)
			}
		}
	}
	return messages, roomlog.HideFor(ctx, repo.db, user, all)
}

// SavedIn returns the numbers of the messages of a room that user has saved.
func (repo *Repository) SavedIn(ctx context.Context, user, room string, now time.Time) ([]int64, error) {
	if _, _, err := rooms.Readable(ctx, repo.db, user, room, now); err != nil {
		return nil, err
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT s.seq`+saved+` AND s.room_id = $2 ORDER BY s.seq`, user, room)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, store.ScanInt64)
}
