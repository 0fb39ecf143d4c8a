package roomlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/accounts"
)

// An EventRef identifies an event by its room and sequence number.
type EventRef struct {
	Room string
	Seq  int64
}

// Replay returns up to limit events of v after a number, in order, each with
// its message as it is now.
func (repo *Repository) Replay(ctx context.Context, v domain.View, after int64, limit int) ([]domain.Event, error) {
	return Where(ctx, repo.db, v, `e.room_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`, v.Room, v.After(after), limit)
}

// Timeline returns a page of a room's timeline, of what v shows: all events but those that change an earlier one.
// Its cost does not depend on the length of the log.
func (repo *Repository) Timeline(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error) {
	switch {
	case q.After > 0:
		return repo.newer(ctx, v, q)
	case q.Around > 0:
		return repo.around(ctx, v, q)
	case !q.At.IsZero():
		seq, err := repo.firstSeqAt(ctx, v, q)
		if err != nil {
			return domain.Page{}, err
		}
		q.Around = seq
		return repo.around(ctx, v, q)
	}
	return repo.older(ctx, v, q)
}

const maxSeq = int64(1) << 62

func (repo *Repository) older(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error) {
	before, limit := q.Before, q.Limit
	if before <= 0 {
		before = maxSeq
	}
	events, err := linesWhere(ctx, repo.db, v, q.Main, `e.seq < $2 AND e.seq > $4 ORDER BY e.seq DESC LIMIT $3`, before,
		limit+1, v.Since)
	if err == nil && q.Fold && foldable(events) {
		return repo.foldedPage(ctx, v, before, true, q)
	}
	page := domain.Page{Older: len(events) > limit, Newer: before < maxSeq}
	page.Events = events[:min(limit, len(events))]
	slices.Reverse(page.Events)
	return page, err
}

func (repo *Repository) newer(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error) {
	events, err := linesWhere(ctx, repo.db, v, q.Main, `e.seq > $2 ORDER BY e.seq LIMIT $3`, v.After(q.After),
		q.Limit+1)
	if err == nil && q.Fold && foldable(events) {
		return repo.foldedPage(ctx, v, q.After, false, q)
	}
	page := domain.Page{Events: events[:min(q.Limit, len(events))], Older: q.After > v.Since,
		Newer: len(events) > q.Limit}
	return page, err
}

func (repo *Repository) around(ctx context.Context, v domain.View, q domain.PageQuery) (domain.Page, error) {
	half := q
	half.Before, half.Limit = q.Around, q.Limit/2
	before, err := repo.older(ctx, v, half)
	if err != nil {
		return before, err
	}
	half.After, half.Limit = q.Around-1, q.Limit-q.Limit/2
	from, err := repo.newer(ctx, v, half)
	page := domain.Page{Events: append(before.Events, from.Events...), Older: before.Older, Newer: from.Newer,
		Folds: from.Folds}
	if page.Folds == nil {
		page.Folds = before.Folds
	} else {
		maps.Copy(page.Folds, before.Folds)
	}
	return page, err
}

// firstSeqAt returns the number of the first line of v at the time of q or later, by binary search.
// Times increase with the numbers, except for the difference between the servers' clocks.
func (repo *Repository) firstSeqAt(ctx context.Context, v domain.View, q domain.PageQuery) (int64, error) {
	low, high, err := repo.seqRange(ctx, v.Room)
	low = v.After(low)
	high++ // invariant: the result is in (low, high]
	for err == nil && low+1 < high {
		middle := low + (high-low)/2
		var seq, when int64
		err = repo.db.QueryRowContext(ctx,
			`SELECT seq, at FROM events WHERE room_id = $1 AND seq >= $2 AND `+lines(q.Main)+` ORDER BY seq LIMIT 1`,
			v.Room, middle).Scan(&seq, &when)
		switch {
		case err == nil && when < store.Millis(q.At):
			low = seq
		case err == nil || errors.Is(err, sql.ErrNoRows): // all lines from the middle on are later, or there are none
			high, err = middle, nil
		}
	}
	return high, err
}

