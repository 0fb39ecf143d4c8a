package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// BenchmarkIndexing says what the search index costs the writer of SQLite, with
// lots of 32 messages to a commit: without one, with an indexer that follows the
// log, and with the index written by each append. It reports acknowledged
// messages a second, and how many were findable per second of the whole run.
func BenchmarkIndexing(b *testing.B) {
	for _, where := range []string{"nowhere", "beside the append", "in the append"} {
		b.Run(where, func(b *testing.B) {
			const lot = 32
			var acknowledged, findable time.Duration
			sent := 0
			for b.Loop() {
				db, _, room := openLog(b, lot)
				if where != "beside the append" {
					db.indexer.stop()
				}
				begin := time.Now()
				for i := range 500 {
					appendLot(b, db, room, i*lot, lot, where == "in the append")
				}
				sent += 500 * lot
				acknowledged += time.Since(begin)
				if where == "beside the append" {
					waitIndexed(b, db)
				}
				findable += time.Since(begin)
			}
			b.ReportMetric(float64(sent)/acknowledged.Seconds(), "acknowledged/s")
			if where != "nowhere" {
				b.ReportMetric(float64(sent)/findable.Seconds(), "findable/s")
			}
		})
	}
}

// appendLot appends n messages with one commit, each from another user.
func appendLot(b *testing.B, db *DB, room string, from, n int, index bool) {
	jobs := make([]*job, n)
	for i := range jobs {
		text := fmt.Sprintf("the kettle in the workshop was left on again number %d, who has the key of shelf%d", from+i, (from+i)%97)
		jobs[i] = &job{append: &appending{actor: userID(i), now: time.Now(), draft: domain.Draft{Room: room, Key: fmt.Sprint(from + i), Text: text}}}
	}
	err := db.write(b.Context(), func(ctx context.Context, t *tx) error {
		if err := t.appendAll(ctx, jobs, true); err != nil || !index {
			return err
		}
		for i, j := range jobs {
			if err := t.indexOne(ctx, entry{pos: int64(from + i + 1), words: terms(1, userID(i), j.append.draft.Text)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func waitIndexed(b *testing.B, db *DB) {
	for more := true; more; {
		var err error
		if more, err = db.indexLot(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
