package roomlog

import (
	"context"
	"database/sql"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
)

// HideFor takes out of messages of several rooms, which user may read, what they quote from before user joined.
func HideFor(ctx context.Context, q store.Queryer, user string, messages []*domain.Message) error {
	if !slices.ContainsFunc(messages, func(m *domain.Message) bool { return m.ReplyTo != nil }) {
		return nil
	}
	since, err := Narrow(ctx, q, user)
	if err != nil {
		return err
	}
	for _, m := range messages {
		domain.View{Room: m.Room, Since: since[m.Room]}.HideMessage(m)
	}
	return nil
}

// Narrow returns the rooms of which user does not see the whole log, and the last number there that they do not see.
func Narrow(ctx context.Context, q store.Queryer, user string) (map[string]int64, error) {
	rows, err := q.QueryContext(ctx, `SELECT room_id, since FROM members WHERE user_id = $1 AND since > 0`, user)
	if err != nil {
		return nil, err
	}
	views, err := store.Collect(rows, func(rows *sql.Rows) (v domain.View, err error) {
		err = rows.Scan(&v.Room, &v.Since)
		return v, err
	})
	since := make(map[string]int64, len(views))
	for _, v := range views {
		since[v.Room] = v.Since
	}
	return since, err
}
