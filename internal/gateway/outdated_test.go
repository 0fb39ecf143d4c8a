package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// endsOnce accepts each token once, and lets its gateway hear of a revocation then.
type endsOnce struct {
	*world
	gateway atomic.Pointer[Service]
	seen    sync.Map
}

func (e *endsOnce) Authenticate(ctx context.Context, token string) (domain.Principal, error) {
	if _, again := e.seen.LoadOrStore(token, true); again {
		return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadToken, "the session has ended")
	}
	if g := e.gateway.Load(); g != nil {
		g.revocations.Add(1)
	}
	return e.world.Authenticate(ctx, token)
}

// A session that is renewed, or ended, while a connection of it opens or gets a newer token: the client is
// told to refresh, which says which of both it was. It is not told that somebody signed out.
func TestSessionsThatEndMeanwhileAreToBeRefreshed(t *testing.T) {
	t.Parallel()
	e := &endsOnce{world: newWorld()}
	n := start(t, e.world, func(d *Deps) { d.Auth = e })
	p, _ := n.enter(t, "ada/s1/1m")
	e.gateway.Store(n.g)
	p.request(wire.TypeRefresh, wire.Refresh{Token: "ada/s1/2m"})
	if code, _ := p.closed(); code != wire.CloseToken {
		t.Errorf("closed with %d", code)
	}
	opening := n.dial(t, "ada/s1/3m")
	if code, _ := opening.closed(); code != wire.CloseToken {
		t.Errorf("closed with %d", code)
	}
}
