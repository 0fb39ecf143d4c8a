package telemetry

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	// MaxWatched is how many devices one connection can watch.
	MaxWatched   = 100
	liveEvery    = time.Second // between two frames of one device
	liveTick     = 200 * time.Millisecond
	liveForget   = time.Minute // after its last report
	recheckEvery = time.Minute
	storeTimeout = 10 * time.Second
)

// live knows what is new of devices that report to this node, and who watches devices from here.
type live struct {
	mu       sync.Mutex
	latest   map[string]*latest
	watchers map[string]*watched // by device
	conns    map[string]*watcher // by connection
}

// latest is what is new of a device since watchers were told.
type latest struct {
	at     time.Time
	values map[string]any
	since  map[string]time.Time // of each value that was ever told
	told   time.Time
	last   time.Time // when it last reported
}

// watched is a device that connections of this node watch.
type watched struct {
	conns map[*watcher]bool
	stop  func() // ends the subscription
}

type watcher struct {
	who     domain.Principal
	devices []string
	deliver func(frame []byte)
}

func (l *live) init() {
	l.latest, l.watchers, l.conns = make(map[string]*latest), make(map[string]*watched), make(map[string]*watcher)
}

// show has watchers told of new reports: at once, or a second after they were told before. Values
// that are older than what they know are left out.
func (s *Service) show(device string, reports []domain.Report) {
	now := s.Now()
	s.live.mu.Lock()
	l := s.live.latest[device]
	if l == nil {
		l = &latest{values: make(map[string]any), since: make(map[string]time.Time)}
		s.live.latest[device] = l
	}
	l.last = now
	for _, r := range reports {
		if r.Old {
			continue
		}
		for _, reading := range r.Readings {
			if r.At.Before(l.since[reading.Name]) {
				continue
			}
			l.since[reading.Name], l.values[reading.Name] = r.At, reading.Value.Any()
			if r.At.After(l.at) {
				l.at = r.At
			}
		}
	}
	frame := l.take(device, now)
	s.live.mu.Unlock()
	s.publish(device, frame)
}

// take returns the frame that is due; nil: none is.
func (l *latest) take(device string, now time.Time) []byte {
	if len(l.values) == 0 || now.Sub(l.told) < liveEvery {
		return nil
	}
	frame, err := wire.Encode(wire.Reply{Type: wire.TypeReadings,
		Data: wire.DeviceReadings{Device: device, At: l.at, Values: l.values}})
	l.values, l.told = make(map[string]any), now
	if err != nil { // cannot happen: all values are finite
		return nil
	}
	return frame
}

func (s *Service) publish(device string, frame []byte) {
	if frame == nil {
		return
	}
	if err := s.Bus.Publish(wire.DeviceSubject(device), frame); err != nil {
		s.Log.Debug("live readings were lost", "device", device, "err", err)
	}
}

// publishDue tells what has waited for its second, and forgets devices that are silent.
func (s *Service) publishDue(context.Context) {
	now := s.Now()
	frames := make(map[string][]byte)
	s.live.mu.Lock()
	for device, l := range s.live.latest {
		if frame := l.take(device, now); frame != nil {
			frames[device] = frame
		} else if len(l.values) == 0 && now.Sub(l.last) > liveForget {
			delete(s.live.latest, device)
		}
	}
	s.live.mu.Unlock()
	for device, frame := range frames {
		s.publish(device, frame)
	}
}

// Watch replaces the devices that a connection watches, and returns their last values. Devices that p
// may not see are left out, so that nobody learns which ids exist.
func (s *Service) Watch(
	ctx context.Context, conn string, p domain.Principal, devices []string, deliver func(frame []byte),
) ([]wire.DeviceReadings, error) {
	if len(devices) > MaxWatched {
		return nil, domain.InvalidField("/devices", "at most %d devices can be watched", MaxWatched)
	}
	devices = slices.Compact(slices.Sorted(slices.Values(devices)))
	allowed, err := s.allowed(ctx, p, devices)
	if err != nil {
		return nil, err
	}
	if err := s.setWatched(conn, p, allowed, deliver); err != nil {
		return nil, err
	}
	out := make([]wire.DeviceReadings, 0, len(allowed))
	for _, d := range allowed {
		series, err := s.Store.Series(ctx, d)
		if err != nil {
			return nil, err
		}
		out = append(out, lastOf(d, series))
	}
	return out, nil
}

func lastOf(device string, series []domain.Series) wire.DeviceReadings {
	r := wire.DeviceReadings{Device: device, Values: make(map[string]any)}
	for _, s := range series {
		if s.LastAt.IsZero() {
			continue
		}
		r.Values[s.Name] = s.Last.Any()
		if s.LastAt.After(r.At) {
			r.At = s.LastAt
		}
	}
	return r
}

