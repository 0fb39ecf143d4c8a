package mqtt

import (
	"context"
	"sync"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// site is the topics of one owner, as long as one of their clients is connected here.
type site struct {
	id   string
	refs int // guarded by Service.mu
	stop func()

	mu     sync.RWMutex
	exact  map[string][]*sub // by filter, those without wildcards
	tree   node              // of those with
	shares map[string]*share // by name and filter
	remote remoteShares
	// sessions are those that are stored, by id, connected here or not.
	sessions      map[string]*session
	sessionsStore Sessions

	loadMu   sync.Mutex
	loaded   bool
	next     *check        // the one that serves who asks now; nil: nobody has asked since the last one began
	checking chan struct{} // has an element while a check is made
	version  int64         // of the store when sessions was read, guarded by checking

	announced announced

	viewMu  sync.Mutex
	viewers int     // controllers that look at mirror
	mirror  *mirror // nil: none does

	quotas quotas

	claimsMu sync.Mutex
	claims   map[string]string // whose topics are, as far as asked
}

// sub is a subscription.
type sub struct {
	session *session
	filter  packet.Filter
	id      uint32 // subscription identifier; 0: none
	share   *share // nil: it is not shared
}

// share is a group of subscriptions of which one gets each message.
type share struct {
	key  string
	next int
	subs []*sub
}

// enter returns the site, for leaveSite, with the sessions that are stored.
func (s *Service) enter(ctx context.Context, id string) (*site, error) {
	t := s.enterSite(id)
	if err := s.load(ctx, t); err != nil {
		s.leaveSite(t)
		return nil, err
	}
	return t, nil
}

func (s *Service) enterSite(id string) *site {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.sites[id]
	if t == nil {
		t = &site{id: id, stop: func() {}, exact: make(map[string][]*sub), claims: make(map[string]string),
			checking: make(chan struct{}, 1), sessionsStore: s.Sessions}
		s.sites[id] = t
		if s.Others {
			stop, err := s.Bus.Subscribe(subject(id), func(m bus.Message) { s.onBus(t, m) })
			if err != nil {
				s.Log.Error("cannot hear what MQTT clients of other nodes say", "err", err)
			} else {
				t.stop = stop
			}
		}
	}
	t.refs++
	return t
}

func (s *Service) leaveSite(t *site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.refs--; t.refs == 0 {
		delete(s.sites, t.id)
		t.stop()
	}
}

// subject is that of a site's messages on the bus.
func subject(site string) string { return "mqtt." + site }

// add adds a subscription.
func (t *site) add(b *sub) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.insert(b)
}

// remove removes a subscription.
func (t *site) remove(b *sub) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take(b)
}

// replace puts a subscription in the place of one with the same filter. No message is missed.
func (t *site) replace(old, b *sub) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.take(old)
	t.insert(b)
}

// insert and take are add and remove, called with the lock.
func (t *site) insert(b *sub) {
	name, filter, _ := packet.SplitShare(b.filter.Topic)
	if name != "" {
		if b.share = t.shares[b.filter.Topic]; b.share != nil {
			b.share.subs = append(b.share.subs, b)
			return
		}
		b.share = &share{key: b.filter.Topic, subs: []*sub{b}}
		if t.shares == nil {
			t.shares = make(map[string]*share)
		}
		t.shares[b.filter.Topic] = b.share
	}
	if packet.HasWildcard(filter) {
		t.tree.add(filter, b)
		return
	}
	t.exact[filter] = append(t.exact[filter], b)
}

func (t *site) take(b *sub) {
	_, filter, _ := packet.SplitShare(b.filter.Topic)
	if g := b.share; g != nil {
		g.subs = without(g.subs, b)
		if len(g.subs) > 0 {
			t.reseat(filter, b, g.subs[0])
			return
		}
		delete(t.shares, g.key)
	}
	if packet.HasWildcard(filter) {
		t.tree.remove(filter, b)
		return
	}
	if rest := without(t.exact[filter], b); len(rest) > 0 {
		t.exact[filter] = rest
	} else {
		delete(t.exact, filter)
	}
}

// reseat lets another member stand for a shared subscription, if the one that goes did.
func (t *site) reseat(filter string, from, to *sub) {
	if packet.HasWildcard(filter) {
		if t.tree.remove(filter, from) {
			t.tree.add(filter, to)
		}
		return
	}
	if subs := t.exact[filter]; len(subs) > 0 {
		if rest := without(subs, from); len(rest) < len(subs) {
			t.exact[filter] = append(rest, to)
		}
	}
}

