package presence

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// typeNotice is the header type of a notice on the bus.
const typeNotice = "presence.notice"

// notice is a message of one node to all about its users. Without users it is a heartbeat.
type notice struct {
	Node   string   `json:"node"`
	N      int64    `json:"n,omitempty"`      // number of the notice; a gap leads to a request for a snapshot
	Gone   bool     `json:"gone,omitempty"`   // the node stops
	Ask    bool     `json:"ask,omitempty"`    // requests a snapshot
	Of     string   `json:"of,omitempty"`     // Ask: from this node; empty: from all
	First  bool     `json:"first,omitempty"`  // begins a snapshot
	Last   bool     `json:"last,omitempty"`   // ends a snapshot: users who were not in it are not on the node
	People []report `json:"people,omitempty"` // users whose state changed, or of the snapshot
}

// node is what this node knows of a node, itself included.
type node struct {
	at       time.Time
	n        int64           // its last notice
	snapshot map[string]bool // during a snapshot: the users in it so far
}

// report is the state of one user on one node.
type report struct {
	User   string              `json:"user"`
	Is     domain.Availability `json:"is"` // from its connections: online, away or offline
	Status domain.Status       `json:"status"`
	Seen   time.Time           `json:"seen,omitzero"` // offline: since when
}

const maxReports = 500 // in one notice

// publishChanged publishes the state of the users that changed.
func (s *Service) publishChanged() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	now := s.Now()
	var people []report
	for user := range s.changed {
		p := s.people[user]
		if p == nil {
			delete(s.changed, user)
			continue
		}
		if len(p.conns) == 0 && now.Sub(p.left) < offlineDelay {
			continue // perhaps a page is reloading; the next heartbeat checks again
		}
		delete(s.changed, user)
		people = append(people, p.report(user))
		if len(p.conns) == 0 {
			delete(s.people, user)
		}
	}
	s.mu.Unlock()
	for some := range slices.Chunk(people, maxReports) {
		s.send(notice{People: some})
	}
}

// report is the person's state by the connections here.
func (p *person) report(user string) report {
	r := report{User: user, Is: domain.Offline, Status: p.status, Seen: p.left}
	for _, c := range p.conns {
		if c.active {
			r.Is = domain.Online
			break
		}
		r.Is = domain.Away
	}
	return r
}

// requestState requests a snapshot from a node, or from all.
func (s *Service) requestState(node string) { s.publish(notice{Ask: true, Of: node}) }

func (s *Service) publish(n notice) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.send(n)
}

// send publishes a notice. The caller must hold s.sendMu since it read the state that the notice
// contains, so that notices are published in the order of the states.
func (s *Service) send(n notice) {
	s.sentNotices++
	n.Node, n.N = s.Node, s.sentNotices
	body, err := json.Marshal(n)
	if err == nil {
		body, err = wire.Pack(wire.Header{Type: typeNotice}, body)
	}
	if err == nil {
		err = s.Bus.Publish(bus.PresenceSubject, body)
	}
	if err != nil {
		s.Log.Warn("cannot tell other nodes who is here", "err", err)
	}
}

// onBus handles messages of all nodes, this one included.
func (s *Service) onBus(m bus.Message) {
	h, frame, err := wire.Unpack(m.Data)
	if err != nil {
		s.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
		return
	}
	switch h.Type {
	case typeNotice:
		var n notice
		if err := json.Unmarshal(frame, &n); err != nil {
			s.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
			return
		}
		s.onNotice(n)
	case wire.TypeUser:
		s.onUser(h.Subject, frame)
	case wire.TypeDeviceStatus:
		var told struct {
			Data wire.DeviceStatuses `json:"data"`
		}
		if err := json.Unmarshal(frame, &told); err != nil {
			s.Log.Error("bus message that is not understood", "subject", m.Subject, "err", err)
			return
		}
		s.onDevices(told.Data.Devices)
	}
}

func (s *Service) onNotice(n notice) {
	if n.Gone {
		s.dropNode(n.Node)
		return
	}
	missed := s.recordNotice(n)
	for _, r := range n.People {
		s.update(n.Node, r)
	}
	if n.Last {
		s.finishSnapshot(n.Node)
	}
	if n.Ask && n.Node != s.Node && (n.Of == "" || n.Of == s.Node) {
		s.publishAll()
	}
	if missed {
		s.requestState(n.Node)
	}
}

// recordNotice updates the state of the node that sent n. It reports whether earlier notices of
// the node were missed, so that a snapshot must be requested.
func (s *Service) recordNotice(n notice) (missed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := s.nodes[n.Node]
	if of == nil {
		of = &node{}
		s.nodes[n.Node] = of
		missed = n.N > 1
	} else {
		missed = of.n != 0 && n.N > of.n+1
	}
	switch {
	case n.First:
		of.snapshot, missed = make(map[string]bool), false
	case missed:
		of.snapshot = nil
	}
	of.at, of.n = s.Now(), n.N
	if of.snapshot != nil {
		for _, r := range n.People {
			of.snapshot[r.User] = true
		}
	}
	return missed && n.Node != s.Node
}

