package mqtt

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// Clients that all come at once are let in one after another, so that none gives up; who would wait for too long is
// told to come back.
func TestClientsAreLetInOneAfterAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := (&backend{}).run(t)
		var now, most, in, later atomic.Int32
		var all sync.WaitGroup
		for range 16 * admitAtOnce {
			all.Go(func() {
				c := &conn{s: s}
				err := c.inTurn(t.Context(), func(ctx context.Context) error {
					most.Store(max(most.Load(), now.Add(1)))
					defer now.Add(-1)
					time.Sleep(time.Second)
					in.Add(1)
					return ctx.Err()
				})
				var e *packet.Error
				if errors.As(err, &e) && e.Code == packet.Unavailable {
					later.Add(1)
				} else if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if most.Load() > admitAtOnce {
			t.Errorf("%d clients were connected at a time", most.Load())
		}
		if in.Load() < 14*admitAtOnce || in.Load()+later.Load() != 16*admitAtOnce {
			t.Errorf("%d clients were let in, and %d told to come back", in.Load(), later.Load())
		}
	})
}
