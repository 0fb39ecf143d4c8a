package search

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/unhidra/unhidra/internal/store"
)

// tsvector is the index on PostgreSQL: the table search, with a tsvector for each message.
type tsvector struct{}

func (tsvector) match(s scope, rooms []int64) (query, match string) {
	from := `search f JOIN events e ON e.pos = f.pos`
	if s.q.HasPin {
		from = s.pinned(rooms) + ` JOIN events e ON e.room_id = p.room_id AND e.seq = p.seq JOIN search f ON f.pos = e.pos`
	}
	return `SELECT f.pos FROM ` + from + `
		JOIN members mb ON mb.room_id = e.room_id AND mb.user_id = $2 AND mb.since < e.seq
		WHERE f.words @@ $1::tsquery AND f.pos > $3 AND f.pos < $4 AND e.at >= $5 AND e.at < $6 AND e.deleted_at = 0
		` + s.andMentions(8) + `
		ORDER BY f.pos DESC LIMIT $7`, tsQuery(s, rooms)
}

// tsQuery is s in the language of PostgreSQL's tsquery.
func tsQuery(s scope, rooms []int64) string {
	each := make([]string, len(rooms))
	for i, number := range rooms {
		room := term(number)
		var all []string
		for _, c := range s.q.Clauses {
			phrase := "'" + room + termWord + strings.Join(c.Words, "' <-> '"+room+termWord) + "'"
			if c.Prefix {
				phrase += ":*"
			}
			if c.Not {
				phrase = "!(" + phrase + ")"
			} else {
				phrase = "(" + phrase + ")"
			}
			all = append(all, phrase)
		}
		for _, t := range s.requiredTerms(room) {
			all = append(all, "('"+strings.Join(t, "' | '")+"')")
		}
		each[i] = strings.Join(all, " & ")
	}
	return "(" + strings.Join(each, ") | (") + ")"
}

// tsVector is the literal of a message's tsvector. PostgreSQL keeps positions up
// to 16383 and 256 of each word.
func tsVector(m indexed) string {
	b := make([]byte, 0, 3*len(m.text)+128)
	at := 0
	eachTerm(m, func(kind, value string) {
		at++
		b = append(append(append(b, '\''), kind...), value...)
		b = append(strconv.AppendInt(append(b, "':"...), int64(min(at, 16383)), 10), ' ')
	})
	return string(b)
}

func (tsvector) unindexed() string {
	return `SELECT (SELECT COALESCE(sum(cardinality(pos)), 0) FROM unindexed)
		+ (SELECT count(*) FROM search_outdated) + (SELECT todo FROM search_build)`
}

func (tsvector) update(ctx context.Context, t *store.Tx, pos int64, deleted bool) error {
	if _, err := t.ExecContext(ctx, `DELETE FROM search WHERE pos = $1`, pos); err != nil || deleted {
		return err
	}
	return indexPositions(ctx, t, []int64{pos})
}

// deleteUpTo has nothing to do: what the index holds goes with the events.
func (tsvector) deleteUpTo(context.Context, *store.Tx, string, int64) error { return nil }

// lowerHead has nothing to do: PostgreSQL never reuses a position.
func (tsvector) lowerHead(context.Context, *store.Tx) error { return nil }

// commitsPerBatch is how many commits one transaction indexes. None has more than
// batchLength messages.
const commitsPerBatch = 16

// next indexes what the oldest commits appended that no other server is
// about to, and reports whether there may be more.
func (tsvector) next(ctx context.Context, db *store.DB) (more bool, err error) {
	if some, err := hasRows(ctx, db, "unindexed"); err != nil || !some {
		return false, err
	}
	err = db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// What a crash takes back is still to be indexed: nobody waits for the disk.
		if _, err := t.ExecContext(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		commits, positions, err := takeCommits(ctx, t)
		more = commits == commitsPerBatch
		if err != nil || commits == 0 {
			return err
		}
		return indexPositions(ctx, t, positions)
	})
	return more, err
}

// hasRows reports whether a table has rows. It is asked before a transaction that takes some, so that
// an idle server begins none.
func hasRows(ctx context.Context, db *store.DB, table string) (some bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+`)`).Scan(&some)
	return some, err
}

