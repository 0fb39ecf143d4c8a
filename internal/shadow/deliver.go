package shadow

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
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
	noticesMost = 1024
)

// attachments are the connections of devices that are told of their settings.
type attachments struct {
	mu       sync.Mutex
	byDevice map[string][]*attachment // the newest last
}

// attachment is one connection.
type attachment struct {
	mu      sync.Mutex // held while settings are delivered
	given   int64      // the last version that it was told
	deliver func(domain.Shadow)
}

func (as *attachments) newest(device string) *attachment {
	as.mu.Lock()
	defer as.mu.Unlock()
	if list := as.byDevice[device]; len(list) > 0 {
		return list[len(list)-1]
	}
	return nil
}

func (as *attachments) none() bool {
	as.mu.Lock()
	defer as.mu.Unlock()
	return len(as.byDevice) == 0
}

// Attach tells a connection of a device from now on what is to be set: at once if the device has said
// nothing of the latest version. deliver must not block. Each version comes once to a connection, and to
// the newest one of a device on this node. detach must be called when the connection has ended.
func (s *Service) Attach(ctx context.Context, device string, deliver func(domain.Shadow)) (detach func()) {
	a := &attachment{deliver: deliver}
	s.here.mu.Lock()
	s.here.byDevice[device] = append(s.here.byDevice[device], a)
	s.here.mu.Unlock()
	s.handOver(ctx, device)
	return func() {
		s.here.mu.Lock()
		defer s.here.mu.Unlock()
		list := slices.DeleteFunc(s.here.byDevice[device], func(x *attachment) bool { return x == a })
		if s.here.byDevice[device] = list; len(list) == 0 {
			delete(s.here.byDevice, device)
		}
	}
}

// handOver tells a device that is connected here what is to be set, if it has not said that it is.
func (s *Service) handOver(ctx context.Context, device string) {
	a := s.here.newest(device)
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
	notices := make(chan string, noticesMost)
	notice := func(device string) {
		select {
		case notices <- device:
		default: // found in the store
		}
	}
	stop, err := s.Bus.Subscribe(subject, func(m bus.Message) { notice(string(m.Data)) })
	if err != nil {
		return err
	}
	defer stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case device := <-notices:
			s.handOver(ctx, device)
		case <-look.C:
			if s.here.none() {
				continue
			}
			open, err := s.Store.OpenSettings(ctx, s.Now().Add(-lookBack), lookMost)
			if err != nil && ctx.Err() == nil {
				s.Log.WarnContext(ctx, "look for changes of settings", "err", err)
			}
			for _, device := range open {
				s.handOver(ctx, device)
			}
		}
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
