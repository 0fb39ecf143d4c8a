package device

import (
	"context"
	"errors"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

const (
	linkBatch    = 200             // changes in one transaction
	linkMost     = 50_000          // that may wait; of more, the store is told of all links anew
	grace        = 5 * time.Second // for the next connection of a device whose last one has ended
	restartGrace = time.Minute     // the same, after the end of a node
	liveEvery    = 5 * time.Second
	nodeDead     = 3 * liveEvery
	staleMost    = 500 // descriptions that are read within a second
)

// A change of a link is stored a moment after it.
type change struct {
	domain.LinkChange
	heard time.Time // of an end: when something last came by it
}

func openOf(l *link) change {
	return change{LinkChange: domain.LinkChange{DeviceLink: domain.DeviceLink{
		ID: l.ID, Device: l.Device, Key: l.Key, Addr: l.Addr, Opened: l.Opened,
	}}}
}

func endOf(c domain.DeviceConnection, now, heard time.Time, because string) change {
	return change{domain.LinkChange{DeviceLink: domain.DeviceLink{ID: c.ID, Device: c.Device}, Ended: now,
		Reason: because}, heard}
}

// change has a change stored. The caller holds l.mu.
func (l *live) change(c change) {
	if len(l.changes) >= linkMost {
		l.taken += len(l.changes)
		l.changes, l.resync = nil, true
	}
	l.changes = append(l.changes, c)
}

// noted is how many changes there were so far, with those that a resync makes.
func (l *live) noted() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.taken + len(l.changes)
	if l.resync {
		for _, c := range l.devices {
			n += len(c.links)
		}
	}
	return n
}

// takeChanges returns the next changes to store, unless the first upTo of all are, and whether the store
// must be told of all links.
func (l *live) takeChanges(upTo int) (batch []change, resync bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.resync {
		l.taken += len(l.changes)
		l.resync, l.changes = false, nil
		for _, c := range l.devices {
			for _, link := range c.links {
				if !c.silent {
					l.changes = append(l.changes, openOf(link))
				}
			}
		}
		resync = true
	}
	if l.taken >= upTo && !resync {
		return nil, false
	}
	n := min(len(l.changes), linkBatch)
	batch, l.changes = l.changes[:n:n], l.changes[n:]
	l.taken += n
	return batch, resync
}

func (l *live) putBack(batch []change, resync bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(batch, l.changes...)
	l.taken -= len(batch)
	l.resync = l.resync || resync
}

// storeLinks stores which links have opened and ended until now, and tells of devices that came or went.
// What fails is stored with the next attempt.
func (s *Service) storeLinks(ctx context.Context) error {
	upTo := s.live.noted()
	for {
		if more, err := s.storeSome(ctx, upTo); err != nil || !more {
			return err
		}
	}
}

func (s *Service) storeSome(ctx context.Context, upTo int) (more bool, err error) {
	s.linking.Lock()
	defer s.linking.Unlock()
	batch, resync := s.live.takeChanges(upTo)
	if len(batch) == 0 && !resync {
		return false, nil
	}
	if err := s.storeBatch(ctx, batch, resync); err != nil {
		s.live.putBack(batch, resync)
		return false, err
	}
	return true, nil
}

func (s *Service) storeBatch(ctx context.Context, batch []change, resync bool) error {
	now := s.Now()
	if !s.registered || resync {
		if _, err := s.Store.NodeLives(ctx, s.node, now); err != nil {
			return err
		}
		s.registered = true
	}
	if resync {
		if err := s.Store.EndNode(ctx, s.node, now, now.Add(restartGrace)); err != nil {
			return err
		}
	}
	changes := make([]domain.LinkChange, len(batch))
	for i, c := range batch {
		if changes[i] = c.LinkChange; !c.Ended.IsZero() {
			can, err := s.Capabilities(ctx, c.Device)
			if err != nil {
				return err
			}
			changes[i].Due = due(c, can.OfflineAfter())
		}
	}
	came, rivals, err := s.Store.Link(ctx, s.node, changes)
	if err != nil {
		return err
	}
	s.tell(ctx, came)
	s.contest(ctx, rivals)
	return nil
}

// due is when a device is offline whose last link has ended. One that declares a heartbeat need not keep
// a connection.
func due(c change, silence time.Duration) time.Time {
	if c.Reason == silent || c.Reason == unavailable {
		return c.Ended
	}
	soon := c.Ended.Add(grace)
	if c.Reason == "restart" {
		soon = c.Ended.Add(restartGrace)
	}
	if later := c.heard.Add(silence); silence > 0 && later.After(soon) {
		return later
	}
	return soon
}

// Why a device whose connection is open is offline.
const (
	silent      = "silent"
	unavailable = "unavailable"
)

