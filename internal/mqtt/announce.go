package mqtt

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
)

// announced is what the devices of a site have announced. It is made of the retained announcements, which
// are in the store.
type announced struct {
	loading sync.Mutex
	mu      sync.Mutex
	loaded  bool
	docs    map[string]announcement // by topic
	devices map[string]*announcer
}

// announcement is one retained message.
type announcement struct {
	device  string
	payload []byte
}

// announcer is what a device has announced.
type announcer struct {
	entities []*discovery.Entity
	sensors  map[string][]*discovery.Sensor // by the topic of their values
	actions  map[string]*discovery.Action
	there    map[string]discovery.Availability // by topic
	bad      []domain.Unsupported              // announcements that could not be read
	waiting  []order                           // commands that are done when a sensor shows it
}

// order is a command that was published to a device.
type order struct {
	command string
	wanted  map[string]func(domain.Value) bool // by sensor: what it must show yet
}

const (
	describeDelay = time.Second      // in which more announcements are waited for
	removeDelay   = 10 * time.Second // zigbee2mqtt removes all, and announces it anew
	maxAnnounced  = 5000             // announcements of a site
	maxWaiting    = 50               // commands of a device
)

// isAnnouncement reports whether devices announce themselves by a topic.
func isAnnouncement(topic string) bool {
	return discovery.IsConfig(topic) || strings.HasPrefix(topic, discovery.TasmotaPrefix)
}

