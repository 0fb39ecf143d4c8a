package mqtt

import (
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// onBus takes a message of another node.
func (s *Service) onBus(t *site, b bus.Message) {
	var w wireMessage
	if err := json.Unmarshal(b.Data, &w); err != nil {
		s.Log.Error("MQTT message of another node that is not understood", "err", err)
		return
	}
	if w.Node == s.Node {
		return
	}
	if w.Taken != "" {
		s.takenOver(w.From, w.Taken, w.Clean)
		return
	}
	if w.HasShares {
		t.hearShares(w.Node, w.Shares, s.Now())
		return
	}
	m := w.message(t.id)
	m.here = s.Node
	if m.device != "" && isAnnouncement(m.topic) {
		t.announced.hear(m)
	}
	t.send(t.targets(m), w.Wake)
}

// wireMessage is a message between nodes.
type wireMessage struct {
	Node    string            `json:"node"`
	Topic   string            `json:"topic"`
	Payload []byte            `json:"payload,omitempty"`
	QoS     byte              `json:"qos,omitempty"`
	Retain  bool              `json:"retain,omitempty"`
	Props   packet.Properties `json:"props,omitempty"`
	Expires *time.Time        `json:"expires,omitempty"`
	From    string            `json:"from,omitempty"`
	Device  string            `json:"device,omitempty"`
	Open    bool              `json:"open,omitempty"`
	Wake    []string          `json:"wake,omitempty"`   // stored sessions that it waits for
	Chosen  map[string]string `json:"chosen,omitempty"` // which node delivers to each shared subscription
	Shares  []string          `json:"shares,omitempty"` // no message: the shared subscriptions of the node
	// HasShares says that Shares is meant, also if there are none.
	HasShares bool   `json:"has_shares,omitempty"`
	Taken     string `json:"taken,omitempty"` // no message: connection that From has now
	Clean     bool   `json:"clean,omitempty"` // with Taken: and a new session
}

func (w wireMessage) message(site string) *message {
	m := &message{site: site, topic: w.Topic, payload: w.Payload, qos: w.QoS, retain: w.Retain, props: w.Props,
		from: w.From, device: w.Device, open: w.Open, chosen: w.Chosen}
	if w.Expires != nil {
		m.expires = *w.Expires
	}
	return m
}

// takenOver ends an older connection of a client that has connected to another node.
func (s *Service) takenOver(client, conn string, clean bool) {
	s.mu.Lock()
	old := s.clients[client]
	s.mu.Unlock()
	if old != nil && old.id < conn { // ids sort by time
		old.takenOver(clean)
	}
}

// tellTaken tells the other nodes that a client is connected here.
func (s *Service) tellTaken(c *conn, clean bool) {
	if s.Others {
		s.publishBus(c.sess.site.id, wireMessage{Node: s.Node, From: c.key, Taken: c.id, Clean: clean})
	}
}

// tellOthers sends a message to the other nodes.
func (s *Service) tellOthers(m *message, woken []string) {
	if !s.Others {
		return
	}
	w := wireMessage{Node: s.Node, Topic: m.topic, Payload: m.payload, QoS: m.qos, Retain: m.retain, Props: m.props,
		From: m.from, Device: m.device, Open: m.open, Wake: woken,
		Chosen: m.chosen}
	if !m.expires.IsZero() {
		w.Expires = &m.expires
	}
	s.publishBus(m.site, w)
}

func (s *Service) publishBus(site string, w wireMessage) {
	b, err := json.Marshal(w)
	if err == nil {
		err = s.Bus.Publish(subject(site), b)
	}
	if err != nil {
		s.Log.Warn("cannot tell other nodes of an MQTT message", "err", err)
	}
}
