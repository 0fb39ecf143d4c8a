package mqtt

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
)

// replay is retained messages that are still to be sent for a subscription.
type replay struct {
	filter packet.Filter
	id     uint32
	after  string // the topic that was sent last
	shown  bool   // all from the store were sent: those of the mirror follow
	// mirrored is how many devices of the mirror were gone through.
	mirrored int
}

const retainedAtOnce = 100 // retained messages that are read from the store in one step

func (c *conn) onSubscribe(body []byte) error {
	p, err := packet.ParseSubscribe(body, c.version)
	if err != nil {
		return err
	}
	id, _ := p.Props.Num(packet.SubscriptionID)
	answer := packet.Suback{ID: p.ID}
	var replays []replay
	var added []*sub
	shared := false
	for _, f := range p.Filters {
		name, _, shareOK := packet.SplitShare(f.Topic)
		if shareOK && name != "" && f.NoLocal {
			return &packet.Error{Code: packet.ProtocolError, Text: "a shared subscription cannot leave out one's own messages"}
		}
		b, code, isNew := c.subscribe(f, id)
		if b != nil {
			c.view(f.Topic)
		}
		if b != nil {
			added, shared = append(added, b), shared || name != ""
		}
		answer.Codes = append(answer.Codes, code)
		if code < packet.Unspecified && name == "" && (f.RetainHandling == 0 || f.RetainHandling == 1 && isNew) {
			replays = append(replays, replay{filter: f, id: id})
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	if !c.stored(c.sess.saveSubscriptions(ctx, added, nil)) {
		return errGone
	}
	if shared {
		c.s.tellShares(c.sess.site)
	}
	c.send(packet.AppendSuback(nil, packet.SUBACK, c.version, answer))
	c.sess.mu.Lock()
	c.sess.replays = append(c.sess.replays, replays...)
	c.sess.mu.Unlock()
	c.attach()
	return nil
}

// subscribe adds one subscription, or changes it. isNew is false if the filter was there.
func (c *conn) subscribe(f packet.Filter, id uint32) (b *sub, code packet.Code, isNew bool) {
	_, inner, ok := packet.SplitShare(f.Topic)
	if !ok || packet.CheckFilter(inner) != nil || len(f.Topic) > maxTopicLen || strings.Count(f.Topic, "/") > maxLevels {
		return nil, packet.BadFilter, false
	}
	if strings.HasPrefix(inner, "$") {
		return nil, packet.NotAuthorized, false
	}
	s := c.sess
	b = &sub{session: s, filter: f, id: id}
	s.mu.Lock()
	if s.conn != c {
		s.mu.Unlock()
		return nil, packet.Unspecified, false
	}
	i := slices.IndexFunc(s.subs, func(x *sub) bool { return x.filter.Topic == f.Topic })
	var old *sub
	switch {
	case i >= 0:
		old, s.subs[i] = s.subs[i], b
	case len(s.subs) >= s.maxSubs():
		s.mu.Unlock()
		return nil, packet.QuotaExceeded, false
	default:
		s.subs = append(s.subs, b)
	}
	s.mu.Unlock()
	if old != nil {
		s.site.replace(old, b)
	} else {
		s.site.add(b)
	}
	return b, packet.Code(f.QoS), old == nil
}

func (c *conn) onUnsubscribe(body []byte) error {
	p, err := packet.ParseUnsubscribe(body, c.version)
	if err != nil {
		return err
	}
	answer := packet.Suback{ID: p.ID}
	s := c.sess
	var removed []string
	for _, f := range p.Filters {
		s.mu.Lock()
		i := slices.IndexFunc(s.subs, func(x *sub) bool { return x.filter.Topic == f })
		var b *sub
		if i >= 0 {
			b = s.subs[i]
			s.subs = slices.Delete(s.subs, i, i+1)
		}
		s.replays = slices.DeleteFunc(s.replays, func(r replay) bool { return r.filter.Topic == f })
		s.mu.Unlock()
		if b == nil {
			answer.Codes = append(answer.Codes, packet.NoSubscription)
			continue
		}
		s.site.remove(b)
		removed = append(removed, f)
		answer.Codes = append(answer.Codes, packet.Success)
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	if !c.stored(s.saveSubscriptions(ctx, nil, removed)) {
		return errGone
	}
	c.send(packet.AppendSuback(nil, packet.UNSUBACK, c.version, answer))
	return nil
}

// refill sends the retained messages that the client waits for, as fast as it takes them. It
// reports false if the connection must end.
func (s *session) refill(c *conn) bool {
	for {
		s.mu.Lock()
		if len(s.replays) == 0 {
			s.replays = nil
			s.mu.Unlock()
			return true
		}
		r, full := s.replays[0], len(s.queue) >= s.window
		s.mu.Unlock()
		if r.filter.QoS > 0 && full {
			return true // goes on with the next acknowledgement
		}
		if !s.replayPage(c, r) {
			return false
		}
		c.waitDrained()
	}
}

// replayPage sends some of the retained messages of a subscription.
func (s *session) replayPage(c *conn, r replay) bool {
	if r.shown {
		return s.replayMirror(c, r)
	}
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	err := c.s.retainer.sync(ctx)
	var page []domain.RetainedMessage
	if err == nil {
		page, err = c.s.Topics.RetainedMessages(ctx, s.site.id, literal(r.filter.Topic), r.after, retainedAtOnce)
	}
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot read retained messages", "err", err)
		c.kick(packet.Busy, "unavailable")
		return false
	}
	for _, row := range page {
		m := retainedMessage(row)
		if packet.Match(r.filter.Topic, m.topic) && m.visible(s) {
			d := delivery{m: m, qos: min(m.qos, r.filter.QoS), retain: true}
			if r.id != 0 {
				d.ids = []uint32{r.id}
			}
			s.deliver(d)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.replays) == 0 {
		return true
	}
	switch {
	case len(page) == retainedAtOnce:
		s.replays[0].after = page[len(page)-1].Topic
	case s.class == controller && showsMirror(r.filter.Topic):
		s.replays[0].shown = true
	default:
		s.replays = slices.Delete(s.replays, 0, 1)
	}
	return true
}

// literal returns the start of a filter before its first wildcard.
func literal(filter string) string {
	if i := strings.IndexAny(filter, "+#"); i >= 0 {
		return strings.TrimSuffix(filter[:i], "/") // a/# is for a as well
	}
	return filter
}

// retainedMessage returns a stored message.
func retainedMessage(r domain.RetainedMessage) *message {
	m := &message{site: r.Site, topic: r.Topic, payload: r.Payload, qos: r.QoS, retain: true, expires: r.Expires,
		sender: r.Device, open: r.Open}
	if !r.Open {
		m.device = r.Device
	}
	if len(r.Props) > 0 {
		_ = json.Unmarshal(r.Props, &m.props) // written by retain
	}
	return m
}

// retain stores a message in the place of the one before on its topic. One of QoS 1 or 2 is
// committed when it returns.
func (s *Service) retain(ctx context.Context, m *message, now time.Time) error {
	r := domain.RetainedMessage{Site: m.site, Topic: m.topic, Device: m.sender, Payload: m.payload, QoS: m.qos, At: now,
		Expires: m.expires}
	if len(m.props) > 0 {
		var err error
		if r.Props, err = json.Marshal(m.props); err != nil {
			return err
		}
	}
	return s.retainer.put(ctx, r, m.qos > 0)
}
