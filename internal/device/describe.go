package device

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// described caches what devices say about themselves. Another node may change that: what it
// announces is dropped here at once, and if the bus loses it, the entry ends by itself.
type described struct {
	mu      sync.Mutex
	entries map[string]description
	drops   int // how many were dropped: what was read before the last of them may be old
}

type description struct {
	c     domain.Capabilities
	until time.Time
}

const (
	describedFor  = time.Minute
	describedMost = 20_000 // devices; when more are asked for, the cache begins anew
)

func newDescribed() described { return described{entries: make(map[string]description)} }

// get returns what is known of a device, and for put how many were dropped until now.
func (d *described) get(device string, now time.Time) (c domain.Capabilities, ok bool, drops int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.entries[device]
	return e.c, ok && now.Before(e.until), d.drops
}

// put adds what was read after get, unless something changed meanwhile.
func (d *described) put(device string, c domain.Capabilities, now time.Time, drops int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if drops != d.drops {
		return
	}
	if len(d.entries) >= describedMost {
		clear(d.entries)
	}
	d.entries[device] = description{c, now.Add(describedFor)}
}

func (d *described) drop(device string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.entries, device)
	d.drops++
}

// Describe takes what the device p says about itself, in place of what it said before.
func (s *Service) Describe(ctx context.Context, p domain.Principal, c domain.Capabilities) error {
	if p.Kind != domain.KindDevice {
		return domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device describes itself")
	}
	if err := domain.CheckCapabilities("/capabilities", c); err != nil {
		return err
	}
	changed, err := s.Store.Describe(ctx, p.ID, c, s.Now())
	if err != nil || !changed {
		return err
	}
	s.described.drop(p.ID)
	s.tellDescribed(ctx, p.ID)
	return nil
}

// tellDescribed tells all nodes that a device is described otherwise than before.
func (s *Service) tellDescribed(ctx context.Context, device string) {
	if s.Bus == nil {
		return
	}
	if err := s.Bus.Publish(bus.DescribedSubject, []byte(device)); err != nil {
		s.Log.WarnContext(ctx, "announce what a device says about itself", "device", device, "err", err)
	}
}

// OwnDevices returns the devices of a user that may connect, with what they say about themselves.
func (s *Service) OwnDevices(ctx context.Context, owner string) (all []domain.DescribedDevice, err error) {
	for after := ""; ; {
		page, err := s.Store.FindDevices(ctx, domain.DeviceQuery{Owner: owner, State: domain.DeviceActive}, after, ownPage,
			s.Now())
		if err != nil || len(page) == 0 {
			return all, err
		}
		described, err := s.Store.Described(ctx, page)
		if err != nil {
			return nil, err
		}
		all, after = append(all, described...), page[len(page)-1].ID
		if len(page) < ownPage {
			return all, nil
		}
	}
}

const ownPage = 200 // devices that are read in one step

// OwnerOf returns whose a device is.
func (s *Service) OwnerOf(ctx context.Context, device string) (string, error) {
	d, err := s.Store.DeviceByID(ctx, device)
	return d.Owner.ID, err
}

// Leaves takes that the device p will be away for some time, on purpose. Its silence is no alarm
// until then.
func (s *Service) Leaves(ctx context.Context, p domain.Principal, reason string, backIn time.Duration) error {
	if p.Kind != domain.KindDevice {
		return domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device says that it is away")
	}
	if reason == domain.AwayReset {
		return s.reset(ctx, p)
	}
	until, err := domain.CheckAway(reason, backIn, s.Now())
	if err != nil {
		return err
	}
	if err := s.storeLinks(ctx); err != nil { // of the connection by which it says so
		return err
	}
	return s.Store.Away(ctx, p.ID, reason, until)
}

// AwayUntil returns when a device wants to be back; zero: it is not away on purpose.
func (s *Service) AwayUntil(ctx context.Context, device string) (time.Time, error) {
	d, err := s.Store.DeviceByID(ctx, device)
	return d.AwayUntil, err
}

// Capabilities returns what a device last said about itself: nothing if it has said nothing, or
// is none. What it said on another node may be known here a minute later only. The answer is
// shared: it must not be changed.
func (s *Service) Capabilities(ctx context.Context, device string) (domain.Capabilities, error) {
	now := s.Now()
	c, ok, drops := s.described.get(device, now)
	if ok {
		return c, nil
	}
	c, _, err := s.Store.Capabilities(ctx, device)
	if err == nil {
		s.described.put(device, c, now, drops)
	}
	return c, err
}

// onDescribed forgets what a device said before.
func (s *Service) onDescribed(m bus.Message) {
	device := string(m.Data)
	s.described.drop(device)
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if c := s.live.devices[device]; c != nil {
		c.stale = true
	}
}
