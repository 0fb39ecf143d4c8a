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

// notice is what a node says of its people. Without any it is a sign of life.
type notice struct {
	Node   string   `json:"node"`
	N      int64    `json:"n,omitempty"`      // counts the node's notices; a missing one is asked for
	Gone   bool     `json:"gone,omitempty"`   // the node stops
	Ask    bool     `json:"ask,omitempty"`    // tell everything
	Of     string   `json:"of,omitempty"`     // Ask: which node should; empty: all
	First  bool     `json:"first,omitempty"`  // everything begins
	Last   bool     `json:"last,omitempty"`   // everything ends: who was not named since is not here
	People []report `json:"people,omitempty"` // who changed
}

// node is another node, or this one, as it was heard.
type node struct {
	at    time.Time
	n     int64           // its last notice
	named map[string]bool // while it tells everything: who is there
}

// report is what one node says of one person.
type report struct {
	User   string              `json:"user"`
	Is     domain.Availability `json:"is"` // by connections: online, away or offline
	Status domain.Status       `json:"status"`
	Seen   time.Time           `json:"seen,omitzero"` // offline: since when
}

const peopleAtOnce = 500 // in one notice

// tell publishes the state of those who changed.
func (s *Service) tell() {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	now := s.Now()
	var people []report
	for user := range s.changed {
		p := s.people[user]
		if p == nil {
			delete(s.changed, user)
			continue
		}
		if len(p.conns) == 0 && now.Sub(p.left) < linger {
			continue // perhaps only a page that is loaded again; the next beat looks
		}
		delete(s.changed, user)
		people = append(people, p.report(user))
		if len(p.conns) == 0 {
			delete(s.people, user)
		}
	}
	s.mu.Unlock()
	for some := range slices.Chunk(people, peopleAtOnce) {
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

// ask asks a node, or all of them, who is there.
func (s *Service) ask(node string) { s.publish(notice{Ask: true, Of: node}) }

func (s *Service) publish(n notice) {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.send(n)
}

// send publishes a notice. The caller holds s.telling, from when it looked at
// what the notice says, so that the last one heard is the last one true.
func (s *Service) send(n notice) {
	s.said++
	n.Node, n.N = s.Node, s.said
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

// onBus takes what nodes, this one included, say.
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
	}
}

func (s *Service) onNotice(n notice) {
	if n.Gone {
		s.dropNode(n.Node)
		return
	}
	missed := s.hear(n)
	for _, r := range n.People {
		s.update(n.Node, r)
	}
	if n.Last {
		s.settle(n.Node)
	}
	if n.Ask && n.Node != s.Node && (n.Of == "" || n.Of == s.Node) {
		s.tellAll()
	}
	if missed {
		s.ask(n.Node)
	}
}

// hear notes a node's sign of life. It reports whether notices of it were lost,
// or all there were if it was not known: what they said must be asked for.
func (s *Service) hear(n notice) (missed bool) {
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
		of.named, missed = make(map[string]bool), false
	case missed:
		of.named = nil
	}
	of.at, of.n = s.Now(), n.N
	if of.named != nil {
		for _, r := range n.People {
			of.named[r.User] = true
		}
	}
	return missed && n.Node != s.Node
}

// settle forgets those whom a node did not name when it told everything.
func (s *Service) settle(name string) {
	s.mu.Lock()
	var gone []report
	if of := s.nodes[name]; of != nil && of.named != nil {
		gone = s.reported(name, func(user string) bool { return !of.named[user] })
		of.named = nil
	}
	s.mu.Unlock()
	for _, r := range gone {
		s.update(name, r)
	}
}

// reported returns, as gone, those whom a node has reported. The caller holds
// s.mu.
func (s *Service) reported(name string, which func(user string) bool) []report {
	var gone []report
	for user, of := range s.remote {
		if i := slices.IndexFunc(of, func(h heard) bool { return h.node == name }); i >= 0 && which(user) {
			gone = append(gone, report{User: user, Is: domain.Offline, Status: of[i].status, Seen: s.Now()})
		}
	}
	return gone
}

// tellAll tells the other nodes who is here, and so who is not.
func (s *Service) tellAll() {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.mu.Lock()
	var people []report
	for user, p := range s.people {
		if len(p.conns) > 0 {
			people = append(people, p.report(user))
		}
	}
	s.mu.Unlock()
	all := slices.Collect(slices.Chunk(people, peopleAtOnce))
	if len(all) == 0 {
		all = [][]report{nil}
	}
	for i, some := range all {
		s.send(notice{First: i == 0, Last: i == len(all)-1, People: some})
	}
}

// update takes a node's report and tells the watchers if the person, over all
// nodes, looks different now.
func (s *Service) update(node string, r report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	before, _ := s.present(r.User, now)
	of := slices.DeleteFunc(s.remote[r.User], func(h heard) bool { return h.node == node })
	for i := range of { // the status is one, whoever says it last
		of[i].status = r.Status
	}
	if r.Is != domain.Offline {
		of = append(of, heard{node, r.Is, r.Status})
	}
	if s.remote[r.User] = of; len(of) == 0 {
		delete(s.remote, r.User)
	}
	after, _ := s.present(r.User, now)
	if after.Is == domain.Offline {
		if r.Status.Mode == domain.Invisible {
			r.Seen = time.Time{}
		}
		after.LastSeen = r.Seen
	}
	if before.Is != after.Is || before.Text != after.Text || before.Emoji != after.Emoji || !before.Expires.Equal(after.Expires) {
		s.announce(after, r.Status.Mode)
	}
}

// present is what others see of someone who is connected somewhere.
func (s *Service) present(user string, now time.Time) (p domain.Presence, connected bool) {
	p = domain.Presence{User: user, Is: domain.Offline}
	var status domain.Status
	for _, r := range s.remote[user] {
		status = r.status
		if p.Is != domain.Online {
			p.Is = r.is
		}
		connected = true
	}
	if connected {
		p = show(p, status, now)
	}
	return p, connected
}

// show applies what someone chose to show.
func show(p domain.Presence, status domain.Status, now time.Time) domain.Presence {
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

// expire tells the watchers of those whose status has ended since a time.
func (s *Service) expire(since, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for user, of := range s.remote {
		if status := of[len(of)-1].status; status.Expires.After(since) && !status.Expires.After(now) {
			p, _ := s.present(user, now)
			s.announce(p, status.Mode)
		}
	}
}

// announce delivers a person's presence to those who watch them. To themselves
// an invisible person is invisible, not offline. The caller holds s.mu.
func (s *Service) announce(p domain.Presence, mode domain.Availability) {
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
	b, err := wire.Encode(wire.Reply{Type: wire.TypePresence, Data: wire.Presences{Users: []wire.Presence{wire.FromPresence(p)}}})
	if err != nil { // cannot happen: the type can always be encoded
		return nil
	}
	return b
}

// forgetNodes forgets the people of nodes that have fallen silent.
func (s *Service) forgetNodes() {
	s.mu.Lock()
	var dead []string
	for name, of := range s.nodes {
		if name != s.Node && s.Now().Sub(of.at) > nodeDead {
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
	gone := s.reported(name, func(string) bool { return true })
	s.mu.Unlock()
	for _, r := range gone {
		s.update(name, r)
	}
}
