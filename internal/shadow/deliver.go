package shadow

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/domain"
)

// subject carries the ids of devices whose settings have changed.
const subject = "settings"

const (
	lookEvery   = 10 * time.Second // for changes whose notice was lost
	followEvery = 10 * time.Second
	lookBack    = 10 * time.Minute
	lookMost    = 1000
	deliverTime = 10 * time.Second
)

// An attachment is one connection of a device, of any transport.
type attachment struct {
	mu      sync.Mutex // held while settings are delivered
	given   int64      // the last version that it was told
	deliver func(domain.Shadow)
}

// Attach tells a connection of a device from now on what is to be set: at once if the device has said
// nothing of the latest version. deliver must not block. Each version comes once to a connection, and to
// the newest one of a device on this node. detach must be called when the connection has ended.
func (s *Service) Attach(ctx context.Context, device string, deliver func(domain.Shadow)) (detach func()) {
	a := &attachment{deliver: deliver}
	detach = s.here.Add(device, a)
	s.handOver(ctx, device)
	return detach
}

// handOver tells a device that is connected here what is to be set, if it has not said that it is.
func (s *Service) handOver(ctx context.Context, device string) {
	a := s.here.Newest(device)
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	a.mu.Lock()
	defer a.mu.Unlock()
	sh, err := s.Store.Shadow(ctx, device)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "tell a device its settings", "device", device, "err", err) // Run looks again
		}
		return
	}
	if sh.Open() && sh.Version > a.given {
		a.given = sh.Version
		a.deliver(sh)
	}
}

// Run tells the devices that are connected to this process of changes, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	return s.here.Run(ctx, s.Bus, attach.Work{Subject: subject, Workers: 1, HandOver: s.handOver, Every: lookEvery,
		Look: s.look})
}

// look finds changes whose notice was lost.
func (s *Service) look(ctx context.Context) {
	open, err := s.Store.OpenSettings(ctx, s.Now().Add(-lookBack), lookMost)
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for changes of settings", "err", err)
	}
	for _, device := range open {
		s.handOver(ctx, device)
	}
}

// Follow gives devices the defaults of settings that are theirs by their groups and templates, until ctx is done.
// Several nodes may do that at the same time.
func (s *Service) Follow(ctx context.Context) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := s.follow(ctx); err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "give devices the defaults of settings", "err", err)
			}
		}
	}
}

func (s *Service) follow(ctx context.Context) error {
	changed, err := s.Store.FollowDefaults(ctx, s.Now())
	for _, sh := range changed {
		s.changed(ctx, sh)
		s.publish(ctx, subject, []byte(sh.Device), sh.Device)
	}
	return err
}
