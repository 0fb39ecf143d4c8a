package search

import (
	"context"
	"database/sql"

	"github.com/unhidra/unhidra/internal/store"
)

// commitsAtOnce is how many commits one transaction indexes. None has more than
// batchLength messages.
const commitsAtOnce = 16

// indexCommits indexes what the oldest commits appended that no other server is
// about to, and reports whether there may be more.
func (repo *Repository) indexCommits(ctx context.Context) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// What a crash takes back is still to be indexed: nobody waits for the disk.
		if _, err := t.ExecContext(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		commits, places, err := takeCommits(ctx, t)
		more = commits == commitsAtOnce
		if err != nil || commits == 0 {
			return err
		}
		return indexPlaces(ctx, t, places)
	})
	return more, err
}

// takeCommits returns the places of messages that some commits appended.
func takeCommits(ctx context.Context, t *store.Tx) (commits int, places []int64, err error) {
	rows, err := t.QueryContext(ctx, `WITH mine AS (SELECT id FROM unindexed ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED),
		taken AS (DELETE FROM unindexed u USING mine WHERE u.id = mine.id RETURNING u.id, u.pos)
		SELECT t.id, p.pos FROM taken t CROSS JOIN unnest(t.pos) p (pos)`, commitsAtOnce)
	if err != nil {
		return 0, nil, err
	}
	seen := make(map[int64]bool)
	places, err = store.Collect(rows, func(rows *sql.Rows) (pos int64, err error) {
		var id int64
		err = rows.Scan(&id, &pos)
		seen[id] = true
		return pos, err
	})
	return len(seen), places, err
}

// indexPlaces indexes the messages at places that are still there. It locks them:
// whoever edits or deletes one writes its event first, and so comes either before,
// and is read here, or after, and finds the entry.
func indexPlaces(ctx context.Context, t *store.Tx, places []int64) error {
	rows, err := t.QueryContext(ctx, `SELECT pos, s.number, actor_id, text FROM events JOIN search_rooms s USING (room_id)
		WHERE pos = ANY ($1::bigint[]) AND `+live+` ORDER BY pos FOR SHARE OF events`, places)
	if err != nil {
		return err
	}
	var at []int64
	var vectors []string
	_, err = store.Collect(rows, func(rows *sql.Rows) (struct{}, error) {
		var pos, room int64
		var sender, text string
		err := rows.Scan(&pos, &room, &sender, &text)
		at, vectors = append(at, pos), append(vectors, tsVector(room, sender, text))
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	// An edit may have written it, and a server from before.
	_, err = t.ExecContext(ctx, `INSERT INTO search (pos, words, format) SELECT pos, words::tsvector, $3 FROM unnest($1::bigint[], $2::text[]) v (pos, words)
		ON CONFLICT (pos) DO UPDATE SET words = EXCLUDED.words, format = EXCLUDED.format WHERE search.format < EXCLUDED.format`, at, vectors, indexFormat)
	return err
}
