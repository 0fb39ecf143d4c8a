package search

import (
	"context"
	"database/sql"
	"strings"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/roomlog"
)

// fts5 is the index on SQLite: the table search_words, whose row ids are the positions in the log.
type fts5 struct{}

func (fts5) match(s scope, rooms []int64) (query, match string) {
	from := `search_words f JOIN events e ON e.pos = f.rowid`
	if s.q.HasPin { // few are pinned: the index is asked about each of them. CROSS JOIN keeps this order
		from = s.pinned(rooms) + ` CROSS JOIN events e ON e.room_id = p.room_id AND e.seq = p.seq
		CROSS JOIN search_words f ON f.rowid = e.pos`
	}
	return `SELECT f.rowid FROM ` + from + `
		JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $2 AND mb.since < e.seq
		WHERE f.search_words MATCH $1 AND f.rowid > $3 AND f.rowid < $4 AND e.at >= $5 AND e.at < $6 AND e.deleted_at = 0
		` + s.andMentions(8) + `
		ORDER BY f.rowid DESC LIMIT $7`, ftsQuery(s, rooms)
}

// ftsQuery is s in FTS5's language. Words hold no quotation marks, so that quoting
// them is enough.
func ftsQuery(s scope, rooms []int64) string {
	each := make([]string, len(rooms))
	for i, number := range rooms {
		room := term(number)
		var want, without []string
		for _, c := range s.q.Clauses {
			phrase := `"` + room + termWord + strings.Join(c.Words, " "+room+termWord) + `"`
			if c.Prefix {
				phrase += "*"
			}
			if c.Not {
				without = append(without, phrase)
			} else {
				want = append(want, phrase)
			}
		}
		for _, t := range s.requiredTerms(room) {
			want = append(want, `("`+strings.Join(t, `" OR "`)+`")`)
		}
		each[i] = strings.Join(want, " AND ")
		if len(without) > 0 {
			each[i] = "(" + each[i] + ") NOT (" + strings.Join(without, " OR ") + ")"
		}
	}
	return "(" + strings.Join(each, ") OR (") + ")"
}

// terms are those of a message, as FTS5 takes them.
func terms(m indexed) string {
	b := make([]byte, 0, 2*len(m.text)+64)
	eachTerm(m, func(kind, value string) { b = append(append(append(b, kind...), value...), ' ') })
	return string(b)
}

func (fts5) unindexed() string {
	return `SELECT max(0, (SELECT COALESCE(max(pos), 0) FROM events) - head) + todo FROM search_build`
}

func (fts5) update(ctx context.Context, t *store.Tx, pos int64, deleted bool) error {
	var head, todo int64
	err := t.QueryRowContext(ctx, `SELECT head, todo FROM search_build`).Scan(&head, &todo)
	if err != nil || pos > head || pos <= todo {
		return err // the indexer comes by, and takes it as it is then
	}
	if _, err := t.ExecContext(ctx, `DELETE FROM search_words WHERE rowid = $1`, pos); err != nil || deleted {
		return err
	}
	e, err := entryAt(ctx, t, pos)
	if err != nil {
		return err
	}
	return indexOne(ctx, t, e)
}

func indexOne(ctx context.Context, t *store.Tx, e entry) error {
	_, err := t.ExecContext(ctx, `INSERT INTO search_words (rowid, words) VALUES ($1, $2)`, e.pos, e.words)
	return err
}

func (fts5) deleteUpTo(ctx context.Context, t *store.Tx, room string, to int64) error {
	_, err := t.ExecContext(ctx, `DELETE FROM search_words WHERE rowid IN (SELECT pos FROM events
		WHERE room_id = $1 AND seq <= $2 AND `+indexable+` AND pos <= (SELECT head FROM search_build))`, room, to)
	return err
}

// lowerHead is needed because SQLite reuses the positions of the newest rows once those are deleted.
func (fts5) lowerHead(ctx context.Context, t *store.Tx) error {
	_, err := t.ExecContext(ctx, `WITH last AS (SELECT COALESCE(max(pos), 0) AS pos FROM events)
		UPDATE search_build SET head = min(head, last.pos), todo = min(todo, last.pos) FROM last WHERE head > last.pos`)
	return err
}

// entry is what the index is to hold of one message, as it was at some edit.
type entry struct {
	pos   int64
	at    roomlog.EventRef
	edits int64
	words string
}

const entryColumns = `pos, room_id, seq, edits, (SELECT number FROM search_rooms s
	WHERE s.room_id = events.room_id), ` + indexedColumns

func scanEntry(rows *sql.Rows) (e entry, err error) {
	var m indexed
	if err := rows.Scan(append([]any{&e.pos, &e.at.Room, &e.at.Seq, &e.edits}, m.places()...)...); err != nil {
		return e, err
	}
	e.words = terms(m)
	return e, nil
}

// batch is a piece of the log that is not indexed yet.
type batch struct {
	entries []entry
	last    int64 // position of its last event
	events  int
}

// next indexes the next messages of the log, and reports whether there may
// be more. It reads them, and finds their words, before it writes: what the
// writer does for the index, it does not do for those who wait for their commit.
func (fts5) next(ctx context.Context, db *store.DB) (more bool, err error) {
	b, err := nextBatch(ctx, db)
	if err != nil || b.events == 0 {
		return false, err
	}
	return b.events == indexBatch, db.Write(ctx, func(ctx context.Context, t *store.Tx) error { return index(ctx, t, b) })
}

