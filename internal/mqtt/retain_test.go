package mqtt

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Who reads retained messages sees those that are being stored, however long that takes.
func TestSyncWaitsForTheCommitOnItsWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		results := make(chan error)
		var r retainer
		stored := 0
		r.init(func(_ context.Context, ms []domain.RetainedMessage) error {
			err := <-results
			if err == nil {
				stored += len(ms)
			}
			return err
		})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); r.run(ctx, slog.New(slog.DiscardHandler)) }()
		if err := r.put(ctx, domain.RetainedMessage{Topic: "pump/state"}, false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retainEvery)
		synctest.Wait() // it is being stored
		synced := make(chan error, 1)
		go func() {
			err := r.sync(ctx)
			if stored != 1 {
				err = errors.New("sync returned before the message was stored")
			}
			synced <- err
		}()
		synctest.Wait()
		results <- errors.New("the store is away") // it is tried again
		results <- nil
		if err := <-synced; err != nil {
			t.Error(err)
		}
		stop()
		<-ended
	})
}
