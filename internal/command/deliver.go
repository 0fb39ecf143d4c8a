package command

import (
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/trace"
)

// subject carries the ids of devices that there is a command for. What it loses, Run finds in the
// store.
const subject = "commands"

const (
	deliverers  = 8                // that read the store at the same time
	lookEvery   = 5 * time.Second  // for commands whose notice was lost
	lookMost    = 1000             // devices at a time
	deliverTime = 15 * time.Second // for one device
)

// An attachment is one connection of a device, of any transport.
type attachment struct {
	deliver func(domain.Command)

	mu    sync.Mutex
	given map[string]bool // ids of commands that it has had
}

// Attach delivers commands to a connection of a device from now on, beginning with those that the
// device has said nothing about yet. deliver must not block. Each command comes once to a
// connection, and to the newest connection of a device alone; a device may get it again by a later
// connection. detach must be called when the connection has ended.
func (s *Service) Attach(ctx context.Context, device string, deliver func(domain.Command)) (detach func()) {
	a := &attachment{deliver: deliver}
	detach = s.here.Add(device, a)
	s.handOver(ctx, device)
	return detach
}

// handOver delivers what waits for a device that is connected here.
func (s *Service) handOver(ctx context.Context, device string) {
	a := s.here.Newest(device)
	if a == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	sent, err := s.deliver(ctx, device, a)
	for _, c := range sent {
		if err == nil && c.State == domain.CommandQueued {
			err = s.sent(ctx, c)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "deliver commands", "device", device, "err", err) // Run looks again
	}
}

// deliver gives a connection the commands that it has not had.
func (s *Service) deliver(ctx context.Context, device string, a *attachment) (sent []domain.Command, err error) {
	a.mu.Lock() // so that commands keep their order
	defer a.mu.Unlock()
	pending, err := s.Store.Pending(ctx, device, true, s.Now())
	if err != nil {
		return nil, err
	}
	given := make(map[string]bool, len(pending))
	for _, c := range pending {
		given[c.ID] = true
		if a.given[c.ID] {
			if c.State == domain.CommandQueued {
				sent = append(sent, c) // that it was sent could not be stored
			}
			continue
		}
		s.give(ctx, a, c)
		sent = append(sent, c)
	}
	a.given = given
	return sent, nil
}

// give hands a command to a connection. The device is told the trace that it is a part of.
func (s *Service) give(ctx context.Context, a *attachment, c domain.Command) {
	ctx, span := s.Trace.Continue(ctx, "command.deliver", c.Trace)
	span.Note(trace.String("unhidra.command", c.ID))
	c.Trace = trace.Parent(ctx)
	a.deliver(c)
	span.End(nil)
}

func (s *Service) sent(ctx context.Context, c domain.Command) error {
	c, changed, err := s.Store.Sent(ctx, c.Device, c.ID, s.Now())
	if changed {
		s.changed(c)
	}
	return err
}

// Open returns all open commands of the device p, also those that it has said something about:
// what it asks for after it has lost its memory.
func (s *Service) Open(ctx context.Context, p domain.Principal) ([]domain.Command, error) {
	if p.Kind != domain.KindDevice {
		return nil, domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device asks for its commands")
	}
	open, err := s.Store.Pending(ctx, p.ID, false, s.Now())
	for _, c := range open {
		if err == nil && c.State == domain.CommandQueued {
			err = s.sent(ctx, c)
		}
	}
	return open, err
}

// announce tells all nodes that there is a command for a device.
func (s *Service) announce(device string) {
	if err := s.Bus.Publish(subject, []byte(device)); err != nil {
		s.Log.Warn("announce a command", "device", device, "err", err) // found in the store later
	}
}

// Run delivers commands to the devices that are connected to this process, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	return s.here.Run(ctx, s.Bus, attach.Work{Subject: subject, Workers: deliverers, HandOver: s.handOver,
		Every: lookEvery, Look: s.look})
}

// look finds commands whose notice was lost.
func (s *Service) look(ctx context.Context) {
	waiting, err := s.Store.Waiting(ctx, s.Now().Add(-lookEvery), lookMost)
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for commands", "err", err)
	}
	for _, device := range waiting {
		s.here.Notice(device)
	}
}

const (
	expireEvery = time.Second
	expireMost  = 100 // commands at a time
	pruneEvery  = time.Hour
)

// Expire ends commands that were not answered in time, and forgets those that ended long ago, until
// ctx is done. Several nodes may do that at the same time.
func (s *Service) Expire(ctx context.Context) error {
	expire, prune := time.NewTicker(expireEvery), time.NewTicker(pruneEvery)
	defer expire.Stop()
	defer prune.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return nil
		case <-expire.C:
			if err = s.expire(ctx); err == nil {
				err = s.Store.TellBatches(ctx, s.Now(), expireMost)
			}
		case <-prune.C:
			for more := true; more && err == nil; {
				more, err = s.Store.Prune(ctx, s.Now().Add(-domain.CommandKept))
			}
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "end commands", "err", err)
		}
	}
}

func (s *Service) expire(ctx context.Context) error {
	for {
		expired, err := s.Store.Expire(ctx, s.Now(), expireMost)
		for _, c := range expired {
			s.metrics.end(c, s.Now())
			s.changed(c)
		}
		if err != nil || len(expired) < expireMost {
			return err
		}
	}
}
