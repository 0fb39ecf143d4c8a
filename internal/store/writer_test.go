package store

import (
	"context"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

// open opens a fresh SQLite database.
func open(tb testing.TB) *DB {
	tb.Helper()
	db, err := Open(tb.Context(), Options{Path: filepath.Join(tb.TempDir(), "test.db")})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = db.Close() })
	return db
}

// A caller that gives up finds nothing still writing to what it had passed in:
// the race detector watches.
func TestGivingUp(t *testing.T) {
	db := open(t)
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
			defer cancel()
			result := 0
			err := db.Write(ctx, func(context.Context, *Tx) error {
				result++
				return nil
			})
			if (err == nil) != (result == 1) {
				t.Errorf("result %d with %v", result, err)
			}
		})
	}
	wg.Wait()
}

// batchSizes is a BatchWriter that writes nothing, and counts batches.
type batchSizes struct{ batches, items int }

func (b *batchSizes) WriteBatch(_ context.Context, _ *Tx, items []*Item, _ bool) error {
	b.batches++
	b.items += len(items)
	return nil
}

func (b *batchSizes) PipelineBatch(context.Context, *Tx, []*Item, bool, func()) error { return nil }

// TestAnsweredWritersShareTheNextCommit: callers who write again as soon as they are answered
// are in one batch, and not in many small ones because the first of them woke the writer.
func TestAnsweredWritersShareTheNextCommit(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // on several processors it is a matter of luck
	const callers, writes = 32, 50
	db, sizes := open(t), &batchSizes{}
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range writes {
				if err := db.WriteItem(t.Context(), sizes, &Item{}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if sizes.items != callers*writes || sizes.batches > 2*writes {
		t.Errorf("%d writes of %d callers took %d commits", sizes.items, callers, sizes.batches)
	}
}
