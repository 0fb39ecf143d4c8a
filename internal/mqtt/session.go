package mqtt

import (
	"context"
	"slices"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const (
	defaultWindow = 20   // messages of QoS 1 and 2 on their way to a client, as in mosquitto
	maxQueue      = 1000 // that wait for the window
	maxSubs       = 200
	maxControls   = 10_000 // subscriptions of a controller: Home Assistant has several for each entity
)

// session is what a client has beside its connection: subscriptions, and messages that are under
// way in both directions.
type session struct {
	site   *site
	row    domain.MQTTSession // as it is stored; without an ID it ends with the connection
	client string             // its key
	device string             // id of the principal
	class  class

	mu       sync.Mutex
	conn     *conn // nil: it has ended, or waits for its client
	opening  bool  // its client is about to get CONNACK
	subs     []*sub
	window   int
	inflight []flight
	queue    []delivery
	lastID   uint16
	received []uint16 // packet ids of QoS 2 whose PUBREL has not come
	replays  []replay // retained messages that are still to be sent

	// Of a stored session: its queue is in the store.
	resend   []domain.QueuedMessage // sent by an earlier connection, and not acknowledged
	more     bool                   // there may be messages in the store
	pumping  bool                   // a goroutine reads them
	reserved []uint16               // packet ids that it will use
}

// maxSubs returns how many subscriptions the client may have.
func (s *session) maxSubs() int {
	if s.class == controller {
		return maxControls
	}
	return maxSubs
}

// delivery is a message for one client.
type delivery struct {
	m      *message
	qos    byte
	retain bool
	ids    []uint32 // subscription identifiers
	again  bool     // it was sent before
}

// flight is a message that was sent and is not acknowledged.
type flight struct {
	id       uint16
	released bool  // PUBREC has come
	seq      int64 // in the store; 0: it is not
}

// setExpiry changes how long the session outlives its connection. It reports false if that is
// not allowed.
func (s *session) setExpiry(seconds uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.row.Expiry == 0 {
		return seconds == 0
	}
	s.row.Expiry = min(seconds, maxExpiry)
	return true
}

// expiry returns for how many seconds the session outlives its connection.
func (s *session) expiry() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.row.Expiry
}

// close ends the session of a connection, or lets it wait for its client.
func (s *session) close(c *conn) {
	defer c.s.leaveSite(s.site)
	if s.row.ID != "" {
		s.detach(c)
		return
	}
	s.mu.Lock()
	subs := s.subs
	s.conn, s.subs, s.queue, s.inflight, s.replays = nil, nil, nil, nil, nil
	s.mu.Unlock()
	for _, b := range subs {
		s.site.remove(b)
	}
}

// deliver sends a message to the client, or queues it.
func (s *session) deliver(d delivery) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	switch {
	case c == nil:
	case d.qos == 0:
		c.sendMessage(d, 0)
	case len(s.inflight) < s.window && len(s.queue) == 0:
		s.launch(d)
	case len(s.queue) < maxQueue:
		s.queue = append(s.queue, d)
	default:
		c.s.metrics.dropped.WithLabelValues("queue").Inc()
	}
}

// launch sends a message of QoS 1 or 2. It is called with the lock.
func (s *session) launch(d delivery) {
	id := s.nextID()
	if s.conn.sendMessage(d, id) {
		s.inflight = append(s.inflight, flight{id: id})
	}
}

// nextID returns a packet id that is not in use. There is one: the window is small.
func (s *session) nextID() uint16 {
	for {
		if s.lastID++; s.lastID != 0 && s.find(s.lastID) < 0 && !slices.Contains(s.reserved, s.lastID) {
			return s.lastID
		}
	}
}

func (s *session) find(id uint16) int {
	return slices.IndexFunc(s.inflight, func(f flight) bool { return f.id == id })
}

// landed forgets a message, and sends what waited for its place. It is called with the lock.
func (s *session) landed(i int) {
	if seq := s.inflight[i].seq; seq != 0 {
		s.conn.s.drops.add(seq)
	}
	s.inflight = slices.Delete(s.inflight, i, i+1)
	for len(s.queue) > 0 && len(s.inflight) < s.window {
		d := s.queue[0]
		s.queue = slices.Delete(s.queue, 0, 1)
		s.launch(d)
	}
	if len(s.queue) == 0 {
		s.queue = nil
	}
	if len(s.inflight) == 0 {
		s.inflight = nil
	}
	s.pump()
}

// onAck takes what the client says about messages under way.
func (c *conn) onAck(t packet.Type, a packet.Ack) {
	if t == packet.PUBREL {
		c.onRelease(a)
		return
	}
	s := c.sess
	if t == packet.PUBREC && a.Code < packet.Unspecified && !c.recordRelease(a.ID) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != c {
		return
	}
	i := s.find(a.ID)
	switch {
	case t == packet.PUBREC && i < 0:
		c.send(packet.AppendAck(nil, packet.PUBREL, c.version, packet.Ack{ID: a.ID, Code: packet.UnknownID}))
	case i < 0: // a resend crossed our answer
	case t == packet.PUBREC && a.Code < packet.Unspecified:
		s.inflight[i].released = true
		c.send(packet.AppendAck(nil, packet.PUBREL, c.version, packet.Ack{ID: a.ID}))
	case t == packet.PUBACK && s.inflight[i].released: // of QoS 2
	default:
		s.landed(i)
	}
}

// recordRelease stores that the client has a message of QoS 2, before it is told to forget it.
func (c *conn) recordRelease(id uint16) bool {
	s := c.sess
	s.mu.Lock()
	var seq int64
	if i := s.find(id); i >= 0 && !s.inflight[i].released {
		seq = s.inflight[i].seq
	}
	s.mu.Unlock()
	if seq == 0 {
		return true
	}
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	return c.stored(c.s.Sessions.ReleaseQueued(ctx, seq))
}

// stored ends the connection if its session could not be stored.
func (c *conn) stored(err error) bool {
	if err != nil {
		c.s.Log.WarnContext(c.context(context.Background()), "cannot store an MQTT session", "err", err)
		c.kick(packet.Busy, "unavailable")
	}
	return err == nil
}

// onRelease ends a message of QoS 2 that the client has sent.
func (c *conn) onRelease(a packet.Ack) {
	s := c.sess
	s.mu.Lock()
	i := slices.Index(s.received, a.ID)
	if i >= 0 {
		s.received = slices.Delete(s.received, i, i+1)
	}
	s.mu.Unlock()
	if i >= 0 && s.row.ID != "" {
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		if !c.stored(c.s.Sessions.DropReceived(ctx, domain.MQTTReceived{Session: s.row.ID, PacketID: a.ID})) {
			return
		}
	}
	answer := packet.Ack{ID: a.ID}
	if i < 0 {
		answer.Code = packet.UnknownID
	}
	c.send(packet.AppendAck(nil, packet.PUBCOMP, c.version, answer))
}

// isReceived reports whether a message of QoS 2 with this id is here already, and how many are.
func (s *session) isReceived(id uint16) (known bool, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.received, id), len(s.received)
}

func (s *session) receive(id uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, id)
}

// room reports whether messages of QoS 1 and 2 would be sent soon.
func (s *session) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn != nil && len(s.queue) < s.window
}
