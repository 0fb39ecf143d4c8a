package mqtt

import (
	"context"
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
	bridges map[string]children // by id
	behind  map[string]bool     // the devices behind them, by id: whether nothing is taken of them
	stale   bool                // bridges may have changed
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
	down     map[string]bool                   // topics of there: whether it is not, as far as is known
	bad      []domain.Unsupported              // announcements that could not be read
	waiting  []order                           // commands that are done when a sensor shows it

	loader    discovery.Loader
	told      toldOf
	announces bool        // there are announcements of it
	shelly    *shellyNode // nil: it is none, as far as is known

	dirty   bool                // its announcements are to be read anew
	behind  map[string][]string // of a bridge: the devices whose values are in a topic
	about   map[string][]string // the same: whether they are there
	missing map[string]string   // of a bridge: names of devices that are not registered yet, by key
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
	loaded, stale := a.loaded, a.stale
	a.mu.Unlock()
	if loaded && !stale {
		return a, nil
	}
	bridges, err := s.bridgesOf(ctx, t.id)
	if err != nil {
		return nil, err
	}
	if loaded {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.renew(bridges)
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
				if !r.Open && isAnnouncement(r.Topic) {
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
	a.renew(bridges)
	for _, doc := range docs {
		a.dirty(doc.device)
	}
	return a, nil
}

// onAnnouncement takes an announcement of a device.
func (c *conn) onAnnouncement(ctx context.Context, m *message) error {
	a, err := c.announcements(ctx)
	if err != nil {
		return err
	}
	c.runsSoon() // also if it says the same again: it may have started anew
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.take(m) {
		return nil
	}
	delay := describeDelay
	if len(m.payload) == 0 {
		delay = removeDelay
	}
	a.dirty(m.device)
	c.describeIn(a, delay)
	return nil
}

// describeIn has the device described after a time in which nothing more comes. It is called with the lock.
func (c *conn) describeIn(a *announced, delay time.Duration) {
	c.s.work.after(delay, "describe "+c.who.ID, func() { c.describe(a) })
}

// hear takes an announcement that another node has received.
func (a *announced) hear(m *message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.take(m) && a.loaded {
		a.dirty(m.device)
	}
}

// dirty has the announcements of a device read anew when they are asked for. It is called with the lock.
func (a *announced) dirty(device string) {
	if a.devices[device] == nil {
		a.devices[device] = &announcer{}
	}
	a.devices[device].dirty = true
}

// of returns what a device has announced; nil: nothing. It is called with the lock.
func (a *announced) of(ctx context.Context, s *Service, device string) *announcer {
	d := a.devices[device]
	if d != nil && d.dirty {
		a.rebuild(ctx, s, d, device)
	}
	return d
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
func (a *announced) rebuild(ctx context.Context, s *Service, d *announcer, device string) {
	d.dirty, d.bad, d.announces, d.loader = false, nil, false, discovery.Loader{}
	known, isBridge := a.bridges[device]
	var entities []*discovery.Entity
	for topic, doc := range a.docs {
		if doc.device != device {
			continue
		}
		d.announces = true
		if l, ok := discovery.TasmotaLoader(topic, doc.payload); ok {
			d.loader = l
		}
		es, err := a.parse(topic, doc.payload, isBridge)
		if err != nil {
			s.Log.InfoContext(ctx, "MQTT announcement that is not understood", "device", device, "topic", topic, "err", err)
			d.bad = append(d.bad, discovery.Bad(topic, err))
		}
		entities = append(entities, es...)
	}
	if d.shelly != nil && !d.announces {
		entities = d.shelly.Entities()
	}
	if l, ok := discovery.ESPHomeLoader(entities); ok && d.loader == (discovery.Loader{}) {
		d.loader = l
	}
	slices.SortFunc(entities, func(x, y *discovery.Entity) int { return strings.Compare(x.Key, y.Key) })
	d.there = discovery.Common(entities)
	if isBridge {
		entities = a.split(d, known, entities)
	}
	d.index(entities)
}

// index takes the entities of a device, and gives them their names.
func (d *announcer) index(entities []*discovery.Entity) {
	d.entities, d.sensors, d.actions = entities, make(map[string][]*discovery.Sensor), make(map[string]*discovery.Action)
	discovery.GiveNames(entities)
	for _, e := range entities {
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

func (a *announced) parse(topic string, payload []byte, bridged bool) ([]*discovery.Entity, error) {
	mac, part, ok := discovery.TasmotaTopic(topic)
	switch {
	case !ok && bridged:
		return discovery.ParseBridged(topic, payload)
	case !ok:
		return discovery.Parse(topic, payload)
	case part == "config":
		return discovery.ParseTasmota(payload, a.docs[discovery.TasmotaPrefix+mac+"/sensors"].payload)
	}
	return nil, nil // with config
}

// describe tells what a device can do, as it has announced it, and of a bridge what those behind it can.
func (c *conn) describe(a *announced) {
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	c.adopt(ctx, a)
	c.describeOne(ctx, a, c.who)
	for _, child := range a.childrenOf(c.who.ID) {
		c.describeOne(ctx, a, c.childPrincipal(child))
	}
}

func (c *conn) describeOne(ctx context.Context, a *announced, who domain.Principal) {
	s := c.s
	before, err := s.Describer.Capabilities(ctx, who.ID)
	var can domain.Capabilities
	if err == nil {
		a.mu.Lock()
		if d := a.of(ctx, s, who.ID); d != nil {
			discovery.Settle(d.entities, before)
			can = discovery.Declared(d.entities, d.bad...)
		}
		a.mu.Unlock()
		err = s.Describer.Describe(ctx, who, can)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "cannot store what a device announced", "device", who.ID, "err", err)
		return
	}
	if n := len(can.Unsupported); n > 0 && !slices.Equal(can.Unsupported, before.Unsupported) {
		s.Log.InfoContext(ctx, "a device announced by MQTT what is not supported", "device", who.ID, "count", n,
			"entity", can.Unsupported[0].Name, "reason", can.Unsupported[0].Why)
	}
}
