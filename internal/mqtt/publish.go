package mqtt

import (
	"context"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

const publishTime = 15 * time.Second // for the store to take a message

// onPublish takes a message, and acknowledges it when it is committed.
func (c *conn) onPublish(h packet.Header, body []byte) error {
	p, err := packet.ParsePublish(h, body, c.version)
	if err != nil {
		return err
	}
	if err := c.resolveAlias(&p); err != nil {
		return err
	}
	if _, ok := p.Props.Num(packet.SubscriptionID); ok {
		return &packet.Error{Code: packet.ProtocolError, Text: "a subscription identifier is not for clients to send"}
	}
	c.s.metrics.received[p.QoS].Inc()
	if p.QoS == 2 {
		known, n := c.sess.isReceived(p.ID)
		switch {
		case known: // it was resent
			c.send(packet.AppendAck(nil, packet.PUBREC, c.version, packet.Ack{ID: p.ID}))
			return nil
		case n >= receiveMaximum:
			return &packet.Error{Code: packet.TooMany, Text: "too many messages of QoS 2 are under way"}
		}
	}
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	code, err := c.publish(ctx, c.sess.site, p)
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot take an MQTT message", "topic", p.Topic, "err", err)
		if p.QoS == 0 {
			c.s.metrics.dropped.WithLabelValues("unavailable").Inc()
			return nil
		}
		// Not acknowledged: the client sends it again when it is back.
		return &packet.Error{Code: packet.Busy, Text: "the message cannot be stored now"}
	}
	if code != packet.Success {
		c.refusedTopic(p.Topic, code)
	}
	c.acknowledge(p, code)
	return nil
}

// acknowledge answers a PUBLISH. Before MQTT 5 one that was refused is acknowledged like others: a
// client that is told nothing would send it for ever.
func (c *conn) acknowledge(p packet.Publish, code packet.Code) {
	switch p.QoS {
	case 1:
		c.send(packet.AppendAck(nil, packet.PUBACK, c.version, packet.Ack{ID: p.ID, Code: code}))
	case 2:
		if code < packet.Unspecified || c.version < packet.V5 {
			c.sess.receive(p.ID)
		}
		c.send(packet.AppendAck(nil, packet.PUBREC, c.version, packet.Ack{ID: p.ID, Code: code}))
	}
}

// resolveAlias fills in the topic that an alias stands for.
func (c *conn) resolveAlias(p *packet.Publish) error {
	n, ok := p.Props.Num(packet.TopicAlias)
	switch {
	case !ok:
		return nil
	case n > maxAliases:
		return &packet.Error{Code: packet.BadAlias, Text: "the topic alias is too high"}
	case c.aliases == nil:
		c.aliases = make([]string, maxAliases)
	}
	if p.Topic != "" {
		c.aliases[n-1] = p.Topic
	} else if p.Topic = c.aliases[n-1]; p.Topic == "" {
		return &packet.Error{Code: packet.ProtocolError, Text: "the topic alias stands for nothing yet"}
	}
	return nil
}

// publish carries out a PUBLISH of the client, or its will. An error is the server's fault, and a
// code the client's.
func (c *conn) publish(ctx context.Context, t *site, p packet.Publish) (packet.Code, error) {
	s, now := c.s, c.s.Now()
	if code := c.mayPublish(p.Topic); code != packet.Success {
		return code, nil
	}
	if len(p.Payload) > maxPayload {
		return packet.QuotaExceeded, nil // an acknowledgement has no code for its size (MQTT 5.0, 3.4.2.1)
	}
	if !c.pace(p.Topic, now) {
		return packet.QuotaExceeded, nil
	}
	m := &message{
		site: t.id, topic: p.Topic, qos: p.QoS, retain: p.Retain, props: forwarded(p.Props), from: c.key,
		payload: append([]byte(nil), p.Payload...), open: c.sess.class == controller,
	}
	if !m.open {
		m.device = c.who.ID
	}
	if c.who.Kind == domain.KindDevice {
		m.sender = c.who.ID
	}
	if e, ok := p.Props.Num(packet.MessageExpiry); ok {
		m.expires = now.Add(time.Duration(e) * time.Second)
	}
	if m.poses() {
		return packet.NotAuthorized, nil
	}
	if code, err := c.claim(ctx, t, m); code != packet.Success || err != nil {
		return code, err
	}
	retains := m.retain && keepsRetained(m.topic)
	if retains {
		if code, err := c.allowRetained(ctx, t, m); code != packet.Success || err != nil {
			return code, err
		}
	}
	if code, err := c.understand(ctx, m); code != packet.Success || err != nil {
		return code, err
	}
	if retains {
		if err := s.retain(ctx, m, now); err != nil {
			return packet.Success, err
		}
	}
	from := domain.MQTTReceived{}
	if p.QoS == 2 && p.ID != 0 {
		from = domain.MQTTReceived{Session: c.sess.row.ID, PacketID: p.ID}
	}
	if isOrder(m.topic) { // it is for the server
		_, err := s.enqueue(ctx, nil, from)
		return packet.Success, err
	}
	return packet.Success, s.deliver(ctx, t, m, from)
}

// poses reports whether a device announces what is another's, as far as that is one of this server.
func (m *message) poses() bool {
	return m.device != "" && discovery.IsConfig(m.topic) && discovery.Foreign(m.payload, m.device) != ""
}

