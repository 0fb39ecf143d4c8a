package messages_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/messages"
	"github.com/unhidra/unhidra/internal/testkit"
)

// BenchmarkIndexing measures the cost of the search index for the writer of SQLite, with 32 messages
// per commit: without an index, with an indexer that follows the log, and with the index written by
// each append. It reports acknowledged messages per second, and indexed messages per second of the
// whole run.
func BenchmarkIndexing(b *testing.B) {
	for _, where := range []string{"nowhere", "beside the append", "in the append"} {
		b.Run(where, func(b *testing.B) {
			const size = 32
			var acknowledged, findable time.Duration
			sent := 0
			for b.Loop() {
				o := testkit.SQLite(b)
				o.Tool = where != "beside the append" // has no indexer
				db := testkit.Open(b, o)
				room := testkit.Room(b, db, size)
				begin := time.Now()
				for i := range 500 {
					appendBatch(b, db, room, i*size, size, where == "in the append")
				}
				sent += 500 * size
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

// appendBatch appends n messages of different users in one commit.
func appendBatch(b *testing.B, db *all.Store, room string, from, n int, index bool) {
	items := make([]*store.Item, n)
	texts := make([]string, n)
	for i := range items {
		texts[i] = fmt.Sprintf("the kettle in the workshop was left on again number %d, who has the key of shelf%d", from+i,
			(from+i)%97)
		items[i] = messages.NewItem(testkit.UserID(i), domain.Draft{Room: room, Key: fmt.Sprint(from + i), Text: texts[i]},
			time.Now())
	}
	err := db.Write(b.Context(), func(ctx context.Context, t *store.Tx) error {
		if err := db.Messages.WriteBatch(ctx, t, items, true); err != nil || !index {
			return err
		}
		for i, text := range texts {
			terms := strings.Builder{}
			for _, token := range fulltext.Tokens(text) {
				terms.WriteString("1_" + token.Word + " ")
			}
			_, err := t.ExecContext(ctx, `INSERT INTO search_words (rowid, words) SELECT max(pos) - $1, $2 FROM events`, n-1-i,
				terms.String()+"1@"+testkit.UserID(i)+" 1#")
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func waitIndexed(b *testing.B, db *all.Store) {
	for {
		n, err := db.Search.Unindexed(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if n == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
