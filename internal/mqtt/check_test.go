package mqtt

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// versions is a store that takes a second to say that nothing has changed.
type versions struct {
	Sessions
	looks atomic.Int64
}

func (v *versions) SiteVersion(ctx context.Context, _ string) (int64, error) {
	v.looks.Add(1)
	select {
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-time.After(time.Second):
		return 1, nil
	}
}

func (v *versions) SiteSessions(context.Context, string, time.Time) ([]domain.MQTTSession, int64, error) {
	return nil, 1, nil
}

// In a cluster a message goes to the sessions that there are when it comes. A thousand clients of one site whose
// messages come at once share a look at the store; nobody is served by a look that began before.
func TestClientsOfASiteShareALookAtItsSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := &versions{}
		s := &Service{Deps: Deps{Sessions: db, Others: true, Now: time.Now}}
		site := &site{id: "usr_1", checking: make(chan struct{}, 1)}
		if err := s.load(t.Context(), site); err != nil || db.looks.Load() != 0 {
			t.Fatalf("%v, after %d looks at what was never read", err, db.looks.Load())
		}
		loaded := make(chan error)
		ask := func(ctx context.Context) {
			loaded <- s.load(ctx, site)
		}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		go ask(short) // it makes the first look, and has no time for it
		synctest.Wait()
		for range 1000 {
			go ask(t.Context())
		}
		if err := <-loaded; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the first one: %v", err)
		}
		for range 1000 {
			if err := <-loaded; err != nil {
				t.Fatal(err)
			}
		}
		if n := db.looks.Load(); n != 2 {
			t.Errorf("%d looks, not the one without time and one for all others", n)
		}
	})
}
