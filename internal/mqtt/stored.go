package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// Sessions keeps the sessions that outlive their connections.
type Sessions interface {
	// OpenSession gives the session of a client to the connection s.Conn. Without one, or with clean, or
	// if it has expired, it makes a new one; but none if s.Expiry is 0, and then its ID is empty.
	OpenSession(ctx context.Context, s domain.MQTTSession, clean bool, now time.Time) (
		opened domain.MQTTSession, present bool, err error)
	// CloseSession says until when a session waits, unless another connection has it; zero: it ends.
	CloseSession(ctx context.Context, s domain.MQTTSession) error
	RenewSessions(ctx context.Context, ids []string, slack time.Duration, now time.Time) error
	SiteVersion(ctx context.Context, site string) (int64, error)
	SiteSessions(ctx context.Context, site string, now time.Time) ([]domain.MQTTSession, int64, error)
	SetSubscriptions(ctx context.Context, s domain.MQTTSession, add []domain.MQTTSubscription, remove []string) error
	ForgetSessions(ctx context.Context, now time.Time) error

	// Enqueue stores messages for sessions, and returns how many had no place.
	Enqueue(ctx context.Context, ms []domain.QueuedMessage, from domain.MQTTReceived, limit int) (full int, err error)
	LaunchQueued(ctx context.Context, session, conn string, ids []uint16) ([]domain.QueuedMessage, error)
	Unacknowledged(ctx context.Context, session string) ([]domain.QueuedMessage, []uint16, error)
	ReleaseQueued(ctx context.Context, seq int64) error
	DropQueued(ctx context.Context, seqs []int64) error
	DropReceived(ctx context.Context, r domain.MQTTReceived) error
}

const (
	maxExpiry = 7 * 24 * 3600 // seconds that a session outlives its connection
	oldExpiry = 24 * 3600     // the same before MQTT 5, where clients cannot say
	slack     = 2 * time.Hour // that the end of a connected session is moved on by
	renewEach = time.Hour
)

// A check looks once whether the stored sessions of a site have changed, for all who ask before it begins: with
// thousands of clients on one site, one look for each in turn would take longer than they wait.
type check struct {
	done chan struct{}
	err  error
}

// load reads the stored sessions of the site, if that was not done since they changed.
func (s *Service) load(ctx context.Context, t *site) error {
	for {
		t.loadMu.Lock()
		if t.loaded && !s.Others { // all changes are made by this process
			t.loadMu.Unlock()
			return nil
		}
		c, first := t.next, t.next == nil
		if first {
			c = &check{done: make(chan struct{})}
			t.next = c
		}
		t.loadMu.Unlock()
		if first {
			s.check(ctx, t, c)
			return c.err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.done:
		}
		if !errors.Is(c.err, context.Canceled) && !errors.Is(c.err, context.DeadlineExceeded) {
			return c.err
		} // else whoever made it had no time left
	}
}

func (s *Service) check(ctx context.Context, t *site, c *check) {
	defer close(c.done)
	var turn bool
	select {
	case t.checking <- struct{}{}:
		turn = true
		defer func() { <-t.checking }()
	case <-ctx.Done():
		c.err = ctx.Err()
	}
	t.loadMu.Lock()
	t.next = nil
	loaded := t.loaded
	t.loadMu.Unlock()
	if !turn {
		return
	}
	if loaded {
		v, err := s.Sessions.SiteVersion(ctx, t.id)
		if err != nil || v == t.version {
			c.err = err
			return
		}
	}
	all, version, err := s.Sessions.SiteSessions(ctx, t.id, s.Now())
	if err != nil {
		c.err = err
		return
	}
	t.adopt(all)
	t.version = version
	t.loadMu.Lock()
	t.loaded = true
	t.loadMu.Unlock()
}

// adopt brings the site's idea of sessions without a connection here up to date.
func (t *site) adopt(all []domain.MQTTSession) {
	t.mu.Lock()
	defer t.mu.Unlock()
	there := make(map[string]bool, len(all))
	for _, row := range all {
		there[row.ID] = true
		old := t.sessions[row.ID]
		if old != nil && old.connected() {
			continue // it knows better itself
		}
		if old != nil {
			t.discard(old)
		}
		t.keep(newStored(t, row))
	}
	for id, old := range t.sessions {
		if !there[id] && !old.connected() {
			t.discard(old)
		}
	}
}

