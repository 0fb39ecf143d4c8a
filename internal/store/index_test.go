package store

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
)

// What the indexer has read may be edited, deleted or purged before it writes, and
// SQLite gives the place of what is gone to what comes.
func TestIndexerWritesWhatIsTrueByThen(t *testing.T) {
	ctx := t.Context()
	db, _, room := openLog(t, 1)
	db.indexer.stop()
	say := func(text string) int64 {
		e, _, err := db.AppendMessage(ctx, userID(0), domain.Draft{Room: room, Key: text, Text: text}, nil, false, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return e.Seq
	}
	say("kept")
	edited, deleted, last := say("edited before"), say("deleted"), say("purged")
	l, err := db.nextLot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.EditMessage(ctx, userID(0), room, edited, "edited after", nil, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.DeleteMessage(ctx, userID(0), room, deleted, time.Now()); err != nil {
		t.Fatal(err)
	}
	err = db.write(ctx, func(ctx context.Context, tx *tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE room_id = $1 AND seq >= $2`, room, last)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	say("newcomer") // in the place of what was purged
	if err := db.write(ctx, func(ctx context.Context, tx *tx) error { return tx.index(ctx, l) }); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = db.indexLot(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	for _, q := range []string{"kept", "before", "after", "deleted", "purged", "newcomer"} {
		query, err := fulltext.Parse(q, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		hits, _, err := db.Search(ctx, userID(0), query, domain.Newest, domain.SearchCursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprint(q, " ", len(hits)))
	}
	if want := []string{"kept 1", "before 0", "after 1", "deleted 0", "purged 0", "newcomer 1"}; !slices.Equal(found, want) {
		t.Errorf("found %q, want %q", found, want)
	}
}
