package history

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Searches use at most half of the processors, and one per user. A search that waits too long, or
// finds too many waiting, is refused.
func TestSearchesAreLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ts := newSearchSlots()
		running, most, refused := map[string]int{}, 0, 0
		ended := make(chan error)
		work := func(user string) {
			go func() {
				ended <- ts.run(t.Context(), user, func(context.Context) error {
					ts.mu.Lock()
					running[user]++
					n := 0
					for _, each := range running {
						if each > 1 {
							t.Errorf("%s searches twice at once", user)
						}
						n += each
					}
					most = max(most, n)
					ts.mu.Unlock()
					time.Sleep(searchWaitTimeout * 3 / 4)
					ts.mu.Lock()
					running[user]--
					ts.mu.Unlock()
					return nil
				})
			}()
		}
		const asked = 3 * maxWaitingSearches
		for i := range asked {
			work(fmt.Sprint("user", i%7))
		}
		for range asked {
			if err := <-ended; domain.CodeOf(err) == domain.CodeBusy {
				refused++
			} else if err != nil {
				t.Error(err)
			}
		}
		if want := max(1, runtime.GOMAXPROCS(0)/2); most > want {
			t.Errorf("%d searches at once, want at most %d", most, want)
		}
		if refused == 0 || int64(refused) != ts.refused.Load() {
			t.Errorf("%d of %d were refused, counted %d", refused, asked, ts.refused.Load())
		}
		if len(ts.users) != 0 || ts.waiting.Load() != 0 || len(ts.slots) != 0 {
			t.Errorf("left over: %d users, %d waiting, %d turns", len(ts.users), ts.waiting.Load(), len(ts.slots))
		}
	})
}

// A search that takes too long is stopped, and its error says what to do.
func TestASearchTimesOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		forever := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		if err := newSearchSlots().run(t.Context(), "ann", forever); domain.CodeOf(err) != domain.CodeSearchTooBroad {
			t.Errorf("out of budget: %v", err)
		}
		gone, leave := context.WithCancel(t.Context())
		leave()
		if err := newSearchSlots().run(gone, "ann", forever); !errors.Is(err, context.Canceled) {
			t.Errorf("of a client that has gone: %v", err)
		}
	})
}