func newStored(t *site, row domain.MQTTSession) *session {
	s := &session{site: t, row: row, client: row.Principal + "/" + row.Client, device: row.Principal,
		class: classOf(row.Principal, row.Access), window: defaultWindow}
	for _, b := range row.Subs {
		s.subs = append(s.subs, &sub{session: s, filter: filterOf(b), id: b.Number})
	}
	return s
}

// keep and discard add and remove a stored session with its subscriptions. They are called with
// the lock of the site.
func (t *site) keep(s *session) {
	if t.sessions == nil {
		t.sessions = make(map[string]*session)
	}
	t.sessions[s.row.ID] = s
	for _, b := range s.subs {
		t.insert(b)
	}
}

func (t *site) discard(s *session) {
	delete(t.sessions, s.row.ID)
	for _, b := range s.subs {
		t.take(b)
	}
}

// connected reports whether the client is connected to this node, or about to be.
func (s *session) connected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil || s.opening
}

// The options of a stored subscription, as SUBSCRIBE has them.
func optionsOf(f packet.Filter) (o byte) {
	o = f.QoS | f.RetainHandling<<4
	if f.NoLocal {
		o |= 4
	}
	if f.RetainAsPublished {
		o |= 8
	}
	return o
}

func filterOf(b domain.MQTTSubscription) packet.Filter {
	return packet.Filter{Topic: b.Filter, QoS: b.Options & 3, NoLocal: b.Options&4 != 0,
		RetainAsPublished: b.Options&8 != 0, RetainHandling: b.Options >> 4 & 3}
}

// openSession opens the session that a client asks for, and reports whether it was there.
func (c *conn) openSession(ctx context.Context, p packet.Connect, expiry uint32, window int) (present bool, err error) {
	s := c.s
	t, err := s.enter(ctx, siteOf(c.who))
	if err != nil {
		return false, err
	}
	now := s.Now()
	row, present, err := s.Sessions.OpenSession(ctx, domain.MQTTSession{
		Site: t.id, Principal: c.who.ID, Client: p.ClientID, Expiry: expiry, Conn: c.id,
		ExpiresAt: now.Add(slack + time.Duration(expiry)*time.Second),
	}, p.CleanStart, now)
	var under []domain.QueuedMessage
	var received []uint16
	if err == nil && present {
		under, received, err = s.Sessions.Unacknowledged(ctx, row.ID)
	}
	if err != nil {
		s.leaveSite(t)
		return false, err
	}
	n := &session{site: t, row: row, client: c.key, device: c.who.ID, class: c.class(), window: window,
		received: received, resend: under}
	if row.ID != "" {
		n = newStored(t, row)
		n.class, n.window, n.received, n.resend = c.class(), window, received, under
	}
	n.opening, n.more = true, row.ID != ""
	t.mu.Lock()
	for _, old := range t.sessions { // the one before, under this id or another
		if old.client == c.key {
			t.discard(old)
		}
	}
	if row.ID != "" {
		t.keep(n)
	}
	t.mu.Unlock()
	c.sess = n
	return present, nil
}

// resume lets messages through, after CONNACK: first what was sent and not acknowledged, and then
// what waits (MQTT 5 section 4.4).
func (s *session) resume(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn, s.opening = c, false
	for _, q := range s.resend {
		if q.Released {
			c.send(packet.AppendAck(nil, packet.PUBREL, c.version, packet.Ack{ID: q.PacketID}))
			s.inflight = append(s.inflight, flight{id: q.PacketID, seq: q.Seq, released: true})
			continue
		}
		s.fly(q, true)
	}
	s.resend = nil
	s.pump()
	if len(s.subs) > 0 {
		c.attach()
	}
	for _, b := range s.subs {
		c.view(b.filter.Topic)
	}
}

