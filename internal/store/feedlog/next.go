package feedlog

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// maxNumbered is how many batches get their position in one transaction, on PostgreSQL.
const maxNumbered = 1000

// A batch is the events of one commit, which share a position in the feed.
type batch struct {
	pos    int64
	events []int64 // their positions in the log
}

// Next implements feed.Source. Deleted events are left out.
func (repo *Repository) Next(ctx context.Context, after int64, limit int) (page feed.Page[domain.Event], err error) {
	if !repo.db.SingleWriter() {
		if err := repo.assignPositions(ctx); err != nil {
			return page, err
		}
	}
	batches, err := repo.batches(ctx, after, limit)
	if err != nil {
		return page, err
	}
	page.Last = after
	var positions []int64
	for _, b := range batches {
		positions = append(positions, b.events...)
		page.Last = b.pos
	}
	events, err := roomlog.ByPositions(ctx, repo.db, positions)
	if err != nil {
		return page, err
	}
	for _, b := range batches {
		for _, pos := range b.events {
			if e, ok := events[pos]; ok {
				page.Entries = append(page.Entries, entry(b.pos, e))
			}
		}
	}
	// Read the version last: if it equals that of the cursor, no position was reused before
	// these events were read.
	err = repo.db.QueryRowContext(ctx, `SELECT version FROM feed_places`).Scan(&page.Version)
	return page, err
}

func entry(pos int64, e domain.Event) feed.Entry[domain.Event] {
	return feed.Entry[domain.Event]{
		Pos: pos, Key: e.Room + "/" + strconv.FormatInt(e.Seq, 10), Time: e.At, Trace: e.Trace, Value: e,
	}
}

// batches returns the batches after a position, with about limit events.
func (repo *Repository) batches(ctx context.Context, after int64, limit int) ([]batch, error) {
	if repo.db.SingleWriter() {
		rows, err := repo.db.QueryContext(ctx, `SELECT pos FROM events WHERE pos > $1 ORDER BY pos LIMIT $2`, after, limit)
		if err != nil {
			return nil, err
		}
		return store.Collect(rows, func(rows *sql.Rows) (b batch, err error) {
			err = rows.Scan(&b.pos)
			b.events = []int64{b.pos}
			return b, err
		})
	}
	// Each batch has at least one event, so limit batches suffice. Those that begin after limit
	// events are left for the next call.
	rows, err := repo.db.QueryContext(ctx, `SELECT n, array_to_string(pos, ' ') FROM (
		SELECT n, pos, sum(cardinality(pos)) OVER (ORDER BY n) - cardinality(pos) AS before
		FROM (SELECT n, pos FROM feed_batches WHERE n > $1 ORDER BY n LIMIT $2) b) b WHERE before < $2
		ORDER BY n`, after, limit)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (b batch, err error) {
		var positions string
		if err = rows.Scan(&b.pos, &positions); err != nil {
			return b, err
		}
		for _, p := range strings.Fields(positions) {
			pos, err := strconv.ParseInt(p, 10, 64)
			if err != nil {
				return b, err
			}
			b.events = append(b.events, pos)
		}
		return b, nil
	})
}

// assignPositions gives committed batches their positions, unless another node is doing so.
func (repo *Repository) assignPositions(ctx context.Context) error {
	for {
		var waiting bool
		if err := repo.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM feed_pending)`).Scan(&waiting); err != nil ||
			!waiting {
			return err
		}
		var numbered int64
		err := repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			var last int64
			err := t.QueryRowContext(ctx, `SELECT last FROM feed_places`+t.SkipLocked()).Scan(&last)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			res, err := t.ExecContext(ctx, `WITH taken AS (DELETE FROM feed_pending WHERE id IN
					(SELECT id FROM feed_pending ORDER BY id LIMIT $2) RETURNING id, pos)
				INSERT INTO feed_batches (n, pos) SELECT $1 + row_number() OVER (ORDER BY id), pos FROM taken`, last, maxNumbered)
			if err != nil {
				return err
			}
			if numbered, err = res.RowsAffected(); err != nil {
				return err
			}
			_, err = t.ExecContext(ctx, `UPDATE feed_places SET last = $1`, last+numbered)
			return err
		})
		if err != nil || numbered < maxNumbered {
			return err
		}
	}
}

// newest returns the position after which a new consumer begins. On PostgreSQL, batches without a
// position yet come after it.
func (repo *Repository) newest(ctx context.Context, t *store.Tx) (pos int64, err error) {
	query := `SELECT last FROM feed_places`
	if repo.db.SingleWriter() {
		query = `SELECT COALESCE(max(pos), 0) FROM events`
	}
	err = t.QueryRowContext(ctx, query).Scan(&pos)
	return pos, err
}

// Get returns the event with a key, and false if it is gone.
func (repo *Repository) Get(ctx context.Context, key string) (e feed.Entry[domain.Event], ok bool, err error) {
	room, number, _ := strings.Cut(key, "/")
	seq, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return e, false, nil // not a key of this feed
	}
	event, ok, err := roomlog.BySeq(ctx, repo.db, domain.WholeLog(room), seq)
	return entry(0, event), ok && err == nil, err
}

// Lags returns the lag of each consumer.
func (repo *Repository) Lags(ctx context.Context) ([]feed.Lag, error) {
	oldest := `(SELECT e.at FROM feed_batches b JOIN events e ON e.pos = b.pos[1] WHERE b.n > c.pos ORDER BY b.n LIMIT 1)`
	if repo.db.SingleWriter() {
		oldest = `(SELECT e.at FROM events e WHERE e.pos > c.pos ORDER BY e.pos LIMIT 1)`
	}
	rows, err := repo.db.QueryContext(ctx, `SELECT c.name, COALESCE(`+oldest+`, 0),
		(SELECT count(*) FROM feed_asides a WHERE a.consumer = c.name) FROM feed_cursors c ORDER BY c.name`)
	if err != nil {
		return nil, err
	}
	return store.Collect(rows, func(rows *sql.Rows) (l feed.Lag, err error) {
		var oldest int64
		err = rows.Scan(&l.Consumer, &oldest, &l.DeadLetters)
		l.Oldest = store.Time(oldest)
		return l, err
	})
}

// Prune deletes the cursors that have not been updated since a time and, on PostgreSQL, the
// batches that all consumers have handled.
func (repo *Repository) Prune(ctx context.Context, idle time.Time) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		if _, err := t.ExecContext(ctx, `DELETE FROM feed_cursors WHERE updated_at < $1`, store.Millis(idle)); err != nil {
			return err
		}
		if repo.db.SingleWriter() {
			return nil
		}
		if _, err := t.ExecContext(ctx,
			`DELETE FROM feed_pending WHERE NOT EXISTS (SELECT 1 FROM feed_cursors)`); err != nil {
			return err
		}
		_, err := t.ExecContext(ctx,
			`DELETE FROM feed_batches WHERE n <= (SELECT COALESCE(min(pos), (SELECT last FROM feed_places)) FROM feed_cursors)`)
		return err
	})
}
