package all

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// Contents counts what is in the database, and tells the head of every room. The answers are
// of one moment only if nobody writes meanwhile.
func (s *Store) Contents(ctx context.Context) (c domain.StoreContents, err error) {
	err = s.QueryRowContext(ctx, `SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM devices),
		(SELECT count(*) FROM events)`).
		Scan(&c.Users, &c.Devices, &c.Events)
	if err != nil {
		return c, err
	}
	rows, err := s.QueryContext(ctx, `SELECT id, head FROM rooms`)
	if err != nil {
		return c, err
	}
	heads, err := store.Collect(rows, func(rows *sql.Rows) (r roomlog.EventRef, err error) {
		err = rows.Scan(&r.Room, &r.Seq)
		return r, err
	})
	c.Heads = make(map[string]int64, len(heads))
	for _, h := range heads {
		c.Heads[h.Room] = h.Seq
	}
	return c, err
}