// seqRange returns the last purged number of room, and the last number.
func (repo *Repository) seqRange(ctx context.Context, room string) (floor, head int64, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT floor, head FROM rooms WHERE id = $1 AND kind <> 'gone'`, room).Scan(&floor,
		&head)
	if errors.Is(err, sql.ErrNoRows) {
		err = domain.ErrNoRoom()
	}
	return floor, head, err
}

// Message returns a message as it is now, or not_found, also if v does not show it.
func Message(ctx context.Context, q store.Queryer, v domain.View, seq int64) (*domain.Message, error) {
	if err := v.Require(seq); err != nil {
		return nil, err
	}
	events, err := Where(ctx, q, v, `e.room_id = $1 AND e.seq = $2 AND `+newMessages, v.Room, seq)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, domain.ErrNoMessage(seq)
	}
	return events[0].Message, nil
}

// Versions returns the earlier texts of a message, the oldest first.
func (repo *Repository) Versions(ctx context.Context, v domain.View, seq int64) ([]domain.Version, error) {
	if err := v.Require(seq); err != nil {
		return nil, err
	}
	rows, err := repo.db.QueryContext(ctx,
		`SELECT text, at FROM versions WHERE room_id = $1 AND seq = $2 ORDER BY version`, v.Room, seq)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (v domain.Version, err error) {
		var when int64
		err = rows.Scan(&v.Text, &when)
		v.At = store.Time(when)
		return v, err
	})
}

// MessageAt returns a message as it is now.
func (repo *Repository) MessageAt(ctx context.Context, v domain.View, seq int64) (domain.Message, error) {
	m, err := Message(ctx, repo.db, v, seq)
	if err != nil {
		return domain.Message{}, err
	}
	return *m, nil
}

// EarlierTexts lists the earlier texts of a message, after a version (-1: from the first on). For a
// message that was deleted under a legal hold these are all its texts.
func (repo *Repository) EarlierTexts(
	ctx context.Context, room string, seq int64, after, limit int,
) ([]domain.EarlierText, error) {
	rows, err := repo.db.QueryContext(ctx,
		`SELECT version, text, at, deleted_at, by_id, u.kind, u.username, u.display_name, u.avatar FROM (
			SELECT version, text, at, 0 AS deleted_at, NULL AS by_id FROM versions WHERE room_id = $1 AND seq = $2
			UNION ALL
			SELECT version, text, at, deleted_at, by_id FROM held_texts WHERE room_id = $1 AND seq = $2
		) AS texts LEFT JOIN users u ON u.id = by_id WHERE version > $3 ORDER BY version LIMIT $4`, room, seq, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (t domain.EarlierText, err error) {
		var written, deleted int64
		var by accounts.RefRow
		err = rows.Scan(append([]any{&t.Version, &t.Text, &written, &deleted}, by.Dest()...)...)
		t.At, t.DeletedAt, t.DeletedBy = store.Time(written), store.Time(deleted), by.Ref()
		return t, err
	})
}

// Heads returns the last number of each of the rooms that still exist.
func (repo *Repository) Heads(ctx context.Context, rooms []string) (map[string]int64, error) {
	heads := make(map[string]int64, len(rooms))
	for part := range slices.Chunk(rooms, 500) {
		rows, err := repo.db.QueryContext(ctx, `SELECT id, head FROM rooms WHERE kind <> 'gone' AND id IN (`+
			store.Placeholders(1, len(part))+`)`, store.Args(part)...)
		if err != nil {
			return nil, err
		}
		found, err := store.Collect(rows, func(rows *sql.Rows) (p EventRef, err error) {
			err = rows.Scan(&p.Room, &p.Seq)
			return p, err
		})
		if err != nil {
			return nil, err
		}
		for _, p := range found {
			heads[p.Room] = p.Seq
		}
	}
	return heads, nil
}

// Check fails if the log of any room has a gap between its floor and its head.
func (repo *Repository) Check(ctx context.Context) error {
	var room string
	err := repo.db.QueryRowContext(ctx,
		`SELECT COALESCE(MIN(id), '') FROM rooms r WHERE head <> (SELECT COALESCE(MAX(seq), r.floor) FROM events
			WHERE room_id = r.id)
		OR head - floor <> (SELECT COUNT(*) FROM events WHERE room_id = r.id)`).Scan(&room)
	if err != nil {
		return err
	}
	if room != "" {
		return fmt.Errorf("the log of room %s has a gap; restore a backup with `unhidra restore`", room)
	}
	return nil
}
