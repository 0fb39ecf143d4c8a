package store

import (
	"context"
	"path/filepath"
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
