package roomlog

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// fillForwards reads what messages forward, with one query for each room.
func fillForwards(ctx context.Context, q store.Queryer, rows []Row) error {
	wanted := func(_ Row, m *domain.Message) bool {
		return m.ContentType == domain.ContentForward && m.DeletedAt.IsZero()
	}
	for room, messages := range byRoom(rows, wanted) {
		if err := forwardsOf(ctx, q, room, messages); err != nil {
			return err
		}
	}
	return nil
}

func forwardsOf(ctx context.Context, q store.Queryer, room string, messages map[int64][]*domain.Message) error {
	rows, err := q.QueryContext(ctx, `SELECT f.seq, f.from_room, f.from_seq, f.at, f.note, f.cut, u.id, u.kind, u.username,
			u.display_name, u.avatar FROM forwards f JOIN users u ON u.id = f.user_id
		WHERE f.room_id = $1 AND f.seq IN (`+store.Placeholders(2, len(messages))+`)`,
		append([]any{room}, seqsOf(messages)...)...)
	if err != nil {
		return err
	}
	_, err = store.Collect(rows, func(rows *sql.Rows) (f domain.Forward, err error) {
		var seq, at int64
		var note int
		var by accounts.RefRow
		err = rows.Scan(append([]any{&seq, &f.Room, &f.Seq, &at, &note, &f.Cut}, by.Dest()...)...)
		if err != nil {
			return f, err
		}
		f.At, f.Sender = store.Time(at), by.Ref()
		for _, m := range messages[seq] {
			copied := f
			domain.ReadForward(&copied, m.Text, note)
			m.Forward = &copied
		}
		return f, nil
	})
	return err
}
