package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// topicRPC is where a Shelly answers the server, under uh/d/DEVICE/.
const topicRPC = "rpc"

// shellyNode is a device that was recognised as a Shelly.
type shellyNode struct {
	discovery.Shelly
	by     *conn            // that it uses; nil: it has used none since it is known, its will was heard
	known  bool             // it has answered by that
	last   int64            // id of a command
	orders map[int64]string // commands that it has not answered, by id
}

// shellyAsks is after how long a node is asked what it is, until it has subscribed to that.
var shellyAsks = []time.Duration{time.Second, 5 * time.Second, time.Minute}

// onShelly recognises a Shelly by what it publishes, has it asked what it is, and learns what it measures. A device
// that announces itself, and a bridge, is none.
func (c *conn) onShelly(ctx context.Context, m *message) error {
	prefix, ok := discovery.ShellyTopic(m.topic, string(m.payload))
	if !ok || c.who.Access == domain.AccessBridge {
		return nil
	}
	a, err := c.announcements(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	d := a.of(ctx, c.s, m.device)
	if d == nil {
		d = &announcer{}
		a.devices[m.device] = d
	}
	switch {
	case d.announces:
		return nil
	case d.shelly == nil, d.shelly.Prefix() != prefix && !d.shelly.usesOther(c):
		d.shelly = &shellyNode{Shelly: discovery.NewShelly(prefix, ownPrefix+"d/"+m.device+"/"+topicRPC)}
	case d.shelly.Prefix() != prefix: // another node with the same key
		return nil
	}
	if d.shelly.by != c && c.reason.Load() == nil { // it has connected anew, and may be another by now
		d.shelly.by, d.shelly.known, d.shelly.orders = c, false, nil
		c.askShelly(a, d.shelly, shellyAsks)
	}
	if d.shelly.Hear(&discovery.Message{Payload: string(m.payload)}, m.topic) {
		d.dirty = true
		c.describeIn(a, describeDelay)
	}
	return nil
}

// usesOther reports whether the node uses another connection than c, which is open.
func (n *shellyNode) usesOther(c *conn) bool {
	return n.by != nil && n.by != c && n.by.reason.Load() == nil
}

// askShelly has a node asked in a moment, and later if it does not hear that.
func (c *conn) askShelly(a *announced, n *shellyNode, waits []time.Duration) {
	if len(waits) == 0 {
		return
	}
	c.s.work.after(waits[0], "shelly "+c.id, func() {
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		a.mu.Lock()
		gone, questions := n.by != c || c.reason.Load() != nil, n.Questions()
		a.mu.Unlock()
		if gone {
			return
		}
		for _, q := range questions {
			heard, err := c.tellNode(ctx, q)
			if err != nil {
				c.s.Log.WarnContext(ctx, "cannot ask a Shelly what it is", "device", c.who.ID, "err", err)
			} else if !heard {
				c.askShelly(a, n, waits[1:])
				return
			}
		}
	})
}

// tellNode publishes to the node alone, and reports whether it subscribes to that.
func (c *conn) tellNode(ctx context.Context, p discovery.Publication) (heard bool, err error) {
	m := &message{site: c.sess.site.id, topic: p.Topic, payload: []byte(p.Payload), qos: 1, device: c.who.ID}
	for _, to := range c.sess.site.targets(m) {
		heard = heard || to.session.device == c.who.ID
	}
	if !heard {
		return false, nil
	}
	return true, c.s.deliver(ctx, c.sess.site, m, domain.MQTTReceived{})
}

// onAnswer takes what a Shelly answers: to a question, or to a command.
func (c *conn) onAnswer(ctx context.Context, m *message) error {
	var r discovery.ShellyAnswer
	if err := json.Unmarshal(m.payload, &r); err != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidField, "the payload is no answer of JSON-RPC: %v", err)
	}
	a, err := c.announcements(ctx)
	if err != nil {
		return err
	}
	a.mu.Lock()
	d := a.of(ctx, c.s, c.who.ID)
	if d == nil || d.shelly == nil {
		a.mu.Unlock()
		return domain.Invalid.Errorf(domain.CodeInvalidField, "the server has asked nothing: it knows no Shelly here")
	}
	if command, ok := d.shelly.orders[r.ID]; ok {
		delete(d.shelly.orders, r.ID)
		a.mu.Unlock()
		c.tellAnswer(ctx, command, r)
		return nil
	}
	node, asked := d.shelly.Shelly.(*discovery.Shelly2)
	if asked && r.Error == nil && node.Answered(r) {
		d.dirty = true
		c.describeIn(a, describeDelay)
	}
	first := !d.shelly.known && r.Error == nil && asked && r.ID == discovery.ShellyStatus
	d.shelly.known = d.shelly.known || first
	a.mu.Unlock()
	if first {
		c.attachAgain(c.who.ID)
	}
	if r.Error != nil {
		return domain.Invalid.Errorf(domain.CodeInvalidField, "the Shelly refuses to say what it is: %s", why(r))
	}
	return c.observeOf(ctx, a, c.who.ID, m)
}

// tellAnswer says what became of a command that a Shelly has answered.
func (c *conn) tellAnswer(ctx context.Context, command string, r discovery.ShellyAnswer) {
	if r.Error != nil {
		c.tell(ctx, c.who.ID, command, domain.CommandFailed, why(r))
		return
	}
	c.tell(ctx, c.who.ID, command, domain.CommandDone, "")
}

// why is the error of an answer, for people.
func why(r discovery.ShellyAnswer) string {
	return fmt.Sprintf("%.200s (code %d)", r.Error.Message, r.Error.Code)
}

// request publishes a command to a Shelly, which says by its answer what became of it.
func (c *conn) request(ctx context.Context, a *announced, cmd domain.Command, action *discovery.Action,
	args map[string]any) error {
	a.mu.Lock()
	d := a.of(ctx, c.s, cmd.Device)
	if d == nil || d.shelly == nil { // it was one a moment ago
		a.mu.Unlock()
		c.tell(ctx, cmd.Device, cmd.ID, domain.CommandFailed, "the device announces itself anew")
		return nil
	}
	p := action.Request(d.shelly.order(cmd.ID), args)
	a.mu.Unlock()
	heard, err := c.tellNode(ctx, p)
	if err == nil && !heard {
		c.tell(ctx, cmd.Device, cmd.ID, domain.CommandFailed, "the device does not listen to "+p.Topic)
	}
	return err
}

// order returns the id of a command whose answer is waited for. Of too many the oldest is forgotten.
func (n *shellyNode) order(command string) int64 {
	if n.orders == nil {
		n.orders = make(map[int64]string)
	}
	n.last = max(n.last+1, discovery.ShellyCommands)
	n.orders[n.last] = command
	delete(n.orders, n.last-maxWaiting)
	return n.last
}

// isShared reports whether a topic is that of no single device.
func isShared(topic string) bool { return topic == discovery.ShellyShared }
