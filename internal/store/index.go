package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
)

// On PostgreSQL a message is indexed with the commit that appends it. On SQLite
// an indexer follows the log a moment later, in larger lots than commits have:
// a full-text index costs five times what the row does, and less the more rows
// share a lot.

const (
	indexLot  = 1000
	indexWait = 200 * time.Millisecond // how old a message may get before its lot begins
)

// words and scope are what the index holds of a message.
func words(text string) []string {
	tokens := fulltext.Tokens(text)
	ws := make([]string, len(tokens))
	for i, t := range tokens {
		ws[i] = t.Word
	}
	return ws
}

func scopeOf(room, sender, text string) []string {
	s := []string{room, sender}
	if fulltext.HasLink(text) {
		s = append(s, hasLink)
	}
	return s
}

// tsVector is the literal of a message's tsvector. PostgreSQL keeps positions up
// to 16383 and 256 of each word.
func tsVector(room, sender, text string) string {
	b := make([]byte, 0, 2*len(text)+128)
	for i, w := range words(text) {
		b = append(append(b, '\''), w...)
		b = append(strconv.AppendInt(append(b, "':"...), int64(min(i+1, 16383)), 10), ' ')
	}
	for _, id := range scopeOf(room, sender, text) {
		b = append(append(append(b, '\''), id...), "' "...)
	}
	return string(b)
}

// reindex replaces what the index holds of a changed message; of a deleted one
// nothing stays.
func (t *tx) reindex(ctx context.Context, m *domain.Message) error {
	var pos int64
	if err := t.QueryRowContext(ctx, `SELECT pos FROM events WHERE room_id = $1 AND seq = $2`, m.Room, m.Seq).Scan(&pos); err != nil {
		return err
	}
	if t.d == postgres {
		if _, err := t.ExecContext(ctx, `DELETE FROM search WHERE pos = $1`, pos); err != nil || !m.DeletedAt.IsZero() {
			return err
		}
		_, err := t.ExecContext(ctx, `INSERT INTO search (pos, words) VALUES ($1, $2::tsvector)`, pos, tsVector(m.Room, m.Sender.ID, m.Text))
		return err
	}
	var head int64
	if err := t.QueryRowContext(ctx, `SELECT pos FROM search_head`).Scan(&head); err != nil || pos > head {
		return err // the indexer comes by, and takes it as it is then
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM search WHERE rowid = $1`, pos); err != nil || !m.DeletedAt.IsZero() {
		return err
	}
	return t.indexOne(ctx, pos, m)
}

func (t *tx) indexOne(ctx context.Context, pos int64, m *domain.Message) error {
	_, err := t.ExecContext(ctx, `INSERT INTO search (rowid, words, scope) VALUES ($1, $2, $3)`,
		pos, strings.Join(words(m.Text), " "), strings.Join(scopeOf(m.Room, m.Sender.ID, m.Text), " "))
	return err
}

// unindexRoom forgets a room's messages up to a number. On PostgreSQL they go with
// their events.
func (t *tx) unindexRoom(ctx context.Context, room string, to int64) error {
	if t.d == postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, `DELETE FROM search WHERE rowid IN (SELECT pos FROM events WHERE room_id = $1 AND seq <= $2 AND type = 'message.created' AND deleted_at = 0
		AND pos <= (SELECT pos FROM search_head))`, room, to)
	return err
}

// lowerSearchHead keeps the indexer from passing over messages: SQLite gives the
// places of the newest rows again once those are deleted.
func (t *tx) lowerSearchHead(ctx context.Context) error {
	if t.d == postgres {
		return nil
	}
	_, err := t.ExecContext(ctx, `UPDATE search_head SET pos = (SELECT COALESCE(max(pos), 0) FROM events) WHERE pos > (SELECT COALESCE(max(pos), 0) FROM events)`)
	return err
}

// indexer follows the log of a SQLite database.
type indexer struct {
	db     *DB
	cancel context.CancelFunc
	ended  chan struct{}
}

func newIndexer(db *DB) *indexer {
	ctx, cancel := context.WithCancel(context.Background())
	x := &indexer{db: db, cancel: cancel, ended: make(chan struct{})}
	go x.run(ctx)
	return x
}

func (x *indexer) stop() {
	x.cancel()
	<-x.ended
}

func (x *indexer) run(ctx context.Context) {
	defer close(x.ended)
	tick := time.NewTicker(indexWait)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = x.db.indexLot(ctx); err != nil && ctx.Err() == nil {
				x.db.log.Error("index messages for search", "err", err)
				break
			}
		}
	}
}

// indexLot indexes the next messages of the log, and reports whether there may
// be more. It asks before it writes, so that an idle server writes nothing.
func (db *DB) indexLot(ctx context.Context) (more bool, err error) {
	var head, end int64
	err = db.read.QueryRowContext(ctx, `SELECT pos, (SELECT COALESCE(max(pos), 0) FROM events) FROM search_head`).Scan(&head, &end)
	if err != nil || head >= end {
		return false, err
	}
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.QueryContext(ctx, `SELECT `+eventColumns+eventTables+` WHERE e.pos > (SELECT pos FROM search_head) ORDER BY e.pos LIMIT $1`, indexLot)
		if err != nil {
			return err
		}
		events, err := collect(rows, scanEvent)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			if e.Type != domain.MessageCreated || !e.Message.DeletedAt.IsZero() {
				continue
			}
			if err := t.indexOne(ctx, e.pos, e.Message); err != nil {
				return err
			}
		}
		more = len(events) == indexLot
		_, err = t.ExecContext(ctx, `UPDATE search_head SET pos = $1`, events[len(events)-1].pos)
		return err
	})
	return more, err
}