// announcements returns those of a site, and reads them from the store the first time.
func (s *Service) announcements(ctx context.Context, t *site) (*announced, error) {
	a := &t.announced
	a.loading.Lock()
	defer a.loading.Unlock()
	a.mu.Lock()
	loaded := a.loaded
	a.mu.Unlock()
	if loaded {
		return a, nil
	}
	if err := s.retainer.sync(ctx); err != nil {
		return nil, err
	}
	docs := make(map[string]announcement)
	for _, prefix := range []string{discovery.Prefix, discovery.TasmotaPrefix} {
		for after := ""; ; {
			page, err := s.Topics.RetainedMessages(ctx, t.id, prefix, after, retainedAtOnce)
			if err != nil {
				return nil, err
			}
			for _, r := range page {
				if r.Device != "" && isAnnouncement(r.Topic) {
					docs[r.Topic] = announcement{r.Device, r.Payload}
				}
				after = r.Topic
			}
			if len(page) < retainedAtOnce {
				break
			}
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for topic, doc := range a.docs { // came meanwhile
		docs[topic] = doc
	}
	a.docs, a.devices, a.loaded = docs, make(map[string]*announcer), true
	devices := make(map[string]bool)
	for _, doc := range docs {
		devices[doc.device] = true
	}
	for device := range devices {
		a.rebuild(ctx, s, device)
	}
	return a, nil
}

// onAnnouncement takes an announcement of a device.
func (c *conn) onAnnouncement(ctx context.Context, t *site, m *message) error {
	a, err := c.s.announcements(ctx, t)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.take(m) {
		return nil
	}
	delay := describeDelay
	if len(m.payload) == 0 {
		delay = removeDelay
	}
	a.rebuild(ctx, c.s, m.device)
	c.describeIn(a, delay)
	return nil
}

// describeIn has the device described after a time in which nothing more comes. It is called with the lock.
func (c *conn) describeIn(a *announced, delay time.Duration) {
	who := c.who
	c.s.work.after(delay, "describe "+who.ID, func() { c.s.describe(a, who) })
}

// hear takes an announcement that another node has received.
func (a *announced) hear(s *Service, m *message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.take(m) && a.loaded {
		a.rebuild(context.Background(), s, m.device)
	}
}

// take stores an announcement, and reports whether it is a change. It is called with the lock.
func (a *announced) take(m *message) bool {
	if len(m.payload) == 0 {
		_, was := a.docs[m.topic]
		delete(a.docs, m.topic)
		return was
	}
	old, was := a.docs[m.topic]
	if was && string(old.payload) == string(m.payload) || !was && len(a.docs) >= maxAnnounced {
		return false
	}
	if a.docs == nil {
		a.docs = make(map[string]announcement)
	}
	a.docs[m.topic] = announcement{m.device, m.payload}
	return true
}

// rebuild reads all announcements of a device anew. It is called with the lock.
func (a *announced) rebuild(ctx context.Context, s *Service, device string) {
	d := a.devices[device]
	if d == nil {
		d = &announcer{}
		a.devices[device] = d
	}
	d.bad = nil
	d.entities, d.sensors, d.actions = nil, make(map[string][]*discovery.Sensor), make(map[string]*discovery.Action)
	for topic, doc := range a.docs {
		if doc.device != device {
			continue
		}
		es, err := a.parse(topic, doc.payload)
		if err != nil {
			s.Log.InfoContext(ctx, "MQTT announcement that is not understood", "device", device, "topic", topic, "err", err)
			d.bad = append(d.bad, discovery.Bad(topic, err))
		}
		d.entities = append(d.entities, es...)
	}
	slices.SortFunc(d.entities, func(x, y *discovery.Entity) int { return strings.Compare(x.Key, y.Key) })
	discovery.GiveNames(d.entities)
	d.there = discovery.Common(d.entities)
	for _, e := range d.entities {
		for i := range e.Sensors {
			if x := &e.Sensors[i]; x.Name != "" {
				d.sensors[x.Topic] = append(d.sensors[x.Topic], x)
			}
		}
		for i := range e.Actions {
			if x := &e.Actions[i]; x.Name != "" {
				d.actions[x.Name] = x
			}
		}
	}
}

func (a *announced) parse(topic string, payload []byte) ([]*discovery.Entity, error) {
	mac, part, ok := discovery.TasmotaTopic(topic)
	switch {
	case !ok:
		return discovery.Parse(topic, payload)
	case part == "config":
		return discovery.ParseTasmota(payload, a.docs[discovery.TasmotaPrefix+mac+"/sensors"].payload)
	}
	return nil, nil // with config
}

// describe tells what a device can do, as it has announced it.
func (s *Service) describe(a *announced, who domain.Principal) {
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	before, err := s.Describer.Capabilities(ctx, who.ID)
	var c domain.Capabilities
	if err == nil {
		a.mu.Lock()
		if d := a.devices[who.ID]; d != nil {
			discovery.Settle(d.entities, before)
			c = discovery.Declared(d.entities, d.bad...)
		}
		a.mu.Unlock()
		err = s.Describer.Describe(ctx, who, c)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "cannot store what a device announced", "device", who.ID, "err", err)
		return
	}
	if n := len(c.Unsupported); n > 0 && !slices.Equal(c.Unsupported, before.Unsupported) {
		s.Log.InfoContext(ctx, "a device announced by MQTT what is not supported", "device", who.ID, "count", n,
			"entity", c.Unsupported[0].Name, "reason", c.Unsupported[0].Why)
	}
}

// settled returns what a device has announced, with what is known from before of sensors of the topic whose
// kinds were not announced; nil: the topic has no sensors. It returns with the lock held if not nil.
func (s *Service) settled(ctx context.Context, a *announced, device, topic string) (*announcer, error) {
	a.mu.Lock()
	d := a.devices[device]
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

// available takes whether a device says that it is there.
func (c *conn) available(a *announced, m *message) {
	a.mu.Lock()
	d := a.devices[m.device]
	there, known := false, false
	if d != nil && d.there[m.topic].Topic != "" {
		there, known = d.there[m.topic].Says(&discovery.Message{Payload: string(m.payload)})
	}
	a.mu.Unlock()
	if known {
		c.s.Devices.DeviceAvailable(c.id, there)
	}
}

// observe takes the values that a message of a device has.
func (c *conn) observe(ctx context.Context, t *site, m *message) error {
	a, err := c.s.announcements(ctx, t)
	if err != nil {
		return err
	}
	c.available(a, m)
	d, err := c.s.settled(ctx, a, m.device, m.topic)
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
			c.s.Log.InfoContext(ctx, "MQTT value template fails", "device", m.device, "topic", m.topic,
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
	if _, err := c.s.Readings.Accept(ctx, m.device, []domain.Report{report}); err != nil {
		return err
	}
	for _, o := range done {
		c.reportDone(ctx, o.command)
	}
	return nil
}

// order publishes a command as the device has announced that it understands it. It reports false if the
// device has announced no such action.
func (c *conn) order(ctx context.Context, cmd domain.Command) (bool, error) {
	a, err := c.s.announcements(ctx, c.sess.site)
	if err != nil {
		return false, err
	}
	a.mu.Lock()
	var action *discovery.Action
	if d := a.devices[c.who.ID]; d != nil {
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
	c.tell(ctx, cmd.ID, domain.CommandReceived, "")
	wanted := action.Wanted(args)
	waits := len(wanted) > 0
	if waits {
		a.await(c.who.ID, order{command: cmd.ID, wanted: wanted})
	}
	for _, p := range action.Publish(args) {
		m := &message{site: c.sess.site.id, topic: p.Topic, payload: []byte(p.Payload), qos: 1, retain: p.Retain, open: true}
		if len(c.sess.site.targets(m)) == 0 {
			c.tell(ctx, cmd.ID, domain.CommandFailed, "the device does not listen to "+p.Topic)
			return true, nil
		}
		if err := c.s.deliver(ctx, c.sess.site, m, domain.MQTTReceived{}); err != nil {
			return true, err
		}
	}
	if !waits {
		c.reportDone(ctx, cmd.ID)
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

func (c *conn) reportDone(ctx context.Context, command string) {
	c.tell(ctx, command, domain.CommandDone, "")
}

// tell says what became of a command of a device that does not say so itself.
func (c *conn) tell(ctx context.Context, command string, state domain.CommandState, why string) {
	if err := c.s.Commands.Report(ctx, c.who, domain.CommandReport{ID: command, State: state, Error: why}); err != nil {
		c.s.Log.WarnContext(ctx, "cannot say what became of a command", "command", command, "err", err)
	}
}
