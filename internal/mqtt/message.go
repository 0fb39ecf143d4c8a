package mqtt

import (
	"bytes"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// message is what somebody published. It does not change; its encodings are shared by all who
// get them.
type message struct {
	site, topic string
	payload     []byte
	qos         byte
	retain      bool
	props       packet.Properties // that are passed on
	expires     time.Time         // zero: never
	from        string            // key of the client that published it; empty: the server
	device      string            // id of the device that did; empty: a controller, or the server
	sender      string            // id of the device or controller that did; empty: the owner, or the server
	open        bool              // nodes may have it
	chosen      map[string]string // which node delivers it to each group; see choose
	here        string            // the name of this node, with chosen

	mu     sync.Mutex
	frames [2 * 3 * 2]frame // by version, QoS and retain flag
}

// frame is an encoded PUBLISH.
type frame struct {
	b  []byte
	at int // of the packet identifier
}

// forwarded are the properties that reach subscribers unaltered (MQTT 5 section 3.3.2.3).
func forwarded(ps packet.Properties) (kept packet.Properties) {
	for _, p := range ps {
		switch p.ID {
		case packet.PayloadFormat, packet.ContentType, packet.ResponseTopic, packet.CorrelationData, packet.UserProperty:
			kept = append(kept, p)
		}
	}
	return kept
}

// encode returns the message for a version, to be sent with an identifier.
func (m *message) encode(v packet.Version, d delivery, now time.Time) frame {
	p := packet.Publish{QoS: d.qos, Retain: d.retain, Topic: m.topic, ID: 1, Payload: m.payload}
	if v < packet.V5 || m.expires.IsZero() && len(d.ids) == 0 {
		m.mu.Lock()
		defer m.mu.Unlock()
		f := &m.frames[index(v, d.qos, d.retain)]
		if f.b == nil {
			p.Props = m.props
			f.b, f.at = packet.AppendPublish(nil, v, p)
		}
		return *f
	}
	p.Props = append(packet.Properties{}, m.props...)
	if !m.expires.IsZero() {
		left := (m.expires.Sub(now) + time.Second - 1) / time.Second // never 0: that would say that it is over
		p.Props = append(p.Props, packet.Property{ID: packet.MessageExpiry, Num: uint32(max(left, 1))})
	}
	for _, id := range d.ids {
		p.Props = append(p.Props, packet.Property{ID: packet.SubscriptionID, Num: id})
	}
	var f frame
	f.b, f.at = packet.AppendPublish(nil, v, p)
	return f
}

func index(v packet.Version, qos byte, retain bool) int {
	i := int(qos)
	if v == packet.V5 {
		i += 3
	}
	if retain {
		i += 6
	}
	return i
}

// sendMessage sends a message by the connection. It reports whether one of QoS 1 or 2 is on its way.
// What is over, or more than the client takes, counts as sent.
func (c *conn) sendMessage(d delivery, id uint16) bool {
	now := c.s.Now()
	if !d.m.expires.IsZero() && !now.Before(d.m.expires) {
		c.s.metrics.dropped.WithLabelValues("expired").Inc()
		return false
	}
	f := d.m.encode(c.version, d, now)
	if len(f.b) > c.maxPacket {
		c.s.metrics.dropped.WithLabelValues("too_large").Inc()
		return false
	}
	if d.qos == 0 {
		if !c.offer(f.b) {
			c.s.metrics.dropped.WithLabelValues("slow").Inc()
			return false
		}
		c.s.metrics.sent[0].Inc()
		return false
	}
	b := bytes.Clone(f.b)
	packet.SetID(b, f.at, id, d.again)
	c.s.metrics.sent[d.qos].Inc()
	c.send(b)
	return true
}