// lives says that this node lives. It waits for at most one batch of links.
func (s *Service) lives(ctx context.Context) error {
	s.linking.Lock()
	defer s.linking.Unlock()
	s.registered = s.registered && !s.live.none()
	if !s.registered {
		return nil
	}
	known, err := s.Store.NodeLives(ctx, s.node, s.Now())
	if err == nil && !known { // this node was taken for dead
		s.live.mu.Lock()
		s.live.resync = true
		s.live.mu.Unlock()
	}
	return err
}

// endDead ends the links of nodes that do not say that they live.
func (s *Service) endDead(ctx context.Context) error {
	now := s.Now()
	for {
		dead, err := s.Store.DeadNode(ctx, now.Add(-nodeDead), now, now.Add(restartGrace))
		if err != nil || dead == "" {
			return err
		}
		s.Log.InfoContext(ctx, "a node ended; its devices are to connect again", "node", dead)
	}
}

// sweep finds devices that are silent, or that are not back in time, and keys that are at two places.
func (s *Service) sweep(ctx context.Context) error {
	now := s.Now()
	s.live.mu.Lock()
	var stale []string
	for id, c := range s.live.devices {
		if c.stale && len(stale) < staleMost {
			stale = append(stale, id)
		}
		s.live.judge(c, now)
	}
	doubled := s.live.doubled(now)
	s.live.mu.Unlock()
	var errs []error
	for _, id := range stale {
		errs = append(errs, s.learnSilence(ctx, id))
	}
	for id, places := range doubled {
		errs = append(errs, s.double(ctx, id, places, now))
	}
	gone, err := s.Store.Overdue(ctx, now)
	s.tell(ctx, gone)
	return errors.Join(append(errs, err)...)
}

// judge takes a device for gone that is silent for too long, or says that it is not there; or for there
// again. The caller holds l.mu.
func (l *live) judge(c *connected, now time.Time) {
	last, reason := time.Time{}, unavailable
	for _, link := range c.links {
		if link.unavailable {
			continue
		}
		reason = silent
		if heard := link.heard(); heard.After(last) {
			last = heard
		}
	}
	gone := reason == unavailable || c.silence > 0 && now.Sub(last) > c.silence
	if c.silent && !gone {
		l.hear(c)
	}
	if gone && !c.silent {
		c.silent = true
		for _, link := range c.links {
			l.change(endOf(link.DeviceConnection, now, last, reason))
		}
	}
}

// hear takes a device that was silent, or not available, for there again. The caller holds l.mu.
func (l *live) hear(c *connected) {
	c.silent = false
	for _, link := range c.links {
		l.change(openOf(link))
	}
}

// learnSilence reads for how long a device may be silent.
func (s *Service) learnSilence(ctx context.Context, id string) error {
	s.live.mu.Lock()
	if c := s.live.devices[id]; c != nil {
		c.stale = false
	}
	s.live.mu.Unlock()
	can, err := s.Capabilities(ctx, id)
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if c := s.live.devices[id]; c != nil {
		c.stale = c.stale || err != nil
		if err == nil {
			c.silence = can.OfflineAfter()
		}
	}
	return err
}

// tell tells the owners of devices, and whoever watches them, that they came or went.
func (s *Service) tell(ctx context.Context, changed []domain.DeviceStatus) {
	if s.Bus == nil || len(changed) == 0 {
		return
	}
	now := s.Now()
	byOwner := make(map[string][]wire.DeviceStatus)
	all := make([]wire.DeviceStatus, 0, len(changed))
	for _, st := range changed {
		byOwner[st.Owner] = append(byOwner[st.Owner], *wire.FromDeviceStatus(st, true, now))
		seen := *wire.FromDeviceStatus(st, false, now)
		all = append(all, seen)
		frame, err := statusFrame(seen)
		if err == nil {
			err = s.Bus.Publish(wire.DeviceSubject(st.Device), frame)
		}
		if err != nil {
			s.Log.WarnContext(ctx, "tell that a device came or went", "device", st.Device, "err", err)
		}
	}
	for owner, of := range byOwner {
		s.tellOn(ctx, wire.UserSubject(owner), of)
	}
	s.tellOn(ctx, bus.PresenceSubject, all)
}

// tellOn publishes the statuses of devices for the hub, or for the presence of people and devices.
func (s *Service) tellOn(ctx context.Context, subject string, of []wire.DeviceStatus) {
	frame, err := statusFrame(of...)
	if err == nil {
		frame, err = wire.Pack(wire.Header{Type: wire.TypeDeviceStatus}, frame)
	}
	if err == nil {
		err = s.Bus.Publish(subject, frame)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell that a device came or went", "device", of[0].Device, "err", err)
	}
}

func statusFrame(of ...wire.DeviceStatus) ([]byte, error) {
	return wire.Encode(wire.Reply{Type: wire.TypeDeviceStatus, Data: wire.DeviceStatuses{Devices: of}})
}
