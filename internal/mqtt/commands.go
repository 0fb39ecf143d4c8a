package mqtt

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/wire"
)

// traceparent is the user property by which MQTT 5 clients and the server tell each other of a trace
// (W3C Trace Context for MQTT).
const traceparent = "traceparent"

// traceProperty is that property, if there is a trace.
func traceProperty(parent string) packet.Properties {
	if parent == "" {
		return nil
	}
	return packet.Properties{{ID: packet.UserProperty, Text: traceparent, Value: parent}}
}

// traceparentOf returns what a client has sent as that property; empty: nothing.
func traceparentOf(ps packet.Properties) string {
	for _, p := range ps {
		if p.ID == packet.UserProperty && p.Text == traceparent {
			return p.Value
		}
	}
	return ""
}

// attachDelay is how long after its first SUBSCRIBE a device gets commands: others may follow.
const attachDelay = 300 * time.Millisecond

// commands are those for one device, as they come to its connection.
type commands struct {
	mu      sync.Mutex
	waiting []domain.Command // in their order
	busy    bool             // a goroutine carries them out
	ended   bool
	detach  map[string]func() // by device
}

// attach has commands, settings and updates for the device delivered, soon.
func (c *conn) attach() {
	if c.class() != plainNode || c.attached || c.s.Commands == nil {
		return
	}
	c.attached = true
	c.s.work.after(attachDelay, "attach "+c.id, func() {
		c.attachTo(c.who.ID)
		if c.who.Access != domain.AccessBridge {
			return
		}
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		a, err := c.announcements(ctx)
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot give commands to the devices behind a bridge", "device", c.who.ID, "err", err)
			return
		}
		c.attachChildren(a)
	})
}

// attachTo has commands for a device delivered, if they are not yet, and to the device itself its settings and updates.
func (c *conn) attachTo(device string) {
	c.commands.mu.Lock()
	known := c.commands.ended || c.commands.detach[device] != nil
	c.commands.mu.Unlock()
	if known {
		return
	}
	ctx := c.context(context.Background())
	detach := c.s.Commands.Attach(ctx, device, c.obey)
	if device == c.who.ID {
		detach = c.attachOwn(ctx, detach)
	}
	c.commands.mu.Lock()
	defer c.commands.mu.Unlock()
	if c.commands.ended || c.commands.detach[device] != nil {
		detach()
		return
	}
	if c.commands.detach == nil {
		c.commands.detach = make(map[string]func())
	}
	c.commands.detach[device] = detach
}

// attachAgain has the commands delivered again that the device has not begun with: those that came before it was
// known what it understands.
func (c *conn) attachAgain(device string) {
	c.commands.mu.Lock()
	detach := c.commands.detach[device]
	delete(c.commands.detach, device)
	c.commands.mu.Unlock()
	if detach != nil {
		detach()
		c.attachTo(device)
	}
}

// endCommands undoes attach. A command that nobody has begun with comes again by a later connection.
func (c *conn) endCommands() {
	c.s.work.cancel("attach " + c.id)
	c.commands.mu.Lock()
	defer c.commands.mu.Unlock()
	c.commands.ended = true
	for _, detach := range c.commands.detach {
		detach()
	}
	c.commands.detach = nil
}

// set tells the device what is to be set. It does not wait for the store.
func (c *conn) set(s domain.Shadow) {
	c.s.work.start(func() {
		ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
		defer cancel()
		b, err := json.Marshal(wire.FromShadow(s))
		if err == nil {
			err = c.s.say(ctx, c.sess.site, ownPrefix+"d/"+c.who.ID+"/"+topicSettings, b, 1)
		}
		if err != nil {
			c.s.Log.WarnContext(ctx, "cannot tell an MQTT client its settings", "err", err)
		}
	})
}

// obey has a command carried out, after those before it. It does not wait for the store.
func (c *conn) obey(cmd domain.Command) {
	q := &c.commands
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.ended {
		return
	}
	q.waiting = append(q.waiting, cmd)
	if !q.busy {
		q.busy = c.s.work.start(c.carryOutAll)
	}
}

// carryOutAll carries out the commands that wait.
func (c *conn) carryOutAll() {
	q := &c.commands
	for {
		q.mu.Lock()
		if len(q.waiting) == 0 || q.ended {
			q.busy, q.waiting = false, nil
			q.mu.Unlock()
			return
		}
		cmd := q.waiting[0]
		q.waiting = q.waiting[1:]
		q.mu.Unlock()
		c.carryOut(cmd)
	}
}

// carryOut gives a command to the device: as what it announced it understands, or on its own topic.
func (c *conn) carryOut(cmd domain.Command) {
	ctx, cancel := context.WithTimeout(c.context(context.Background()), publishTime)
	defer cancel()
	done, err := c.order(ctx, cmd)
	if err == nil && !done && cmd.Device != c.who.ID {
		c.tell(ctx, cmd.Device, cmd.ID, domain.CommandFailed, "the bridge has announced no such action")
		return
	}
	if err == nil && !done {
		var b []byte
		v := wire.FromCommand(cmd)
		v.Trace = cmd.Trace
		if b, err = json.Marshal(v); err == nil {
			err = c.s.say(ctx, c.sess.site, ownPrefix+"d/"+c.who.ID+"/"+topicCommands, b, 1, traceProperty(cmd.Trace)...)
		}
	}
	if err != nil {
		c.s.Log.WarnContext(ctx, "cannot give a command to an MQTT client", "command", cmd.ID, "err", err)
	}
}