// fly sends a stored message that has a packet id. It is called with the lock.
func (s *session) fly(q domain.QueuedMessage, again bool) {
	m := &message{site: s.site.id, topic: q.Topic, payload: q.Payload, qos: q.QoS, retain: q.Retain, expires: q.Expires}
	if len(q.Props) > 0 {
		_ = json.Unmarshal(q.Props, &m.props) // written by queued
	}
	d := delivery{m: m, qos: q.QoS, retain: q.Retain, ids: q.Numbers, again: again}
	if s.conn.sendMessage(d, q.PacketID) {
		s.inflight = append(s.inflight, flight{id: q.PacketID, seq: q.Seq})
		return
	}
	s.conn.s.drops.add(q.Seq) // it is over, or too large for the client
}

// wake says that messages wait in the store.
func (s *session) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.more = true
	s.pump()
}

// pump has the messages that wait sent, as many as the window lets. It is called with the lock.
func (s *session) pump() {
	if s.conn != nil && s.more && !s.pumping && len(s.inflight) < s.window {
		c := s.conn
		s.pumping = c.s.work.start(func() { s.pumpQueue(c) })
	}
}

func (s *session) pumpQueue(c *conn) {
	for {
		s.mu.Lock()
		n := s.window - len(s.inflight)
		if s.conn != c || n <= 0 || !s.more {
			s.pumping = false
			s.mu.Unlock()
			return
		}
		s.more = false
		ids := s.reserve(n)
		s.mu.Unlock()
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		ms, err := c.s.Sessions.LaunchQueued(ctx, s.row.ID, c.id, ids)
		cancel()
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot read what waits for an MQTT client", "err", err)
			c.kick(packet.Busy, "unavailable")
			ms = nil
		}
		s.mu.Lock()
		s.reserved = nil
		if s.conn == c {
			for _, q := range ms {
				s.fly(q, false)
			}
		}
		s.more = s.more || len(ms) == n
		s.mu.Unlock()
	}
}

// reserve returns n packet ids, which nobody else gets until reserved is cleared.
func (s *session) reserve(n int) []uint16 {
	for range n {
		s.reserved = append(s.reserved, s.nextID())
	}
	return s.reserved
}

// queued returns a delivery as it is stored for a session.
func (d delivery) queued(session string) (domain.QueuedMessage, error) {
	q := domain.QueuedMessage{Session: session, Topic: d.m.topic, Payload: d.m.payload, QoS: d.qos, Retain: d.retain,
		Numbers: d.ids, Expires: d.m.expires}
	var err error
	if len(d.m.props) > 0 {
		q.Props, err = json.Marshal(d.m.props)
	}
	return q, err
}

// detach ends the connection of a stored session, which goes on waiting, or ends with it.
func (s *session) detach(c *conn) {
	s.mu.Lock()
	s.conn, s.opening, s.inflight, s.queue, s.replays = nil, false, nil, nil, nil
	row := s.row
	s.mu.Unlock()
	c.s.drops.flushNow()
	row.Conn, row.ExpiresAt = c.id, time.Time{}
	if row.Expiry > 0 {
		row.ExpiresAt = c.s.Now().Add(time.Duration(row.Expiry) * time.Second)
	} else {
		s.site.mu.Lock()
		s.site.discard(s)
		s.site.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	if err := c.s.Sessions.CloseSession(ctx, row); err != nil {
		c.s.Log.WarnContext(ctx, "cannot close an MQTT session", "err", err) // it ends a while later
	}
}

// saveSubscriptions stores changes of the subscriptions of a stored session.
func (s *session) saveSubscriptions(ctx context.Context, add []*sub, remove []string) error {
	if s.row.ID == "" || len(add)+len(remove) == 0 {
		return nil
	}
	rows := make([]domain.MQTTSubscription, 0, len(add))
	for _, b := range add {
		rows = append(rows, domain.MQTTSubscription{Filter: b.filter.Topic, Options: optionsOf(b.filter), Number: b.id})
	}
	return s.site.sessionsStore.SetSubscriptions(ctx, s.row, rows, remove)
}

// renewSessions moves the ends of connected sessions on.
func (s *Service) renewSessions(ctx context.Context) error {
	var ids []string
	for _, c := range s.all() {
		if c.ready.Load() && c.sess.row.ID != "" {
			ids = append(ids, c.sess.row.ID)
		}
	}
	for some := range slices.Chunk(ids, 1000) {
		if err := s.Sessions.RenewSessions(ctx, some, slack, s.Now()); err != nil {
			return err
		}
	}
	return s.Sessions.ForgetSessions(ctx, s.Now())
}
