package blobs_test

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// asked counts how often a row is read.
type asked struct {
	blob.Rows
	times atomic.Int64
}

func (a *asked) Blob(ctx context.Context, hash string) (domain.Blob, error) {
	a.times.Add(1)
	return a.Rows.Blob(ctx, hash)
}

// A file that many load at a time costs the database one query. It is gone when it was deleted, and there again when
// it was added again.
func TestAFileThatManyLoadIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		k, ctx, data := open(t, db), t.Context(), []byte("an image")
		b := k.put(t, data)
		rows := &asked{Rows: k.Rows}
		k.Rows = rows
		loaded := func(when string) {
			t.Helper()
			if got, err := k.read(ctx, b.Hash); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%s: %q, %v", when, got, err)
			}
		}
		for range 10 {
			loaded("at first")
		}
		if n := rows.times.Load(); n != 1 {
			t.Errorf("10 readers asked %d times", n)
		}
		k.wait(25 * time.Hour)
		if err := k.Collect(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := k.read(ctx, b.Hash); domain.KindOf(err) != domain.NotFound {
			t.Errorf("after it was deleted: %v", err)
		}
		k.put(t, data)
		loaded("added again")
	})
}
