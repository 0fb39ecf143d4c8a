package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Replay returns up to limit events of room after a number, in order, each with
// its message as it is now.
func (db *DB) Replay(ctx context.Context, room string, after int64, limit int) ([]domain.Event, error) {
	return eventsWhere(ctx, db.read, `e.room_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`, room, after, limit)
}

// Timeline returns a page of the lines of a room's timeline: everything but the
// events that change a line above. Its cost does not depend on the room's length.
func (db *DB) Timeline(ctx context.Context, room string, q domain.PageQuery) (domain.Page, error) {
	switch {
	case q.After > 0:
		return db.newer(ctx, room, q.After, q.Limit, q.Fold)
	case q.Around > 0:
		return db.around(ctx, room, q.Around, q.Limit, q.Fold)
	case !q.At.IsZero():
		seq, err := db.firstAt(ctx, room, q.At)
		if err != nil {
			return domain.Page{}, err
		}
		return db.around(ctx, room, seq, q.Limit, q.Fold)
	}
	return db.older(ctx, room, q.Before, q.Limit, q.Fold)
}

const latest = int64(1) << 62

func (db *DB) older(ctx context.Context, room string, before int64, limit int, fold bool) (domain.Page, error) {
	if before <= 0 {
		before = latest
	}
	events, err := linesWhere(ctx, db.read, `e.room_id = $1 AND e.seq < $2 ORDER BY e.seq DESC LIMIT $3`, room, before, limit+1)
	if err == nil && fold && foldable(events) {
		return db.folded(ctx, room, before, true, limit)
	}
	page := domain.Page{Older: len(events) > limit, Newer: before < latest}
	page.Events = events[:min(limit, len(events))]
	slices.Reverse(page.Events)
	return page, err
}

func (db *DB) newer(ctx context.Context, room string, after int64, limit int, fold bool) (domain.Page, error) {
	events, err := linesWhere(ctx, db.read, `e.room_id = $1 AND e.seq > $2 ORDER BY e.seq LIMIT $3`, room, after, limit+1)
	if err == nil && fold && foldable(events) {
		return db.folded(ctx, room, after, false, limit)
	}
	return domain.Page{Events: events[:min(limit, len(events))], Older: true, Newer: len(events) > limit}, err
}

func (db *DB) around(ctx context.Context, room string, seq int64, limit int, fold bool) (domain.Page, error) {
	before, err := db.older(ctx, room, seq, limit/2, fold)
	if err != nil {
		return before, err
	}
	from, err := db.newer(ctx, room, seq-1, limit-limit/2, fold)
	page := domain.Page{Events: append(before.Events, from.Events...), Older: before.Older, Newer: from.Newer, Folds: from.Folds}
	if page.Folds == nil {
		page.Folds = before.Folds
	} else {
		maps.Copy(page.Folds, before.Folds)
	}
	return page, err
}

// firstAt is the number from which on a room's lines are of the time or later. Times
// follow the numbers, but for what the clocks of servers differ by; so the log is
// halved until the place is found.
func (db *DB) firstAt(ctx context.Context, room string, from time.Time) (int64, error) {
	r, err := roomByID(ctx, db.read, room, "")
	low, high := r.Floor, r.Head+1 // before it; it, if nothing earlier is
	for err == nil && low+1 < high {
		middle := low + (high-low)/2
		var seq, when int64
		err = db.read.QueryRowContext(ctx, `SELECT seq, at FROM events WHERE room_id = $1 AND seq >= $2 AND target IS NULL ORDER BY seq LIMIT 1`,
			room, middle).Scan(&seq, &when)
		switch {
		case err == nil && when < ms(from):
			low = seq
		case err == nil || errors.Is(err, sql.ErrNoRows): // from the middle on all is later, or nothing is
			high, err = middle, nil
		}
	}
	return high, err
}
