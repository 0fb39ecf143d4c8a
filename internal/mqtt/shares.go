package mqtt

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// In a cluster a shared subscription may have members on several nodes, and each message is for one of
// them. The node that a message is published on chooses the node, and says so with the message: itself if
// it has a member, and else one that has said that it has.

const (
	sharesEvery = 10 * time.Second // between what a node says of its groups
	sharesKept  = 3 * sharesEvery
)

// remoteShares are the groups of other nodes, by key and node, and when these last said so.
type remoteShares map[string]map[string]time.Time

// hearShares takes what another node says of its groups.
func (t *site) hearShares(node string, keys []string, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, nodes := range t.remote {
		delete(nodes, node)
		if len(nodes) == 0 {
			delete(t.remote, key)
		}
	}
	if t.remote == nil {
		t.remote = make(remoteShares)
	}
	for _, key := range keys {
		if t.remote[key] == nil {
			t.remote[key] = make(map[string]time.Time)
		}
		t.remote[key][node] = now
	}
}

// tellShares tells the other nodes which groups have a member that is connected here.
func (s *Service) tellShares(t *site) {
	if !s.Others {
		return
	}
	t.mu.RLock()
	keys := slices.Collect(maps.Keys(t.shares))
	t.mu.RUnlock()
	s.publishBus(t.id, wireMessage{Node: s.Node, Shares: keys, HasShares: true})
}

// tellAllShares does so for all sites.
func (s *Service) tellAllShares() {
	s.mu.Lock()
	sites := slices.Collect(maps.Values(s.sites))
	s.mu.Unlock()
	for _, t := range sites {
		t.mu.RLock()
		some := len(t.shares) > 0
		t.mu.RUnlock()
		if some {
			s.tellShares(t)
		}
	}
}

// choose says which node delivers a message to each group that it is for.
func (s *Service) choose(t *site, m *message) map[string]string {
	if !s.Others {
		return nil
	}
	t.mu.RLock()
	defer t.mu.RUnlock()
	var chosen map[string]string
	set := func(key, node string) {
		if chosen == nil {
			chosen = make(map[string]string)
		}
		chosen[key] = node
	}
	for key, g := range t.shares {
		if isFor(key, m.topic) && g.reachable(m) {
			set(key, s.Node)
		}
	}
	now := s.Now()
	for key, nodes := range t.remote {
		if chosen[key] != "" || !isFor(key, m.topic) {
			continue
		}
		var alive []string
		for node, at := range nodes {
			if now.Sub(at) < sharesKept {
				alive = append(alive, node)
			}
		}
		if len(alive) > 0 {
			set(key, alive[rand.IntN(len(alive))])
		}
	}
	return chosen
}

// isFor reports whether a topic is one of a shared subscription.
func isFor(key, topic string) bool {
	_, filter, _ := packet.SplitShare(key)
	return packet.Match(filter, topic)
}

// reachable reports whether a message gets to a member from here: one that is connected, or one
// whose session is stored.
func (g *share) reachable(m *message) bool {
	return slices.ContainsFunc(g.subs, func(b *sub) bool {
		return m.qos > 0 && b.filter.QoS > 0 && b.session.row.ID != "" || b.session.connected()
	})
}

// elsewhere reports whether another node delivers the message to the group of b.
func (m *message) elsewhere(b *sub) bool {
	if b.share == nil {
		return false
	}
	node, ok := m.chosen[b.share.key]
	return ok && node != m.here
}
