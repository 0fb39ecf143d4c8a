package search_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/fulltext"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/search"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What the indexer has read may be edited, deleted or purged before it writes, and
// SQLite gives the position of what is gone to what comes.
func TestIndexerUsesTheCurrentText(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	o := testkit.SQLite(t)
	o.Tool = true // has no indexer
	db := testkit.Open(t, o)
	room := testkit.Room(t, db, 1)
	say := func(text string) int64 {
		e, _, err := db.Messages.AppendMessage(ctx, testkit.UserID(0), domain.Draft{Room: room, Key: text, Text: text}, nil,
			false, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return e.Seq
	}
	say("kept")
	edited, deleted, last := say("edited before"), say("deleted"), say("purged")
	b, err := search.NextBatch(ctx, db.Search)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Messages.EditMessage(ctx, testkit.UserID(0), room, edited, "edited after", nil, false,
		time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Messages.DeleteMessage(ctx, testkit.UserID(0), room, deleted, time.Now()); err != nil {
		t.Fatal(err)
	}
	err = db.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM events WHERE room_id = $1 AND seq >= $2`, room, last)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	say("newcomer") // at the position of what was purged
	if err := db.Write(ctx, func(ctx context.Context,
		tx *store.Tx) error {
		return search.Index(ctx, tx, b)
	}); err != nil {
		t.Fatal(err)
	}
	for more := true; more; {
		if more, err = search.IndexBatch(ctx, db.Search); err != nil {
			t.Fatal(err)
		}
	}
	var found []string
	for _, q := range []string{"kept", "before", "after", "deleted", "purged", "newcomer"} {
		query, err := fulltext.Parse(q, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		hits, _, err := db.Search.Search(ctx, testkit.UserID(0), query, domain.Newest, domain.SearchCursor{}, 10)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprint(q, " ", len(hits)))
	}
	if want := []string{"kept 1", "before 0", "after 1", "deleted 0", "purged 0", "newcomer 1"}; !slices.Equal(found,
		want) {
		t.Errorf("found %q, want %q", found, want)
	}
}

func TestIndexerCommitsNothingWhileIdle(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		o.Tool = true // has no indexer
		db := testkit.Open(t, o)
		testkit.Say(t, db, testkit.UserID(0), testkit.Room(t, db, 1), "1", "apples")
		steps := []func(context.Context, *search.Repository) (bool, error){search.IndexBatch, search.RebuildBatch}
		run := func() (committed int64) {
			t.Helper()
			before := db.Load().Committed
			for _, step := range steps {
				for more := true; more; {
					var err error
					if more, err = step(ctx, db.Search); err != nil {
						t.Fatal(err)
					}
				}
			}
			return db.Load().Committed - before
		}
		if n := run(); n == 0 {
			t.Error("no commits with a message to index")
		}
		if n := run(); n != 0 {
			t.Errorf("%d commits while idle, want none", n)
		}
	})
}
