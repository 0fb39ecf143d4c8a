package mqtt

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// settled returns what a device has announced, with what is known from before of sensors of the topic whose
// kinds were not announced; nil: the topic has no sensors. It returns with the lock held if not nil.
func (s *Service) settled(ctx context.Context, a *announced, device, topic string) (*announcer, error) {
	a.mu.Lock()
	d := a.of(ctx, s, device)
	if d == nil || len(d.sensors[topic]) == 0 {
		a.mu.Unlock()
		return nil, nil
	}
	if !slices.ContainsFunc(d.sensors[topic], (*discovery.Sensor).Unsettled) {
		return d, nil
	}
	a.mu.Unlock()
	before, err := s.Describer.Capabilities(ctx, device)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	discovery.Settle(d.entities, before)
	return d, nil
}

// available takes whether a device says that it is there, or a bridge that those are which it speaks for.
func (c *conn) available(ctx context.Context, a *announced, m *message) {
	said := make(map[string]bool)
	a.mu.Lock()
	if d := a.of(ctx, c.s, m.device); d != nil {
		msg := &discovery.Message{Payload: string(m.payload)}
		for _, device := range append([]string{m.device}, d.about[m.topic]...) {
			if there, known := a.devices[device].hears(m.topic, msg); known {
				said[device] = there
			}
		}
	}
	a.mu.Unlock()
	for device, there := range said {
		c.s.Devices.DeviceAvailable(c.id, device, there)
	}
}

// hears takes a message of a topic by which the device may say whether it is there.
func (d *announcer) hears(topic string, m *discovery.Message) (there, known bool) {
	by, ok := d.there[topic]
	if !ok {
		return false, false
	}
	said, known := by.Says(m)
	if !known {
		return false, false
	}
	if d.down == nil {
		d.down = make(map[string]bool)
	}
	d.down[topic] = !said
	return by.There(d.there, d.down, said), true
}

// observe takes the values that a message of a device has.
func (c *conn) observe(ctx context.Context, m *message) error {
	a, err := c.announcements(ctx)
	if err != nil {
		return err
	}
	c.available(ctx, a, m)
	if err := c.heardLoad(ctx, a, m); err != nil {
		return err
	}
	for _, device := range c.measuring(ctx, a, m) {
		if err := c.observeOf(ctx, a, device, m); err != nil {
			return err
		}
	}
	return nil
}

// observeOf takes the values that a message has of a device.
func (c *conn) observeOf(ctx context.Context, a *announced, device string, m *message) error {
	d, err := c.s.settled(ctx, a, device, m.topic)
	if d == nil {
		return err
	}
	report := domain.Report{At: c.s.Now(), Quality: domain.ReceivedTime}
	msg := &discovery.Message{Payload: string(m.payload)}
	var done []order
	for _, s := range d.sensors[m.topic] {
		kind, failed := s.Kind, s.Failed()
		v, ok := s.Value(msg)
		if s.Kind != kind {
			c.describeIn(a, describeDelay)
		}
		if err := s.Failed(); err != nil && failed == nil {
			c.s.Log.InfoContext(ctx, "MQTT value template fails", "device", device, "topic", m.topic,
				"sensor", s.Name, "err", err)
		}
		if !ok {
			continue
		}
		report.Readings = append(report.Readings, domain.Reading{Name: s.Name, Unit: s.Unit, Value: v})
		d.waiting = slices.DeleteFunc(d.waiting, func(o order) bool {
			if shows := o.wanted[s.Name]; shows != nil && shows(v) {
				delete(o.wanted, s.Name)
			}
			if len(o.wanted) == 0 {
				done = append(done, o)
			}
			return len(o.wanted) == 0
		})
	}
	a.mu.Unlock()
	if len(report.Readings) == 0 {
		return nil
	}
	if _, err := c.s.Readings.Accept(ctx, device, []domain.Report{report}); err != nil {
		return err
	}
	for _, o := range done {
		c.tell(ctx, device, o.command, domain.CommandDone, "")
	}
	return nil
}

// order publishes a command as the device has announced that it understands it. It reports false if the
// device has announced no such action.
func (c *conn) order(ctx context.Context, cmd domain.Command) (bool, error) {
	a, err := c.announcements(ctx)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	var action *discovery.Action
	if d := a.of(ctx, c.s, cmd.Device); d != nil {
		action = d.actions[cmd.Action]
	}
	a.mu.Unlock()
	if action == nil {
		return false, nil
	}
	args := map[string]any{}
	if len(cmd.Args) > 0 {
		if err := json.Unmarshal(cmd.Args, &args); err != nil {
			return true, err
		}
	}
	c.tell(ctx, cmd.Device, cmd.ID, domain.CommandReceived, "")
	if action.Request != nil {
		return true, c.request(ctx, a, cmd, action, args)
	}
	wanted := action.Wanted(args)
	waits := len(wanted) > 0
	if waits {
		a.await(cmd.Device, order{command: cmd.ID, wanted: wanted})
	}
	for _, p := range action.Publish(args) {
		m := &message{site: c.sess.site.id, topic: p.Topic, payload: []byte(p.Payload), qos: 1, retain: p.Retain, open: true}
		if len(c.sess.site.targets(m)) == 0 {
			c.tell(ctx, cmd.Device, cmd.ID, domain.CommandFailed, "the device does not listen to "+p.Topic)
			return true, nil
		}
		if err := c.s.deliver(ctx, c.sess.site, m, domain.MQTTReceived{}); err != nil {
			return true, err
		}
	}
	if !waits {
		c.tell(ctx, cmd.Device, cmd.ID, domain.CommandDone, "")
	}
	return true, nil
}

// await remembers a command that is done when a sensor shows it.
func (a *announced) await(device string, o order) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if d := a.devices[device]; d != nil {
		if len(d.waiting) == maxWaiting {
			d.waiting = slices.Delete(d.waiting, 0, 1)
		}
		d.waiting = append(d.waiting, o)
	}
}

// tell says what became of a command of a device that does not say so itself.
func (c *conn) tell(ctx context.Context, device, command string, state domain.CommandState, why string) {
	who := c.who
	if device != who.ID {
		who = c.childPrincipal(device)
	}
	if err := c.s.Commands.Report(ctx, who, domain.CommandReport{ID: command, State: state, Error: why}); err != nil {
		c.s.Log.WarnContext(ctx, "cannot say what became of a command", "command", command, "err", err)
	}
}
