package roomlog

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// Pins returns the pinned messages of a room that v shows, the one that was pinned last first.
func (repo *Repository) Pins(ctx context.Context, v domain.View) ([]domain.Pin, error) {
	rows, err := repo.db.QueryContext(ctx, `SELECT p.seq, p.at, p.event, u.id, u.kind, u.username, u.display_name, u.avatar
		FROM pins p JOIN users u ON u.id = p.user_id WHERE p.room_id = $1 AND p.seq > $2 ORDER BY p.event DESC`, v.Room,
		v.Since)
	if err != nil {
		return nil, err
	}
	pins, err := store.Collect(rows, func(rows *sql.Rows) (p domain.Pin, err error) {
		var at int64
		var by accounts.RefRow
		err = rows.Scan(append([]any{&p.Message.Seq, &at, &p.Seq}, by.Dest()...)...)
		p.At, p.By = store.Time(at), by.Ref()
		return p, err
	})
	if err != nil || len(pins) == 0 {
		return nil, err
	}
	seqs := make([]int64, len(pins))
	for i, p := range pins {
		seqs[i] = p.Message.Seq
	}
	found, err := Where(ctx, repo.db, v, `e.room_id = $1 AND e.seq IN (`+store.Placeholders(2, len(seqs))+`)`,
		append([]any{v.Room}, store.Args(seqs)...)...)
	if err != nil {
		return nil, err
	}
	bySeq := make(map[int64]*domain.Message, len(found))
	for _, e := range found {
		bySeq[e.Seq] = e.Message
	}
	there := pins[:0]
	for _, p := range pins {
		if m := bySeq[p.Message.Seq]; m != nil && m.DeletedAt.IsZero() { // it may go between the two queries
			p.Message = *m
			there = append(there, p)
		}
	}
	return there, nil
}
