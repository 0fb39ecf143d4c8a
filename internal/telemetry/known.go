package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

const (
	knownDevices    = 20_000 // in memory; when there are more, the cache begins anew
	learnedPerMin   = 10     // sensors of a device that it did not declare
	textsRemembered = time.Hour
)

// known caches which series devices have, so that a device cannot make any number of them.
type known struct {
	mu      sync.Mutex
	devices map[string]*names
}

// names are the series of one device.
type names struct {
	mu     sync.Mutex
	loaded bool
	all    map[string]domain.ValueKind
	learn  ratelimit.Cell
	texts  map[string]map[string]bool // by series: the different texts since begin
	begin  time.Time
}

func newKnown() known { return known{devices: make(map[string]*names)} }

var learnRate = ratelimit.NewRate(learnedPerMin, time.Minute, domain.MaxLearned)

func (s *Service) namesOf(ctx context.Context, device string, now time.Time) (*names, error) {
	s.known.mu.Lock()
	n := s.known.devices[device]
	if n == nil {
		if len(s.known.devices) >= knownDevices {
			clear(s.known.devices)
		}
		n = &names{all: make(map[string]domain.ValueKind), begin: now}
		s.known.devices[device] = n
	}
	s.known.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.loaded {
		return n, nil
	}
	series, err := s.Store.Series(ctx, device)
	if err != nil {
		return nil, err
	}
	for _, of := range series {
		n.all[of.Name] = of.Kind
	}
	n.loaded = true
	return n, nil
}

// erasedSubject has the ids of devices whose readings were deleted, for all nodes.
const erasedSubject = "readings_erased"

// follow drops what is known of devices whose readings another node deletes, until stop is called.
func (k *known) follow(b bus.Bus) (stop func(), err error) {
	stopErased, err := b.Subscribe(erasedSubject, func(m bus.Message) { k.forget(string(m.Data)) })
	if err != nil {
		return nil, err
	}
	stopGaps, err := b.Subscribe(bus.GapSubject, func(bus.Message) { k.forgetAll() })
	if err != nil {
		stopErased()
		return nil, err
	}
	return func() { stopErased(); stopGaps() }, nil
}

// forget drops what is known of a device.
func (k *known) forget(device string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.devices, device)
}

func (k *known) forgetAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	clear(k.devices)
}

// know says why there is no series of that name for values of a kind, and may be none from now on;
// empty: there is one. Its kind is the declared one, or that of its first value. The caller holds n.mu.
func (n *names) know(name string, kind domain.ValueKind, declared bool, now time.Time) domain.RefusalReason {
	if had, ok := n.all[name]; ok {
		if !declared && had != kind {
			return domain.RefusedKind
		}
		n.all[name] = kind
		return ""
	}
	limit := domain.MaxLearned
	if declared {
		limit = domain.MaxSensors
	}
	if len(n.all) >= limit {
		return domain.RefusedUndeclared
	}
	if !declared {
		if ok, _ := n.learn.Allow(learnRate, now); !ok {
			return domain.RefusedUndeclared
		}
	}
	n.all[name] = kind
	return ""
}

// text reports whether a series may have one more text. The caller holds n.mu.
func (n *names) text(name, text string, now time.Time) bool {
	if n.texts == nil || now.Sub(n.begin) >= textsRemembered {
		n.texts, n.begin = make(map[string]map[string]bool), now
	}
	of := n.texts[name]
	if of == nil {
		of = make(map[string]bool)
		n.texts[name] = of
	}
	if !of[text] && len(of) >= domain.MaxReadingTexts {
		return false
	}
	of[text] = true
	return true
}
