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
	conns   map[string]*link            // by the id that its transport has for a connection
	behind  map[string]map[string]*link // by the same, and by device: of those that a bridge speaks for
	changes []change                    // not yet in the store
	taken   int                         // changes before these
	resync  bool                        // changes were lost: the store is told of everything anew
	ended   []domain.DeviceConnection   // not yet in the store

	contests map[string]*contest  // by device, of keys that are in use from several addresses
	left     map[string]departure // by device, of connections whose place another one took a moment ago
}

// endedMost is how many ended connections may wait to be stored; of more there is no history.
const endedMost = 20_000

type connected struct {
	owner string
	links []*link
	// OfflineAfter of what it says about itself; 0: it has declared no heartbeat, or that is not known yet.
	silence time.Duration
	stale   bool // silence may be another one now
	silent  bool // nothing was heard for that long, or it says so: the store has taken its links for ended
}

// A link is a connection of a device.
type link struct {
	domain.DeviceConnection
	at    netip.Addr
	heard func() time.Time
	rival rival

	unavailable bool // the device says by it that it is not there
}

func newLive() live {
	return live{devices: make(map[string]*connected), conns: make(map[string]*link),
		behind: make(map[string]map[string]*link), contests: make(map[string]*contest),
		left: make(map[string]departure)}
}

// DeviceConnected must be called when a connection of a device is opened. conn is its id, and heard
// tells when something last came by it.
func (s *Service) DeviceConnected(
	ctx context.Context, conn string, p domain.Principal, from netip.Addr, heard func() time.Time,
) {
	s.connects.Inc()
	now := s.Now()
	l := &link{at: from, heard: heard, DeviceConnection: domain.DeviceConnection{ID: domain.NewID(domain.ConnPrefix),
		Device: p.ID, Key: p.Key, Addr: addrText(from), Opened: now}}
	s.live.mu.Lock()
	c := s.live.devices[p.ID]
	if c == nil {
		c = &connected{owner: p.Owner, stale: true}
		s.live.devices[p.ID] = c
	}
	if c.silent {
		s.live.hear(c)
	}
	c.links = append(c.links, l)
	s.live.conns[conn] = l
	s.live.change(openOf(l))
	rivals := s.live.left[p.ID].rivals(l.DeviceConnection)
	s.live.mu.Unlock()
	s.contest(ctx, rivals)
	s.uses(p, from)
	s.record(ctx, domain.AuditDeviceConnect, p.ID, p.Key, deviceActor(p.ID, from))
}

// uses has it stored that a key was used.
func (s *Service) uses(p domain.Principal, from netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[p.Key] = domain.DeviceUse{Key: p.Key, At: s.Now(), IP: from.String()}
}

// DeviceRenewed must be called when the device of a connection has proved another key.
func (s *Service) DeviceRenewed(ctx context.Context, conn string, p domain.Principal) {
	const because = "new key"
	now := s.Now()
	s.live.mu.Lock()
	l := s.live.conns[conn]
	if l == nil {
		s.live.mu.Unlock()
		return
	}
	before := l.DeviceConnection
	s.live.history(before, now, because)
	l.ID, l.Key, l.Opened, l.rival = domain.NewID(domain.ConnPrefix), p.Key, now, rival{}
	if c := s.live.devices[l.Device]; !c.silent {
		s.live.change(openOf(l))
		s.live.change(endOf(before, now, now, because))
	}
	s.live.mu.Unlock()
	s.uses(p, l.at)
	e := deviceActor(p.ID, l.at)
	s.record(ctx, domain.AuditDeviceConnect, p.ID, p.Key, e)
	e.Reason = because
	s.record(ctx, domain.AuditDeviceDisconnect, p.ID, before.Key, e)
}

// DeviceDisconnected must be called when a connection of a device has ended.
func (s *Service) DeviceDisconnected(ctx context.Context, conn, because string) {
	now := s.Now()
	s.live.mu.Lock()
	l := s.live.conns[conn]
	if l == nil {
		s.live.mu.Unlock()
		return
	}
	delete(s.live.conns, conn)
	s.live.history(l.DeviceConnection, now, because)
	s.live.endBehind(conn, now, because)
	s.live.unlink(l, now, because)
	s.live.mu.Unlock()
	if because == takenOver && s.Bus != nil {
		s.tellTaken(ctx, l.DeviceConnection, now)
	}
	e := deviceActor(l.Device, l.at)
	e.Reason = because
	s.record(ctx, domain.AuditDeviceDisconnect, l.Device, l.Key, e)
}

// unlink takes a link of a device out. The caller holds l.mu.
func (l *live) unlink(ended *link, now time.Time, because string) {
	c := l.devices[ended.Device]
	c.links = slices.DeleteFunc(c.links, func(other *link) bool { return other == ended })
	if !c.silent {
		l.change(endOf(ended.DeviceConnection, now, ended.heard(), because))
	}
	if len(c.links) == 0 {
		delete(l.devices, ended.Device)
	}
}

// DeviceAvailable takes what is said by a connection of its device, or of one that it speaks for: whether that is
// there.
func (s *Service) DeviceAvailable(conn, device string, available bool) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if l := s.live.availableBy(conn, device); l != nil {
		l.unavailable = !available
	}
}

// history has an ended connection stored. The caller holds l.mu.
func (l *live) history(c domain.DeviceConnection, now time.Time, because string) {
	if len(l.ended) < endedMost {
		c.Closed, c.Reason = now, because
		l.ended = append(l.ended, c)
	}
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
	linkEvery   = 200 * time.Millisecond // when links that opened or ended are stored
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
	unheard, err := s.Bus.Subscribe(bus.DescribedSubject, s.onDescribed)
	if err != nil {
		return err
	}
	defer unheard()
	stopRivals, err := s.Bus.Subscribe(rivalsSubject, s.onRivals)
	if err != nil {
		return err
	}
	defer stopRivals()
	stopTaken, err := s.Bus.Subscribe(takenSubject, func(m bus.Message) { s.onTaken(ctx, m) })
	if err != nil {
		return err
	}
	defer stopTaken()
	return s.tick(ctx)
}

// keepAlive says that this node lives, until ctx ends: beside all other work, which may take longer than
// other nodes wait for it.
func (s *Service) keepAlive(ctx context.Context) {
	every := time.NewTicker(liveEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if err := s.lives(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look after devices", "err", err)
		}
	}
}

func (s *Service) tick(ctx context.Context) error {
	var alive sync.WaitGroup
	alive.Go(func() { s.keepAlive(ctx) })
	defer alive.Wait()
	poll, flush, forget := time.NewTicker(pollEvery), time.NewTicker(flushEvery), time.NewTicker(forgetEvery)
	ended, links, dead := time.NewTicker(endedEvery), time.NewTicker(linkEvery), time.NewTicker(liveEvery)
	defer links.Stop()
	defer dead.Stop()
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
			return errors.Join(s.storeLinks(ctx), s.flush(ctx), s.storeEnded(ctx), s.storeNotes(ctx))
		case <-links.C:
			err = s.storeLinks(ctx)
		case <-dead.C:
			err = s.endDead(ctx)
		case <-ended.C:
			err = errors.Join(s.storeEnded(ctx), s.storeNotes(ctx))
		case <-poll.C:
			err = errors.Join(s.poll(ctx), s.sweep(ctx))
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
