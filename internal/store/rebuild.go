package store

import (
	"context"
	"time"
)

// When the form of the index changes, the messages that are there already are
// indexed anew, the newest first, in small steps beside everything else. Until that
// has come to the first message, search says that it is not complete.

const (
	rebuildLot  = 200
	rebuildRest = 3 // the rest after a step, in lengths of the step
)

// beginRebuild notes what is to be indexed anew, if the index is of another form.
func (db *DB) beginRebuild(ctx context.Context) error {
	if db.dialect == postgres {
		// A node of an older version goes on with its own form, and has no say here.
		_, err := db.write1.ExecContext(ctx, `UPDATE search_build SET format = $1, todo = (SELECT COALESCE(max(pos), 0) FROM events) WHERE format < $1`, indexFormat)
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
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
func (db *DB) Indexed(ctx context.Context) (all bool, err error) {
	err = db.read.QueryRowContext(ctx, `SELECT format >= $1 AND todo = 0 FROM search_build`, indexFormat).Scan(&all)
	return all, err
}

// rebuild takes the steps that beginRebuild left to do. On PostgreSQL it also does
// again what older servers write meanwhile.
func (x *indexer) rebuild(ctx context.Context) {
	for ctx.Err() == nil {
		began := time.Now()
		more, err := x.db.rebuildStep(ctx)
		rest := rebuildRest * time.Since(began)
		switch {
		case err != nil && ctx.Err() == nil:
			x.db.log.Error("index earlier messages anew", "err", err)
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

func (db *DB) rebuildStep(ctx context.Context) (more bool, err error) {
	var todo int64
	if err := db.read.QueryRowContext(ctx, `SELECT todo FROM search_build`).Scan(&todo); err != nil {
		return false, err
	}
	switch {
	case db.dialect == postgres && todo == 0:
		return db.rebuildOutdated(ctx)
	case todo == 0:
		return false, nil
	case db.dialect == postgres:
		err = db.rebuildPlaces(ctx)
	default:
		err = db.rebuildLot(ctx)
	}
	return true, err
}

// rebuildLot indexes the newest messages that are still to be done. As the indexer,
// it reads before it writes.
func (db *DB) rebuildLot(ctx context.Context) error {
	const places = ` FROM events WHERE pos <= (SELECT todo FROM search_build) AND ` + live + ` ORDER BY pos DESC LIMIT $1`
	rows, err := db.read.QueryContext(ctx, `SELECT `+entryColumns+places, rebuildLot)
	if err != nil {
		return err
	}
	var l lot
	if l.entries, err = collect(rows, scanEntry); err != nil {
		return err
	}
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		// In the order of the log: FTS5 writes out what it has gathered where a lower
		// place comes.
		rows, err := t.QueryContext(ctx, `SELECT pos, room_id, seq, edits FROM (SELECT pos, room_id, seq, edits`+places+`) ORDER BY pos`, rebuildLot)
		if err != nil {
			return err
		}
		if err := t.indexRows(ctx, rows, l); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = COALESCE((SELECT min(pos) - 1 FROM (SELECT pos`+places+`)), 0)`, rebuildLot)
		return err
	})
}

// rebuildPlaces is rebuildLot for PostgreSQL. One server at a time does it.
func (db *DB) rebuildPlaces(ctx context.Context) error {
	return db.write(ctx, func(ctx context.Context, t *tx) error {
		var todo int64
		if err := t.QueryRowContext(ctx, `SELECT todo FROM search_build FOR UPDATE`).Scan(&todo); err != nil {
			return err
		}
		rows, err := t.QueryContext(ctx, `SELECT pos FROM events WHERE pos <= $1 AND `+live+` ORDER BY pos DESC LIMIT $2`, todo, rebuildLot)
		if err != nil {
			return err
		}
		places, err := collect(rows, scanInt64)
		if err != nil {
			return err
		}
		todo = 0
		if len(places) > 0 {
			todo = places[len(places)-1] - 1
		}
		if err := t.indexPlaces(ctx, places); err != nil {
			return err
		}
		_, err = t.ExecContext(ctx, `UPDATE search_build SET todo = $1`, todo)
		return err
	})
}

// rebuildOutdated indexes what a server of an older version has indexed in its form.
func (db *DB) rebuildOutdated(ctx context.Context) (more bool, err error) {
	err = db.write(ctx, func(ctx context.Context, t *tx) error {
		rows, err := t.QueryContext(ctx, `DELETE FROM search_outdated WHERE pos IN (SELECT pos FROM search_outdated LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING pos`, rebuildLot)
		if err != nil {
			return err
		}
		places, err := collect(rows, scanInt64)
		if err != nil || len(places) == 0 {
			return err
		}
		more = len(places) == rebuildLot
		return t.indexPlaces(ctx, places)
	})
	return more, err
}
