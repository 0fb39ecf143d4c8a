package ml

import (
	"context"
	"path/filepath"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A reload asks Run to replace the workers of a version.
type reload struct {
	model   string
	version int
	done    chan error
}

// reload replaces the workers of a version by others, and loses no request. It returns when the others have taken
// over, or why they could not; the old ones answer then.
func (s *Service) reload(ctx context.Context, model string, version int) error {
	r := reload{model, version, make(chan error, 1)}
	select {
	case s.reloads <- r:
	case <-ctx.Done():
		return domain.Unavailable.Errorf(domain.CodeTimeout, "models are busy starting or ending; try again")
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return domain.Unavailable.Errorf(domain.CodeTimeout,
			"the new workers are still loading, and take over when they are ready")
	}
}

// A look asks Run to look at the folders now, and not in a few seconds.
type look struct{ done chan struct{} }

// rescan has what a routing says of loading count on this node when it returns. Its error says why a version that is
// to be loaded cannot be.
func (s *Service) rescan(ctx context.Context, model string, version int) error {
	late := domain.Unavailable.Errorf(domain.CodeTimeout, "models are busy starting or ending; it is done in a moment")
	l := look{make(chan struct{})}
	select {
	case s.looks <- l:
	case <-ctx.Done():
		return late
	}
	select {
	case <-l.done:
	case <-ctx.Done():
		return late
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := s.bad[model+"/"+strconv.Itoa(version)]; why != "" {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the folder is not what it was: %s", why)
	}
	return nil
}

// replace checks the folder again, has other workers load it and prove themselves, lets these answer, and ends the
// old ones when they have nothing left to do.
func (s *Service) replace(ctx context.Context, runtime string, r reload) error {
	s.mu.Lock()
	old := s.models[r.model][r.version]
	s.mu.Unlock()
	if old == nil {
		return domain.NotFound.Errorf(domain.CodeNoRoute, "there is no version %d of a model %q", r.version, r.model)
	}
	folder := filepath.Join(s.absolute(), r.model, strconv.Itoa(r.version))
	p, err := openPool(folder, s.Deps, runtime, s.metrics)
	if err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the folder is not what it was: %v", err)
	}
	p.follow(old.pool, eventReloaded)
	fresh := s.begin(ctx, p)
	if err := p.awaitReady(ctx); err != nil {
		fresh.stop()
		return domain.Invalid.Errorf(domain.CodeInvalidRequest, "the new workers do not run, so the old ones stay: %v", err)
	}
	s.mu.Lock()
	same := s.models[r.model][r.version] == old
	if same {
		s.models[r.model][r.version] = fresh
	}
	s.mu.Unlock()
	if !same {
		old = fresh // it was removed or replaced meanwhile
	}
	old.drain(ctx)
	old.stop()
	<-old.ended
	return nil
}

// readyPoll is how often somebody who waits for workers looks at them.
const readyPoll = 10 * time.Millisecond

// awaitReady waits until all workers take requests, or the version has failed.
func (p *pool) awaitReady(ctx context.Context) error {
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for p.ready() < len(p.slots) {
		if failed, why := p.failure(); failed {
			return why
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return nil
}

// drain refuses new requests with errMoved, and waits until those that it has are answered, or for Times.Drain.
func (e *entry) drain(ctx context.Context) {
	e.pool.waiting.close()
	ctx, cancel := context.WithTimeout(ctx, e.pool.times.Drain)
	defer cancel()
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for e.pool.asked.Load() > 0 {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
