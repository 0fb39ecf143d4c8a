package search

import (
	"context"
	"database/sql"
	"errors"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// Vectors of messages are in the table message_vectors, by the message's position. An edit deletes the vector of the
// text before, and a deletion that of the message, in its own transaction. Every transaction that writes vectors locks
// the row of vector_build, which numbers them; so whoever has read up to a number has missed none.

// vectorBatch is how many messages one step of the backfill takes, and vectorWindow how many positions one looks at.
const (
	vectorBatch  = 16
	vectorWindow = 500
)

const unvectored = `SELECT pos, (SELECT number FROM search_rooms s WHERE s.room_id = events.room_id), edits, text
	FROM events`

func scanText(rows *sql.Rows) (x domain.MessageText, err error) {
	return x, rows.Scan(&x.Pos, &x.Room, &x.Edits, &x.Text)
}

// BeginVectors prepares for the vectors of a model. Those of another are deleted. Messages without one are looked for
// from the newest on.
func (repo *Repository) BeginVectors(ctx context.Context, model string) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var was string
		if err := t.QueryRowContext(ctx, `SELECT model FROM vector_build`+t.ForUpdate()).Scan(&was); err != nil {
			return err
		}
		if was != model {
			if _, err := t.ExecContext(ctx, `DELETE FROM message_vectors`); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx,
			`UPDATE vector_build SET model = $1, todo = (SELECT COALESCE(max(pos), 0) FROM events)`, model)
		return err
	})
}

// LookAgain has the backfill look for messages without a vector from a position on, if it has passed that.
func (repo *Repository) LookAgain(ctx context.Context, pos int64) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		_, err := t.ExecContext(ctx, `UPDATE vector_build SET todo = $1 WHERE todo < $1`, pos)
		return err
	})
}

// TakeTexts returns messages without a vector, the newest first, for whoever makes their vectors now: nobody else gets
// them until BeginVectors. more says that there may be others.
func (repo *Repository) TakeTexts(ctx context.Context) (texts []domain.MessageText, more bool, err error) {
	var todo int64
	if err := repo.db.QueryRowContext(ctx, `SELECT todo FROM vector_build`).Scan(&todo); err != nil || todo == 0 {
		return nil, false, err
	}
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if err := t.QueryRowContext(ctx, `SELECT todo FROM vector_build`+t.ForUpdate()).Scan(&todo); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, unvectored+` WHERE pos > $1 AND pos <= $2 AND `+indexable+
			` AND NOT EXISTS (SELECT 1 FROM message_vectors v WHERE v.pos = events.pos) ORDER BY pos DESC LIMIT $3`,
			todo-vectorWindow, todo, vectorBatch)
		if err != nil {
			return err
		}
		if texts, err = store.Collect(rows, scanText); err != nil {
			return err
		}
		if todo = max(0, todo-vectorWindow); len(texts) == vectorBatch {
			todo = texts[vectorBatch-1].Pos - 1
		}
		more = todo > 0
		_, err = t.ExecContext(ctx, `UPDATE vector_build SET todo = $1`, todo)
		return err
	})
	return texts, more, err
}

// TextOf returns a message that may get a vector. ok is false if it is deleted, or none.
func (repo *Repository) TextOf(ctx context.Context, room string, seq int64) (x domain.MessageText, ok bool, err error) {
	err = repo.db.QueryRowContext(ctx, unvectored+` WHERE room_id = $1 AND seq = $2 AND `+indexable, room, seq).
		Scan(&x.Pos, &x.Room, &x.Edits, &x.Text)
	if errors.Is(err, sql.ErrNoRows) {
		return x, false, nil
	}
	return x, err == nil, err
}

// AddVectors stores vectors of messages. It leaves out those whose message was edited or deleted since its text was
// read, and those that have one.
func (repo *Repository) AddVectors(ctx context.Context, vectors []domain.MessageVector) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var change int64
		if err := t.QueryRowContext(ctx, `SELECT change FROM vector_build`+t.ForUpdate()).Scan(&change); err != nil {
			return err
		}
		for _, v := range vectors {
			var edits int64
			err := t.QueryRowContext(ctx, `SELECT edits FROM events WHERE pos = $1
				AND room_id = (SELECT room_id FROM search_rooms WHERE number = $2) AND `+indexable+t.ForUpdate(), v.Pos, v.Room).
				Scan(&edits)
			if errors.Is(err, sql.ErrNoRows) || err == nil && edits != v.Edits {
				continue
			}
			if err != nil {
				return err
			}
			change++
			if _, err := t.ExecContext(ctx, `INSERT INTO message_vectors (pos, room, change, code) VALUES ($1, $2, $3, $4)
				ON CONFLICT (pos) DO NOTHING`, v.Pos, v.Room, change, v.Code); err != nil {
				return err
			}
		}
		_, err := t.ExecContext(ctx, `UPDATE vector_build SET change = $1`, change)
		return err
	})
}

// Vectors returns how many vectors are in memory.
func (repo *Repository) Vectors() int {
	x := &repo.vectors
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.count
}
