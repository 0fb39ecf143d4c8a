package device

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// DevicesBehind takes which devices a bridge speaks for by a connection, and which of them are there: in the place of
// what it said before. They have no connection of their own: each is there as long as that is open, unless the
// bridge says otherwise.
func (s *Service) DevicesBehind(conn string, there map[string]bool) {
	now := s.Now()
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	bridge := s.live.conns[conn]
	if bridge == nil {
		return
	}
	known := s.live.behind[conn]
	for id, l := range known {
		if _, still := there[id]; !still {
			delete(known, id)
			s.live.unlink(l, now, "revoked")
		}
	}
	if known == nil {
		known = make(map[string]*link, len(there))
		s.live.behind[conn] = known
	}
	for id, available := range there {
		if l := known[id]; l != nil {
			l.unavailable = !available
			continue
		}
		known[id] = s.live.linkBehind(id, bridge, available, now)
	}
}

// linkBehind opens the link of a device behind a bridge. One that is not there stays offline, and is not stored as
// there for a moment. The caller holds l.mu.
func (l *live) linkBehind(device string, bridge *link, available bool, now time.Time) *link {
	opened := &link{heard: bridge.heard, unavailable: !available, DeviceConnection: domain.DeviceConnection{
		ID: domain.NewID(domain.ConnPrefix), Device: device, Opened: now}}
	c := l.devices[device]
	if c == nil {
		c = &connected{owner: l.devices[bridge.Device].owner, stale: true, silent: !available}
		l.devices[device] = c
	}
	if available && c.silent {
		l.hear(c)
	}
	c.links = append(c.links, opened)
	if !c.silent {
		l.change(openOf(opened))
	}
	return opened
}

// endBehind ends the links of all devices behind a bridge. The caller holds l.mu.
func (l *live) endBehind(conn string, now time.Time, because string) {
	for _, link := range l.behind[conn] {
		l.unlink(link, now, because)
	}
	delete(l.behind, conn)
}

// availableBy returns the link of a device by a connection: its own, or that of its bridge; nil: there is none. The
// caller holds l.mu.
func (l *live) availableBy(conn, device string) *link {
	if own := l.conns[conn]; own == nil || own.Device == device {
		return own
	}
	return l.behind[conn][device]
}