// allowed returns those of devices that p may see: what has not the form of a device's id is none of them,
// and may be no subject of the bus, or one of many devices.
func (s *Service) allowed(ctx context.Context, p domain.Principal, devices []string) ([]string, error) {
	devices = slices.DeleteFunc(slices.Clone(devices), func(d string) bool {
		return !domain.ValidID(domain.DevicePrefix, d)
	})
	if len(devices) == 0 {
		return nil, nil
	}
	return s.Watchable.SeenBy(ctx, p.ID, devices)
}

// setWatched replaces the devices of a connection.
func (s *Service) setWatched(conn string, p domain.Principal, devices []string, deliver func([]byte)) error {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	w := s.live.conns[conn]
	if w == nil {
		w = &watcher{}
		s.live.conns[conn] = w
	}
	w.who, w.deliver = p, deliver
	s.live.filter(w, func(d string) bool { return !slices.Contains(devices, d) })
	for _, d := range devices {
		if slices.Contains(w.devices, d) {
			continue
		}
		of := s.live.watchers[d]
		if of == nil {
			stop, err := s.Bus.Subscribe(wire.DeviceSubject(d), s.onReadings(d))
			if err != nil {
				return err
			}
			of = &watched{conns: make(map[*watcher]bool), stop: stop}
			s.live.watchers[d] = of
		}
		of.conns[w] = true
		w.devices = append(w.devices, d)
	}
	if len(w.devices) == 0 {
		delete(s.live.conns, conn)
	}
	return nil
}

// onReadings delivers what is new of a device.
func (s *Service) onReadings(device string) func(bus.Message) {
	return func(m bus.Message) {
		s.live.mu.Lock()
		defer s.live.mu.Unlock()
		if of := s.live.watchers[device]; of != nil {
			for w := range of.conns {
				w.deliver(m.Data)
			}
		}
	}
}

// filter ends the watching of the devices for which drop returns true. The caller holds l.mu.
func (l *live) filter(w *watcher, drop func(device string) bool) {
	w.devices = slices.DeleteFunc(w.devices, func(d string) bool {
		if !drop(d) {
			return false
		}
		of := l.watchers[d]
		if delete(of.conns, w); len(of.conns) == 0 {
			of.stop()
			delete(l.watchers, d)
		}
		return true
	})
}

// Unwatch is called when a connection ends.
func (s *Service) Unwatch(conn string) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if w := s.live.conns[conn]; w != nil {
		s.live.filter(w, func(string) bool { return true })
		delete(s.live.conns, conn)
	}
}

// OnLeft is called when a user, who may be a device, is no longer in a room. It ends the watching
// of those who may no longer see what they watch.
func (s *Service) OnLeft(ctx context.Context, user string) {
	s.live.mu.Lock()
	var concerned []*watcher
	for _, w := range s.live.conns {
		if w.who.ID == user || slices.Contains(w.devices, user) {
			concerned = append(concerned, w)
		}
	}
	s.live.mu.Unlock()
	for _, w := range concerned {
		s.recheck(ctx, w)
	}
}

// onRevoke ends the watching of a device by those who may not see it any more, since it has changed hands.
func (s *Service) onRevoke(ctx context.Context, m bus.Message) {
	var v bus.Revocation
	if json.Unmarshal(m.Data, &v) == nil && v.Reason == domain.EndTransferred {
		s.OnLeft(ctx, v.Device)
	}
}

// recheckAll finds what OnLeft was not told of.
func (s *Service) recheckAll(ctx context.Context) {
	s.live.mu.Lock()
	all := make([]*watcher, 0, len(s.live.conns))
	for _, w := range s.live.conns {
		all = append(all, w)
	}
	s.live.mu.Unlock()
	for _, w := range all {
		one, cancel := context.WithTimeout(ctx, storeTimeout)
		s.recheck(one, w)
		cancel()
	}
}

// recheck ends the watching of devices that a watcher may no longer see; if that cannot be asked,
// of all.
func (s *Service) recheck(ctx context.Context, w *watcher) {
	s.live.mu.Lock()
	devices, who := slices.Clone(w.devices), w.who
	s.live.mu.Unlock()
	allowed, err := s.allowed(ctx, who, devices)
	if err != nil {
		s.Log.WarnContext(ctx, "cannot see who may still see a device; watching ends", "user", who.ID, "err", err)
		allowed = nil
	}
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.live.filter(w, func(d string) bool { return slices.Contains(devices, d) && !slices.Contains(allowed, d) })
}