func nextBatch(ctx context.Context, db *store.DB) (b batch, err error) {
	err = db.QueryRowContext(ctx, `SELECT count(*), COALESCE(max(pos), 0)
		FROM (SELECT pos FROM events WHERE pos > (SELECT head FROM search_build) ORDER BY pos
		LIMIT $1)`, indexBatch).Scan(&b.events, &b.last)
	if err != nil || b.events == 0 {
		return b, err
	}
	rows, err := db.QueryContext(ctx, `SELECT `+entryColumns+
		` FROM events WHERE pos > (SELECT head FROM search_build) AND pos <= $1 AND `+indexable+` ORDER BY pos`, b.last)
	if err != nil {
		return b, err
	}
	b.entries, err = store.Collect(rows, scanEntry)
	return b, err
}

// index indexes the events up to the end of b, which was read before. It uses what is still true of b:
// since then a message may have been edited, or deleted and its position given to another.
func index(ctx context.Context, t *store.Tx, b batch) error {
	rows, err := t.QueryContext(ctx,
		`SELECT pos, room_id, seq, edits FROM events WHERE pos > (SELECT head FROM search_build) AND pos <= $1 AND `+
			indexable+` ORDER BY pos`, b.last)
	if err != nil {
		return err
	}
	if err := indexRows(ctx, t, rows, b); err != nil {
		return err
	}
	_, err = t.ExecContext(ctx, `UPDATE search_build SET head = min($1, (SELECT COALESCE(max(pos), 0) FROM events))`,
		b.last)
	return err
}

// indexRows indexes the messages of rows by what b has of them.
func indexRows(ctx context.Context, t *store.Tx, rows *sql.Rows, b batch) error {
	ready := make(map[int64]entry, len(b.entries))
	for _, e := range b.entries {
		ready[e.pos] = e
	}
	now, err := store.Collect(rows, func(rows *sql.Rows) (e entry, err error) {
		err = rows.Scan(&e.pos, &e.at.Room, &e.at.Seq, &e.edits)
		return e, err
	})
	if err != nil {
		return err
	}
	for _, e := range now {
		if was, ok := ready[e.pos]; ok && was.at == e.at && was.edits == e.edits {
			e = was
		} else if e, err = entryAt(ctx, t, e.pos); err != nil {
			return err
		}
		// One at a time: FTS5 writes out what it has gathered at the end of a
		// statement of many rows.
		if err := indexOne(ctx, t, e); err != nil {
			return err
		}
	}
	return nil
}

func entryAt(ctx context.Context, t *store.Tx, pos int64) (entry, error) {
	rows, err := t.QueryContext(ctx, `SELECT `+entryColumns+` FROM events WHERE pos = $1`, pos)
	if err != nil {
		return entry{}, err
	}
	found, err := store.Collect(rows, scanEntry)
	if err != nil {
		return entry{}, err
	}
	return found[0], nil
}

func (fts5) beginRebuild(ctx context.Context, t *store.Tx) error {
	var format, before int64
	err := t.QueryRowContext(ctx, `SELECT b.format, h.pos FROM search_build b, search_head h`).Scan(&format, &before)
	if err != nil || format == indexFormat && before == 0 {
		return err
	}
	// Anything else was written by another version of this program, which may have
	// changed messages that this one had indexed.
	for _, statement := range []string{
		`INSERT INTO search (search) VALUES ('delete-all')`,
		`INSERT INTO search_words (search_words) VALUES ('delete-all')`,
		`UPDATE search_head SET pos = 0`,
		`UPDATE search_build SET head = last.pos, todo = last.pos FROM (SELECT COALESCE(max(pos), 0) AS pos
			FROM events) last`,
	} {
		if _, err := t.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	_, err = t.ExecContext(ctx, `UPDATE search_build SET format = $1`, indexFormat)
	return err
}

func (fts5) rebuild(ctx context.Context, db *store.DB, todo int64) (more bool, err error) {
	if todo == 0 {
		return false, nil
	}
	return true, rebuildEntries(ctx, db)
}

// rebuildEntries indexes the newest messages that are still to be done. As the indexer,
// it reads before it writes.
func rebuildEntries(ctx context.Context, db *store.DB) error {
	todo := ` FROM events WHERE pos <= (SELECT todo FROM search_build) AND ` + indexable + ` ORDER BY pos DESC LIMIT $1`
	rows, err := db.QueryContext(ctx, `SELECT `+entryColumns+todo, rebuildBatch)
	if err != nil {
		return err
	}
	var b batch
	if b.entries, err = store.Collect(rows, scanEntry); err != nil {
		return err
	}
	return db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// In the order of the log: FTS5 writes out what it has gathered when a lower position comes.
		rows, err := t.QueryContext(ctx, `SELECT pos, room_id, seq, edits FROM (SELECT pos, room_id, seq, edits`+todo+
			`) ORDER BY pos`, rebuildBatch)
		if err != nil {
			return err
		}
		if err := indexRows(ctx, t, rows, b); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = COALESCE((SELECT min(pos) - 1 FROM (SELECT pos`+todo+
			`)), 0)`, rebuildBatch)
		return err
	})
}
