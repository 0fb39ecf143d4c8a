package search

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/store"
)

// When the form of the index changes, the messages that are there already are
// indexed anew, the newest first, in small steps beside everything else. Until that
// has come to the first message, search says that it is not complete.

const (
	rebuildBatch = 200
	rebuildRest  = 3 // the rest after a step, in lengths of the step
)

// beginRebuild notes what is to be indexed anew, if the index is of another form.
func (repo *Repository) beginRebuild(ctx context.Context) error {
	if repo.db.Name() == postgres {
		// A node of an older version goes on with its own form, and has no say here.
		return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
			_, err := t.ExecContext(ctx, `UPDATE search_build SET format = $1, todo = (SELECT COALESCE(max(pos), 0) FROM events) WHERE format < $1`, indexFormat)
			return err
		})
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
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
			`UPDATE search_build SET head = last.pos, todo = last.pos FROM (SELECT COALESCE(max(pos), 0) AS pos FROM events) last`,
		} {
			if _, err := t.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET format = $1`, indexFormat)
		return err
	})
}

// Indexed reports whether every message of the log from before is in the index. What
// is appended is in it a moment later in any case.
func (repo *Repository) Indexed(ctx context.Context) (all bool, err error) {
	err = repo.db.QueryRowContext(ctx, `SELECT format >= $1 AND todo = 0 FROM search_build`, indexFormat).Scan(&all)
	return all, err
}

// rebuild takes the steps that beginRebuild left to do. On PostgreSQL it also does
// again what older servers write meanwhile.
func (x *indexer) rebuild(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		more, err := x.repo.rebuildStep(ctx)
		rest := rebuildRest * time.Since(began)
		switch {
		case err != nil && ctx.Err() == nil:
			x.log.Error("index earlier messages anew", "err", err)
			fallthrough
		case !more:
			rest = lookEvery * indexWait
		}
		select {
		case <-ctx.Done():
		case <-time.After(rest):
		}
	}
}

func (repo *Repository) rebuildStep(ctx context.Context) (more bool, err error) {
	var todo int64
	if err := repo.db.QueryRowContext(ctx, `SELECT todo FROM search_build`).Scan(&todo); err != nil {
		return false, err
	}
	switch {
	case repo.db.Name() == postgres && todo == 0:
		return repo.rebuildOutdated(ctx)
	case todo == 0:
		return false, nil
	case repo.db.Name() == postgres:
		err = repo.rebuildPlaces(ctx)
	default:
		err = repo.rebuildBatch(ctx)
	}
	return true, err
}

// rebuildBatch indexes the newest messages that are still to be done. As the indexer,
// it reads before it writes.
func (repo *Repository) rebuildBatch(ctx context.Context) error {
	const places = ` FROM events WHERE pos <= (SELECT todo FROM search_build) AND ` + live + ` ORDER BY pos DESC LIMIT $1`
	rows, err := repo.db.QueryContext(ctx, `SELECT `+entryColumns+places, rebuildBatch)
	if err != nil {
		return err
	}
	var b batch
	if b.entries, err = store.Collect(rows, scanEntry); err != nil {
		return err
	}
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		// In the order of the log: FTS5 writes out what it has gathered where a lower
		// place comes.
		rows, err := t.QueryContext(ctx, `SELECT pos, room_id, seq, edits FROM (SELECT pos, room_id, seq, edits`+places+`) ORDER BY pos`, rebuildBatch)
		if err != nil {
			return err
		}
		if err := indexRows(ctx, t, rows, b); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = COALESCE((SELECT min(pos) - 1 FROM (SELECT pos`+places+`)), 0)`, rebuildBatch)
		return err
	})
}

// rebuildPlaces is rebuildBatch for PostgreSQL. One server at a time does it.
func (repo *Repository) rebuildPlaces(ctx context.Context) error {
	return repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		var todo int64
		if err := t.QueryRowContext(ctx, `SELECT todo FROM search_build FOR UPDATE`).Scan(&todo); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT pos FROM events WHERE pos <= $1 AND `+live+` ORDER BY pos DESC LIMIT $2`, todo, rebuildBatch)
		if err != nil {
			return err
		}
		places, err := store.Collect(rows, store.ScanInt64)
		if err != nil {
			return err
		}
		todo = 0
		if len(places) > 0 {
			todo = places[len(places)-1] - 1
		}
		if err := indexPlaces(ctx, t, places); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = $1`, todo)
		return err
	})
}

// rebuildOutdated indexes what a server of an older version has indexed in its form.
func (repo *Repository) rebuildOutdated(ctx context.Context) (more bool, err error) {
	err = repo.db.Write(ctx, func(ctx context.Context, t *store.Tx) error {
		rows, err := t.QueryContext(ctx, `DELETE FROM search_outdated WHERE pos IN (SELECT pos FROM search_outdated LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING pos`, rebuildBatch)
		if err != nil {
			return err
		}
		places, err := store.Collect(rows, store.ScanInt64)
		if err != nil || len(places) == 0 {
			return err
		}
		more = len(places) == rebuildBatch
		return indexPlaces(ctx, t, places)
	})
	return more, err
}