func without(subs []*sub, b *sub) []*sub {
	for i, x := range subs {
		if x == b {
			last := len(subs) - 1
			subs[i] = subs[last]
			subs[last] = nil
			return subs[:last]
		}
	}
	return subs
}

// target is a delivery and for whom it is.
type target struct {
	session *session
	delivery
}

// targets returns who gets a message, each once.
func (t *site) targets(m *message) (all []target) {
	found := t.match(m.topic)
	if found.single { // each session is there once
		for _, b := range found.subs {
			if b.wants(m) {
				all = append(all, target{b.session, b.delivery(m)})
			}
		}
		return all
	}
	at := make(map[*session]int, len(found.subs))
	for _, b := range found.subs {
		if !b.wants(m) {
			continue
		}
		d := b.delivery(m)
		i, ok := at[b.session]
		if !ok {
			at[b.session] = len(all)
			all = append(all, target{b.session, d})
			continue
		}
		before := &all[i]
		before.qos, before.retain = max(d.qos, before.qos), d.retain || before.retain
		before.ids = append(before.ids, d.ids...)
	}
	return all
}

// keepsQueue reports whether a delivery goes through the store.
func (t target) keepsQueue() bool { return t.qos > 0 && t.session.row.ID != "" }

// enqueue stores a message for the stored sessions that it is for, with the id that it was received
// under. It returns the sessions.
func (s *Service) enqueue(ctx context.Context, all []target, from domain.MQTTReceived) (woken []string, err error) {
	var rows []domain.QueuedMessage
	for _, to := range all {
		if !to.keepsQueue() {
			continue
		}
		q, err := to.queued(to.session.row.ID)
		if err != nil {
			return nil, err
		}
		rows, woken = append(rows, q), append(woken, q.Session)
	}
	if len(rows) == 0 && from.Session == "" {
		return nil, nil
	}
	full, err := s.Sessions.Enqueue(ctx, rows, from, maxQueue)
	s.metrics.dropped.WithLabelValues("queue").Add(float64(full))
	return woken, err
}

// send sends a message to the clients of this node, and wakes the sessions for which it is stored.
func (t *site) send(all []target, woken []string) {
	for _, to := range all {
		if !to.keepsQueue() {
			to.session.deliver(to.delivery)
		}
	}
	for _, id := range woken {
		t.mu.RLock()
		s := t.sessions[id]
		t.mu.RUnlock()
		if s != nil {
			s.wake()
		}
	}
}

// matched are the subscriptions for a topic.
type matched struct {
	subs   []*sub
	single bool // no session is there twice
}

// match returns the subscriptions that a topic is for: of each shared one the member whose turn
// it is.
func (t *site) match(topic string) matched {
	t.mu.RLock()
	exact := t.exact[topic]
	subs := append(make([]*sub, 0, len(exact)+4), exact...)
	lists := min(len(exact), 1)
	lists += t.tree.match(topic, &subs)
	shared := len(t.shares) > 0
	t.mu.RUnlock()
	if shared {
		t.chooseShared(subs)
		lists++
	}
	return matched{subs, lists <= 1}
}

// chooseShared puts the member whose turn it is in the place of each that stands for a group.
func (t *site) chooseShared(subs []*sub) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, b := range subs {
		if g := b.share; g != nil && len(g.subs) > 0 {
			subs[i] = g.subs[g.next%len(g.subs)]
			for range g.subs { // rather one that can take it now
				b = g.subs[g.next%len(g.subs)]
				g.next++
				if b.session.room() {
					subs[i] = b
					break
				}
			}
		}
	}
}

// wants reports whether the message is for the client of a subscription.
func (b *sub) wants(m *message) bool {
	return !(b.filter.NoLocal && m.from == b.session.client) && m.visible(b.session) && !m.elsewhere(b)
}

// delivery returns the message as a subscription wants it.
func (b *sub) delivery(m *message) delivery {
	d := delivery{m: m, qos: min(m.qos, b.filter.QoS), retain: m.retain && b.filter.RetainAsPublished}
	if b.id != 0 {
		d.ids = []uint32{b.id}
	}
	return d
}
