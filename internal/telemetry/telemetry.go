// Package telemetry takes what devices measure: it checks it, has it stored, shows it live to those
// who watch, and answers what charts are drawn from. It decides who sees what only by asking
// Devices.
package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Store stores readings.
type Store interface {
	// Append stores what is new of the reports of a device, and returns once it is durable. It
	// fails with unavailable if nothing was stored.
	Append(ctx context.Context, device string, reports []domain.Report, now time.Time) (domain.Appended, error)
	Series(ctx context.Context, device string) ([]domain.Series, error)
	// Points returns single values in [from, to), the first limit of them.
	Points(
		ctx context.Context, device string, names []string, from, to time.Time, limit int,
	) (map[string][]domain.Point, error)
	// Buckets summarises the numbers in [from, to), each stretch of step. It reads nothing finer than
	// atLeast.
	Buckets(
		ctx context.Context, device string, names []string, from, to time.Time, step time.Duration,
		atLeast domain.Resolution,
	) (map[string][]domain.Bucket, error)
	// Close packs reports that have waited for long enough. It reports whether more are due.
	Close(ctx context.Context, now time.Time, all bool) (more bool, err error)
}

// Devices knows devices, and who may see them.
type Devices interface {
	// Capabilities returns what a device has declared; the answer must not be changed.
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
	// MaySee fails with not_found if p may not see the device, or there is none.
	MaySee(ctx context.Context, p domain.Principal, device string) (d domain.Device, mine bool, err error)
	// Note adds to the log of a device. It does not block.
	Note(device string, n domain.DeviceNote)
}

// Watchable says which devices a user owns or shares a room with.
type Watchable interface {
	SeenBy(ctx context.Context, user string, devices []string) ([]string, error)
}

// Observer is told of reports once they are stored. It must not block, nor change them.
type Observer interface {
	Observe(device string, reports []domain.Report)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store     Store
	Cleaner   Cleaner
	Erased    Erased
	Devices   Devices
	Watchable Watchable
	Observer  Observer // nil: nobody
	Bus       bus.Bus
	Log       *slog.Logger
	Audit     Recorder
	Metrics   prometheus.Registerer // nil: none
	DiskFull  func() error          // fails while nothing may be stored; nil: never
	Now       func() time.Time      // nil: time.Now
	Keep      Keep
	Forwarded Forwarded
	Receiver  Receiver // nil: readings are not forwarded
	Secrets   Secrets  // of those who ask as they would ask Prometheus
	Owned     Owned
}

// Keep says for how long readings are kept, by resolution; 0: for ever. What is coarser is kept at
// least as long as what is finer.
type Keep struct{ Raw, Minutes, Hours, Days time.Duration }

// Service is the telemetry module. Run must be called.
type Service struct {
	Deps
	metrics   *metrics
	readings  *ratelimit.Limiter // of one device
	known     known
	live      live
	promLimit *ratelimit.Limiter // of queries, of one user or address
	forward   *forwarder         // nil: readings are not forwarded
}

const (
	readingsPerSec = 1000   // of one device
	readingsBurst  = 50_000 // of one device: what it has buffered comes at once
	closeEvery     = 10 * time.Second
	closeTimeout   = time.Minute
)

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.DiskFull == nil {
		d.DiskFull = func() error { return nil }
	}
	s := &Service{Deps: d, readings: ratelimit.New(readingsPerSec, time.Second, readingsBurst), known: newKnown()}
	s.promLimit = ratelimit.New(10*promPerMinute, time.Minute, 10*promPerMinute)
	s.live.init()
	s.metrics = newMetrics(d.Metrics)
	if d.Receiver != nil {
		s.forward = &forwarder{s: s, dirty: make(map[string]time.Time), begun: make(map[string]bool)}
	}
	return s
}

// Run packs reports and tells watchers what is new, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.known.follow(s.Bus)
	if err != nil {
		return err
	}
	defer stop()
	var wg sync.WaitGroup
	if stop, err := s.Bus.Subscribe(bus.RevokeSubject, func(m bus.Message) { s.onRevoke(ctx, m) }); err == nil {
		defer stop()
	}
	wg.Go(func() { s.every(ctx, closeEvery, s.closeDue) })
	wg.Go(func() { s.every(ctx, liveTick, s.publishDue) })
	wg.Go(func() { s.every(ctx, recheckEvery, s.recheckAll) })
	if s.forward != nil {
		wg.Go(func() { s.every(ctx, forwardEvery, s.forward.round) })
	}
	wg.Wait()
	return nil
}

func (s *Service) every(ctx context.Context, d time.Duration, fn func(context.Context)) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			fn(ctx)
		}
	}
}

// closeDue packs what is due. What cannot be packed now waits: it is safe where it is.
func (s *Service) closeDue(ctx context.Context) {
	for more := true; more && ctx.Err() == nil; {
		var err error
		one, cancel := context.WithTimeout(ctx, closeTimeout)
		more, err = s.Store.Close(one, s.Now(), false)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "cannot pack readings; will try again", "err", err)
			return
		}
	}
}
