package accounts_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func counter(name string) domain.Counter {
	return domain.Counter{Hash: []byte(name), Limit: 5, Window: 15 * time.Minute, Lock: 15 * time.Minute, Most: time.Hour,
		Streak: 12}
}

func TestCHK_LG_06_AttemptsAtOnceAreCountedOneByOne(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now := time.Now()
		var allowed atomic.Int32
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				r, err := db.Sessions.Reserve(t.Context(), []domain.Counter{counter("a"), counter("b")}, now)
				if err != nil {
					t.Error(err)
				} else if r.Locked.IsZero() {
					allowed.Add(1)
				}
			})
		}
		wg.Wait()
		if allowed.Load() != 5 {
			t.Fatalf("%d attempts were let through", allowed.Load())
		}
	})
}

// A success deletes its counters at any moment, also while another attempt reserves them.
func TestAttemptsAreReservedWhileOthersSucceed(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now, c := time.Now(), counter("a")
		c.Limit, c.Streak = 1000, 0
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 25 {
					if _, err := db.Sessions.Reserve(t.Context(), []domain.Counter{c}, now); err != nil {
						t.Error(err)
					}
					if err := db.Sessions.Refund(t.Context(), c.Hash); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestLocksGrowAndEnd(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		now, c := time.Now(), []domain.Counter{counter("a")}
		reserve := func() domain.Reserved {
			t.Helper()
			r, err := db.Sessions.Reserve(t.Context(), c, now)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		for round, lock := range []time.Duration{15 * time.Minute, 30 * time.Minute} {
			for i := range 5 {
				r := reserve()
				if !r.Locked.IsZero() || r.Began != (i == 4) || r.Failures != i || r.Unlocked != (round > 0 && i == 0) {
					t.Fatalf("round %d, attempt %d: %+v", round, i, r)
				}
			}
			r := reserve()
			if wait := r.Locked.Sub(now).Round(time.Second); wait != lock || r.ForGood {
				t.Fatalf("round %d: locked for %v", round, wait)
			}
			now = now.Add(lock + time.Second)
		}
		// Twelve failures in a row lock until somebody acts.
		reserve()
		if r := reserve(); !r.Began || !r.ForGood {
			t.Fatalf("%+v", r)
		}
		now = now.Add(1000 * time.Hour)
		if r := reserve(); r.Locked.IsZero() || !r.ForGood {
			t.Fatalf("%+v", r)
		}
		if err := db.Sessions.Refund(t.Context(), c[0].Hash); err != nil {
			t.Fatal(err)
		}
		if r := reserve(); !r.Locked.IsZero() || r.Failures != 0 {
			t.Fatalf("%+v", r)
		}
		if n, err := db.Sessions.Failures(t.Context(), c, now); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if n, err := db.Sessions.Failures(t.Context(), c, now.Add(time.Hour)); err != nil || n != 0 {
			t.Fatal(n, err)
		}
	})
}