// understand carries out what a message of a device says, if that is known.
func (c *conn) understand(ctx context.Context, m *message) (packet.Code, error) {
	switch {
	case isOrder(m.topic):
		return c.onOrder(ctx, m)
	case m.device == "":
		return packet.Success, nil
	case isOwn(m.topic):
		return c.onOwn(ctx, m)
	case isAnnouncement(m.topic) && m.retain: // they are kept, and counted
		return packet.Success, c.onAnnouncement(ctx, m)
	}
	if err := c.onShelly(ctx, m); err != nil {
		return packet.Success, err
	}
	return packet.Success, c.observe(ctx, m)
}

// deliver gives a message to all who subscribe to it. When it returns, the message is stored for those
// whose sessions are.
func (s *Service) deliver(ctx context.Context, t *site, m *message, from domain.MQTTReceived) error {
	if m.qos > 0 {
		if err := s.load(ctx, t); err != nil {
			return err
		}
	}
	m.chosen, m.here = s.choose(t, m), s.Node
	all := t.targets(m)
	woken, err := s.enqueue(ctx, all, from)
	if err != nil {
		return err
	}
	t.send(all, woken)
	s.tellOthers(m, woken)
	return nil
}

// pace waits while a connection sends more than it may, so that it is read later, and TCP slows it
// down. It reports false for what is to be dropped instead: what a node logs.
func (c *conn) pace(topic string, now time.Time) bool {
	if isDebug(topic) {
		ok, _ := c.debug.Allow(c.s.perDebug, now)
		return ok
	}
	for {
		ok, wait := c.messages.Allow(c.s.perConn, c.s.Now())
		if ok {
			return true
		}
		time.Sleep(wait)
	}
}

// claim makes sure that a device publishes only to topics that no other has. A topic belongs to the
// device that was the first to publish to it.
func (c *conn) claim(ctx context.Context, t *site, m *message) (packet.Code, error) {
	s, most := c.s, maxTopics
	if c.who.Access == domain.AccessBridge {
		most = maxBridgeTopics
	}
	if m.device == "" || isOwn(m.topic) || isShared(m.topic) {
		return packet.Success, nil
	}
	t.claimsMu.Lock()
	holder, known := t.claims[m.topic]
	t.claimsMu.Unlock()
	if !known {
		var err error
		holder, err = s.Topics.ClaimTopic(ctx, m.site, m.topic, m.device, most)
		if domain.KindOf(err) == domain.TooLarge {
			return packet.QuotaExceeded, nil
		}
		if err != nil {
			return packet.Success, err
		}
		t.claimsMu.Lock()
		t.claims[m.topic] = holder
		t.claimsMu.Unlock()
	}
	if holder != m.device {
		return packet.NotAuthorized, nil
	}
	return packet.Success, nil
}

const refusedEvery = 10 * time.Second // between lines of the log about refusals of one connection

// refusedTopic counts and logs a message that was refused.
func (c *conn) refusedTopic(topic string, code packet.Code) {
	c.s.metrics.dropped.WithLabelValues("refused").Inc()
	if code != packet.BadPayload { // of which it is noted already what is wrong
		c.note(topic, fmt.Sprintf("0x%02x", byte(code)), refusals[code])
	}
	if now := c.s.Now(); now.Sub(c.refused) >= refusedEvery {
		c.refused = now
		c.s.Log.InfoContext(c.context(context.Background()), "MQTT message refused", "topic", topic, "code", int(code),
			"holder", c.sess.site.holder(topic))
	}
}

// refusals says why messages are refused.
var refusals = map[packet.Code]string{
	packet.BadTopic:      "the topic is too long, or has too many levels",
	packet.NotAuthorized: "the topic is another device's, or kept for the server; or an announcement names another device",
	packet.QuotaExceeded: "too many topics, retained messages or messages, or too large a payload",
}

// note adds to the log of the device that connects why a message was refused.
func (c *conn) note(topic, reason, detail string) {
	if c.who.Kind == domain.KindDevice && c.s.Describer != nil {
		c.s.Describer.Note(c.who.ID, domain.DeviceNote{Kind: domain.NoteTopic, Subject: topic, Reason: reason,
			Detail: detail})
	}
}

// holder returns the device that a topic belongs to, as far as this process knows; empty: none.
func (t *site) holder(topic string) string {
	t.claimsMu.Lock()
	defer t.claimsMu.Unlock()
	return t.claims[topic]
}

// will is what is published for a client that is gone.
type will struct {
	p     packet.Publish
	delay time.Duration
}

func newWill(w *packet.Will) *will {
	delay, _ := w.Props.Num(packet.WillDelay)
	return &will{
		p:     packet.Publish{QoS: w.QoS, Retain: w.Retain, Topic: w.Topic, Payload: w.Payload, Props: w.Props},
		delay: time.Duration(delay) * time.Second,
	}
}

// leaveWill publishes the will of a client that is gone, or after its delay if the session goes on
// until then: that is cancelled if the client returns, and comes early if the service ends.
func (s *Service) leaveWill(c *conn, w *will) {
	delay := min(w.delay, time.Duration(c.sess.expiry())*time.Second)
	if reason := c.reason.Load(); delay == 0 || c.sess.row.ID == "" || reason != nil && *reason == "revoked" {
		s.publishWill(c, w)
		return
	}
	s.work.after(delay, willOf(c.key), func() { s.publishWill(c, w) })
}

// willOf names the delayed will of a client by its key.
func willOf(key string) string { return "will " + key }

func (s *Service) publishWill(c *conn, w *will) {
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	t, err := s.enter(ctx, siteOf(c.who))
	code := packet.Success
	if err == nil {
		defer s.leaveSite(t)
		code, err = c.publish(ctx, t, w.p)
	}
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot publish a will", "topic", w.p.Topic, "err", err)
	} else if code != packet.Success {
		c.refusedTopic(w.p.Topic, code)
	}
}