// takeCommits takes the oldest commits off the table unindexed. It returns how many it took, and the
// positions of their messages.
func takeCommits(ctx context.Context, t *store.Tx) (commits int, positions []int64, err error) {
	rows, err := t.QueryContext(ctx, `WITH mine AS (SELECT id FROM unindexed ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
		taken AS (DELETE FROM unindexed u USING mine WHERE u.id = mine.id RETURNING u.id, u.pos)
		SELECT t.id, p.pos FROM taken t CROSS JOIN unnest(t.pos) p (pos)`, commitsPerBatch)
	if err != nil {
		return 0, nil, err
	}
	seen := make(map[int64]bool)
	positions, err = store.Collect(rows, func(rows *sql.Rows) (pos int64, err error) {
		var id int64
		err = rows.Scan(&id, &pos)
		seen[id] = true
		return pos, err
	})
	return len(seen), positions, err
}

// indexPositions indexes the messages at these positions that still exist. It locks them. Who edits or
// deletes a message writes its event first: either before the lock, and the new text is read here, or
// after it, and then finds the entry.
func indexPositions(ctx context.Context, t *store.Tx, positions []int64) error {
	rows, err := t.QueryContext(ctx, `SELECT pos, s.number, `+indexedColumns+`
		FROM events JOIN search_rooms s USING (room_id)
		WHERE pos = ANY ($1::bigint[]) AND `+indexable+` ORDER BY pos FOR SHARE OF events`, positions)
	if err != nil {
		return err
	}
	var at []int64
	var vectors []string
	_, err = store.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var pos int64
		var m indexed
		err := rows.Scan(append([]any{&pos}, m.places()...)...)
		at, vectors = append(at, pos), append(vectors, tsVector(m))
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	// An edit may have written it, and a server from before.
	_, err = t.ExecContext(ctx,
		`INSERT INTO search (pos, words, format) SELECT pos, words::tsvector, $3
			FROM unnest($1::bigint[], $2::text[]) v (pos, words)
		ON CONFLICT (pos) DO UPDATE SET words = EXCLUDED.words, format = EXCLUDED.format
		WHERE search.format < EXCLUDED.format`, at, vectors, indexFormat)
	return err
}

// beginRebuild leaves the index to servers with a newer form: one of an older version
// goes on with its own, and has no say here.
func (tsvector) beginRebuild(ctx context.Context, t *store.Tx) error {
	_, err := t.ExecContext(ctx, `UPDATE search_build
		SET format = $1, todo = (SELECT COALESCE(max(pos), 0) FROM events) WHERE format < $1`, indexFormat)
	return err
}

// rebuild also does again what older servers write meanwhile.
func (tsvector) rebuild(ctx context.Context, db *store.DB, todo int64) (more bool, err error) {
	if todo == 0 {
		return rebuildOutdated(ctx, db)
	}
	return true, rebuildPositions(ctx, db)
}

// rebuildPositions indexes the newest messages that are still to be done. One server at a
// time does it.
func rebuildPositions(ctx context.Context, db *store.DB) error {
	return db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var todo int64
		if err := t.QueryRowContext(ctx, `SELECT todo FROM search_build FOR UPDATE`).Scan(&todo); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT pos FROM events WHERE pos <= $1 AND `+indexable+
			` ORDER BY pos DESC LIMIT $2`, todo, rebuildBatch)
		if err != nil {
			return err
		}
		positions, err := store.Collect(rows, store.ScanInt64)
		if err != nil {
			return err
		}
		todo = 0
		if len(positions) > 0 {
			todo = positions[len(positions)-1] - 1
		}
		if err := indexPositions(ctx, t, positions); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = $1`, todo)
		return err
	})
}

// rebuildOutdated indexes what a server of an older version has indexed in its form.
func rebuildOutdated(ctx context.Context, db *store.DB) (more bool, err error) {
	if some, err := hasRows(ctx, db, "search_outdated"); err != nil || !some {
		return false, err
	}
	err = db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx,
			`DELETE FROM search_outdated WHERE pos IN (SELECT pos FROM search_outdated LIMIT $1 FOR UPDATE SKIP LOCKED)
				RETURNING pos`, rebuildBatch)
		if err != nil {
			return err
		}
		positions, err := store.Collect(rows, store.ScanInt64)
		if err != nil || len(positions) == 0 {
			return err
		}
		more = len(positions) == rebuildBatch
		return indexPositions(ctx, t, positions)
	})
	return more, err
}
