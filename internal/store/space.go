package store

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	compactPages = 256  // given back to the disk in one step: 1 MiB
	sparePages   = 4096 // and this many, or a tenth of all, are left for what comes next
	incremental  = 2    // SQLite's auto_vacuum mode
)

// Use returns how much room the database takes.
func (db *DB) Use(ctx context.Context) (u domain.StoreUse, err error) {
	u = domain.StoreUse{Kind: db.dialect.name, Free: -1, Log: -1}
	if db.dialect == postgres {
		err = db.read.QueryRowContext(ctx, `SELECT pg_database_size(current_database()), (SELECT COALESCE(sum(n_dead_tup), 0) FROM pg_stat_user_tables),
			(SELECT COALESCE(sum(cardinality(pos)), 0) FROM unindexed) + (SELECT count(*) FROM search_outdated) + (SELECT todo FROM search_build)`).Scan(&u.Bytes, &u.DeadRows, &u.Unfound)
		return u, err
	}
	p, err := db.pages(ctx)
	u.Bytes, u.Free, u.Shrinks = p.all*p.size, p.free*p.size, p.mode == incremental
	if err == nil {
		err = db.read.QueryRowContext(ctx, `SELECT max(0, (SELECT COALESCE(max(pos), 0) FROM events) - head) + todo FROM search_build`).Scan(&u.Unfound)
	}
	if info, err := os.Stat(db.path + "-wal"); err == nil {
		u.Log = info.Size()
	}
	return u, err
}

// pages are what a SQLite file consists of.
type pages struct{ size, all, free, mode int64 }

func (db *DB) pages(ctx context.Context) (p pages, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT s.page_size, c.page_count, f.freelist_count, v.auto_vacuum
		FROM pragma_page_size() s, pragma_page_count() c, pragma_freelist_count() f, pragma_auto_vacuum() v`).Scan(&p.size, &p.all, &p.free, &p.mode)
	return p, err
}

// Compact gives some of what is free in a SQLite file back to the disk, in one
// small step, and reports whether there is more. PostgreSQL sees to itself.
func (db *DB) Compact(ctx context.Context) (more bool, err error) {
	if db.dialect == postgres {
		return false, nil
	}
	p, err := db.pages(ctx)
	if err != nil || p.mode != incremental || p.free <= max(sparePages, p.all/10) {
		return false, err
	}
	return true, db.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", compactPages))
		if err != nil {
			return err
		}
		_, err = collect(rows, func(*sql.Rows) (struct{}, error) { return struct{}{}, nil }) // a row for each page
		return err
	})
}

const sampled = 64 // messages of a room whose texts are measured

// RoomUse returns how much of a room is kept. Texts are measured in a sample, so
// that a room of millions costs what a small one does.
func (db *DB) RoomUse(ctx context.Context, r domain.Room) (u domain.RoomUse, err error) {
	if u.Events = r.Head - r.Floor; u.Events == 0 {
		return u, nil
	}
	args := []any{r.ID}
	for i := range min(sampled, u.Events) {
		args = append(args, r.Floor+1+i*u.Events/min(sampled, u.Events))
	}
	var n, bytes int64
	err = db.read.QueryRowContext(ctx, `SELECT count(*), COALESCE(sum(octet_length(text)), 0) FROM events WHERE room_id = $1 AND seq IN (`+holders(2, len(args)-1)+`)`,
		args...).Scan(&n, &bytes)
	if n > 0 {
		u.Text = bytes * u.Events / n
	}
	return u, err
}
