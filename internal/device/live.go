package device

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
)

// live tracks the devices that are connected to this process.
type live struct {
	mu      sync.Mutex
	devices map[string]*connected
	ended   []domain.DeviceConnection // not yet in the store
}

// endedMost is how many ended connections may wait to be stored; of more there is no history.
const endedMost = 20_000

type connected struct {
	owner string
	conns []domain.DeviceConnection // the oldest first
}

// ended takes the connection out that a key opened from an address: the oldest, if there are several,
// so that the end of a stale connection is not taken for that of a fresh one.
func (c *connected) ended(key, addr string) domain.DeviceConnection {
	i := slices.IndexFunc(c.conns, func(conn domain.DeviceConnection) bool { return conn.Key == key && conn.Addr == addr })
	i = max(i, 0) // else the oldest: each end is that of one
	conn := c.conns[i]
	c.conns = slices.Delete(c.conns, i, i+1)
	return conn
}

func newLive() live { return live{devices: make(map[string]*connected)} }

// DeviceConnected must be called when a connection of a device is opened.
func (s *Service) DeviceConnected(ctx context.Context, p domain.Principal, from netip.Addr) {
	s.live.mu.Lock()
	c := s.live.devices[p.ID]
	if c == nil {
		c = &connected{owner: p.Owner}
		s.live.devices[p.ID] = c
	}
	c.conns = append(c.conns, domain.DeviceConnection{ID: domain.NewID(domain.ConnPrefix), Device: p.ID, Key: p.Key,
		Addr: addrText(from), Opened: s.Now()})
	s.live.mu.Unlock()
	s.mu.Lock()
	s.used[p.Key] = domain.DeviceUse{Key: p.Key, At: s.Now(), IP: from.String()}
	s.mu.Unlock()
	s.record(ctx, domain.AuditDeviceConnect, p.ID, p.Key, deviceActor(p.ID, from))
}

// DeviceDisconnected must be called when a connection of a device has ended.
func (s *Service) DeviceDisconnected(ctx context.Context, p domain.Principal, from netip.Addr, because string) {
	s.live.mu.Lock()
	if c := s.live.devices[p.ID]; c != nil {
		if conn := c.ended(p.Key, addrText(from)); len(s.live.ended) < endedMost {
			conn.Closed, conn.Reason = s.Now(), because
			s.live.ended = append(s.live.ended, conn)
		}
		if len(c.conns) == 0 {
			delete(s.live.devices, p.ID)
		}
	}
	s.live.mu.Unlock()
	e := deviceActor(p.ID, from)
	e.Reason = because
	s.record(ctx, domain.AuditDeviceDisconnect, p.ID, p.Key, e)
}

func (l *live) has(device string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.devices[device] != nil
}

// of returns the connected devices of each owner.
func (l *live) of(owners ...string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ids []string
	for id, c := range l.devices {
		if slices.Contains(owners, c.owner) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (l *live) owners() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	owners := make(map[string]bool)
	for _, c := range l.devices {
		owners[c.owner] = true
	}
	return slices.Collect(maps.Keys(owners))
}

func (l *live) none() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.devices) == 0
}

// announce tells all nodes to close the connections of a device or key.
func (s *Service) announce(ctx context.Context, e domain.DeviceEnd) {
	if s.Bus == nil {
		return
	}
	b, err := json.Marshal(bus.Revocation{Device: e.Device, Key: e.Key, Reason: e.Reason})
	if err == nil {
		err = s.Bus.Publish(bus.RevokeSubject, b)
	}
	if err != nil {
		s.Log.ErrorContext(ctx, "announce that a device has ended", "err", err) // other nodes find it in the store
	}
}

const (
	pollEvery   = time.Second
	flushEvery  = time.Minute
	endedEvery  = 5 * time.Second
	endedBatch  = 500 // connections in one transaction
	forgetEvery = time.Hour
	keptFor     = 90 * 24 * time.Hour // ended keys, which the owner can still see
	slack       = 10 * pollEvery      // clock differences between nodes, and failed polls
)

// Run disconnects the devices whose end the bus did not announce: those that another node or a
// command revoked, those that expired, and those of disabled owners. It also stores when keys were
// used, and deletes old keys. It blocks until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(bus.RevokeSubject, func(m bus.Message) { s.onRevoke(ctx, m) })
	if err != nil {
		return err
	}
	defer stop()
	unheard, err := s.Bus.Subscribe(describedSubject, s.onDescribed)
	if err != nil {
		return err
	}
	defer unheard()
	poll, flush, forget := time.NewTicker(pollEvery), time.NewTicker(flushEvery), time.NewTicker(forgetEvery)
	ended := time.NewTicker(endedEvery)
	defer ended.Stop()
	defer poll.Stop()
	defer flush.Stop()
	defer forget.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			return errors.Join(s.flush(ctx), s.storeEnded(ctx))
		case <-ended.C:
			err = s.storeEnded(ctx)
		case <-poll.C:
			err = s.poll(ctx)
		case <-flush.C:
			err = s.flush(ctx)
		case <-forget.C:
			err = s.Store.PruneDeviceKeys(ctx, s.Now().Add(-keptFor))
		}
		if err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look after devices", "err", err)
		}
	}
}

// onRevoke disconnects the devices of a user who was disabled.
func (s *Service) onRevoke(ctx context.Context, m bus.Message) {
	var v bus.Revocation
	if err := json.Unmarshal(m.Data, &v); err != nil || v.Device != "" || v.Session != "" || len(s.live.of(v.User)) == 0 {
		return // others report invalid messages
	}
	if err := s.closeBarred(ctx, []string{v.User}); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look after devices", "err", err)
	}
}

// poll disconnects the connected devices that have ended.
func (s *Service) poll(ctx context.Context) error {
	if s.live.none() {
		return nil
	}
	now := s.Now()
	ended, err := s.Store.EndedDevices(ctx, now.Add(-slack), now)
	if err != nil {
		return err
	}
	for _, e := range ended {
		if s.live.has(e.Device) {
			s.announce(ctx, e)
		}
	}
	return s.closeBarred(ctx, s.live.owners())
}

func (s *Service) closeBarred(ctx context.Context, owners []string) error {
	barred, err := s.Store.DisabledOwners(ctx, owners)
	if err != nil {
		return err
	}
	for _, id := range s.live.of(barred...) {
		s.announce(ctx, domain.DeviceEnd{Device: id, Reason: "owner_disabled"})
	}
	return nil
}

// storeEnded stores the connections that have ended. Those of which it fails are lost.
func (s *Service) storeEnded(ctx context.Context) error {
	s.live.mu.Lock()
	ended := s.live.ended
	s.live.ended = nil
	s.live.mu.Unlock()
	for part := range slices.Chunk(ended, endedBatch) {
		if err := s.Store.Connected(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// flush stores when and from where keys were used. Run calls it once a minute.
func (s *Service) flush(ctx context.Context) error {
	s.mu.Lock()
	used := s.used
	s.used = make(map[string]domain.DeviceUse)
	s.mu.Unlock()
	return s.Store.UsedDeviceKeys(ctx, slices.Collect(maps.Values(used)))
}