// finishSnapshot sets the users offline that were not in the node's snapshot.
func (s *Service) finishSnapshot(name string) {
	s.mu.Lock()
	var gone []report
	if of := s.nodes[name]; of != nil && of.snapshot != nil {
		gone = s.offlineReports(name, func(user string) bool { return !of.snapshot[user] })
		of.snapshot = nil
	}
	s.mu.Unlock()
	for _, r := range gone {
		s.update(name, r)
	}
}

// offlineReports returns offline reports for the users of a node for whom which returns true. The
// caller holds s.mu.
func (s *Service) offlineReports(name string, which func(user string) bool) []report {
	var gone []report
	for user, of := range s.reports {
		if i := slices.IndexFunc(of, func(h nodeReport) bool { return h.node == name }); i >= 0 && which(user) {
			gone = append(gone, report{User: user, Is: domain.Offline, Status: of[i].status, Seen: s.Now()})
		}
	}
	return gone
}

// publishAll publishes a snapshot of the users on this node.
func (s *Service) publishAll() {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.mu.Lock()
	var people []report
	for user, p := range s.people {
		if len(p.conns) > 0 && !isDevice(user) {
			people = append(people, p.report(user))
		}
	}
	s.mu.Unlock()
	all := slices.Collect(slices.Chunk(people, maxReports))
	if len(all) == 0 {
		all = [][]report{nil}
	}
	for i, some := range all {
		s.send(notice{First: i == 0, Last: i == len(all)-1, People: some})
	}
}

// update applies a node's report, and notifies the watchers if it changes the user's state over
// all nodes.
func (s *Service) update(node string, r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	before, _ := s.current(r.User, now)
	of := slices.DeleteFunc(s.reports[r.User], func(h nodeReport) bool { return h.node == node })
	for i := range of { // the status is the same on all nodes; the latest report wins
		of[i].status = r.Status
	}
	if r.Is != domain.Offline {
		of = append(of, nodeReport{node, r.Is, r.Status})
	}
	if s.reports[r.User] = of; len(of) == 0 {
		delete(s.reports, r.User)
	}
	after, _ := s.current(r.User, now)
	if after.Is == domain.Offline {
		if r.Status.Mode == domain.Invisible {
			r.Seen = time.Time{}
		}
		after.LastSeen = r.Seen
	}
	if before.Is != after.Is || before.Text != after.Text || before.Emoji != after.Emoji ||
		!before.Expires.Equal(after.Expires) {
		s.deliver(after, r.Status.Mode)
	}
}

// current returns what others see of a user, and whether the user is connected to any node.
func (s *Service) current(user string, now time.Time) (p domain.Presence, connected bool) {
	p = domain.Presence{User: user, Is: domain.Offline}
	var status domain.Status
	for _, r := range s.reports[user] {
		status = r.status
		if p.Is != domain.Online {
			p.Is = r.is
		}
		connected = true
	}
	if connected {
		p = applyStatus(p, status, now)
	}
	return p, connected
}

// applyStatus applies the status that the user has chosen.
func applyStatus(p domain.Presence, status domain.Status, now time.Time) domain.Presence {
	switch {
	case status.Mode == domain.Invisible:
		return domain.Presence{User: p.User, Is: domain.Offline}
	case status.Mode == domain.DoNotDisturb && p.Is != domain.Offline:
		p.Is = domain.DoNotDisturb
	}
	status = status.At(now)
	p.Text, p.Emoji, p.Expires = status.Text, status.Emoji, status.Expires
	return p
}

// expireStatuses notifies the watchers of users whose status text has expired since a time.
func (s *Service) expireStatuses(since, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for user, of := range s.reports {
		if status := of[len(of)-1].status; status.Expires.After(since) && !status.Expires.After(now) {
			p, _ := s.current(user, now)
			s.deliver(p, status.Mode)
		}
	}
}

// deliver sends a user's presence to the connections that watch them. Invisible users see
// themselves as invisible, and others see them as offline. The caller holds s.mu.
func (s *Service) deliver(p domain.Presence, mode domain.Availability) {
	frame := encode(p)
	for c := range s.watchers[p.User] {
		if c.user == p.User && mode == domain.Invisible {
			mine := p
			mine.Is = domain.Invisible
			c.deliver(encode(mine))
			continue
		}
		c.deliver(frame)
	}
}

func encode(p domain.Presence) []byte {
	b, err := wire.Encode(wire.Reply{Type: wire.TypePresence,
		Data: wire.Presences{Users: []wire.Presence{wire.FromPresence(p)}}})
	if err != nil { // cannot happen: the type can always be encoded
		return nil
	}
	return b
}

// dropSilentNodes removes nodes that have timed out, and their users.
func (s *Service) dropSilentNodes() {
	s.mu.Lock()
	var dead []string
	for name, of := range s.nodes {
		if name != s.Node && s.Now().Sub(of.at) > nodeTimeout {
			dead = append(dead, name)
		}
	}
	s.mu.Unlock()
	for _, node := range dead {
		s.dropNode(node)
	}
}

func (s *Service) dropNode(name string) {
	s.mu.Lock()
	delete(s.nodes, name)
	gone := s.offlineReports(name, func(string) bool { return true })
	s.mu.Unlock()
	for _, r := range gone {
		s.update(name, r)
	}
}
