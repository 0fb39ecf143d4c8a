package messages

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// insertForward writes what a new message forwards. The text of the message has the rest.
const insertForward = `INSERT INTO forwards (room_id, seq, from_room, from_seq, user_id, at, note, cut)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// forwardArgs are the arguments of insertForward.
func forwardArgs(m *domain.Message) []any {
	f := m.Forward
	return []any{m.Room, m.Seq, f.Room, f.Seq, f.Sender.ID, store.Millis(f.At), len(f.Note), f.Cut}
}

func deleteForward(ctx context.Context, t *store.Tx, room string, seq int64) error {
	_, err := t.ExecContext(ctx, `DELETE FROM forwards WHERE room_id = $1 AND seq = $2`, room, seq)
	return err
}
