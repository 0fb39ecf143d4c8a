package mqtt

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/mqtt/discovery"
	"github.com/unhidra/unhidra/internal/wire"
)

// Registry knows the devices of users.
type Registry interface {
	// OwnDevices returns the devices of a user that may connect, with what they say about themselves.
	OwnDevices(ctx context.Context, owner string) ([]domain.DescribedDevice, error)
	OwnerOf(ctx context.Context, device string) (string, error)
}

// Live tells what devices measure.
type Live interface {
	// Watch replaces the devices whose values are delivered under an id, and returns their last values. At most
	// watchedAtOnce can be under one. deliver must not block.
	Watch(ctx context.Context, id string, p domain.Principal, devices []string, deliver func(frame []byte)) (
		[]wire.DeviceReadings, error)
	Unwatch(id string)
}

// mirror shows the devices of a site to its controllers, as Home Assistant's discovery has it: announcements, and
// the last values of each device as one message. It is there while a controller subscribes to that. Each node
// has its own for the controllers that are connected to it. Its messages count as retained, but are not stored:
// they are made of what the registry and the readings have.
type mirror struct {
	s      *Service
	t      *site
	id     string // under which it watches
	frames chan []byte
	news   chan string // devices that are not as they were
	ready  chan struct{}
	ended  chan struct{}

	watches int  // of run alone
	begun   bool // the same: what comes now is news, and no retained message

	mu      sync.Mutex
	devices map[string]*mirrored
	order   []string // ids
}

// mirrored is a device.
type mirrored struct {
	config []byte
	values map[string]any
	status wire.DeviceStatus
}

// newer takes a status, and reports whether it says something new.
func (d *mirrored) newer(s wire.DeviceStatus) bool {
	if s.Session < d.status.Session || s.Session == d.status.Session && s.Since.Before(d.status.Since) {
		return false
	}
	was := d.availability()
	d.status = s
	return d.availability() != was
}

// availability is what Home Assistant calls it: a device that sleeps on purpose is there.
func (d *mirrored) availability() string {
	switch domain.DeviceState(d.status.State) {
	case domain.DeviceOnline, domain.DeviceAsleep:
		return "online"
	}
	return "offline"
}

const (
	watchedAtOnce = 100
	reloadEvery   = 5 * time.Minute
	retryEvery    = 10 * time.Second // after a failure
	mirrorQueue   = 1024             // frames; a device that is missed is right again with its next
	mirroredPage  = 50               // devices whose messages are replayed in one step
)

// The topics under uh/d/DEVICE/ that controllers follow and command by.
const (
	topicState  = "state"  // the last values, to controllers
	topicStatus = "status" // online or offline, to controllers
	topicSet    = "set/"   // and the name of an action: a command, from controllers
)

// mirrorTopics are those of a device.
func mirrorTopics(device string) discovery.Topics {
	own := ownPrefix + "d/" + device + "/"
	return discovery.Topics{State: own + topicState, Status: own + topicStatus, Set: own + topicSet}
}

// run keeps the mirror up to date until it ends.
func (m *mirror) run() {
	stop, err := m.s.Bus.Subscribe(bus.DescribedSubject, func(b bus.Message) { m.changed(string(b.Data)) })
	if err != nil {
		m.s.Log.Warn("cannot hear what devices say about themselves", "err", err) // the next look finds it
		stop = func() {}
	}
	defer stop()
	defer m.unwatch(0)
	next := time.NewTimer(m.reload())
	defer next.Stop()
	m.begun = true
	close(m.ready)
	for {
		select {
		case <-m.ended:
			return
		case b := <-m.frames:
			m.take(b)
		case device := <-m.news:
			if m.concerns(device) {
				next.Reset(m.reload())
			}
		case <-next.C:
			next.Reset(m.reload())
		}
	}
}

// changed says that a device may not be as it was.
func (m *mirror) changed(device string) {
	select {
	case m.news <- device:
	default: // the next look finds it
	}
}

// changed says that a device may not be as it was.
func (s *Service) changed(device string) {
	s.mu.Lock()
	sites := slices.Collect(maps.Values(s.sites))
	s.mu.Unlock()
	for _, t := range sites {
		if m := t.shown(); m != nil {
			m.changed(device)
		}
	}
}

// concerns reports whether a device is one of the site.
func (m *mirror) concerns(device string) bool {
	m.mu.Lock()
	known := m.devices[device] != nil
	m.mu.Unlock()
	if known {
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	owner, err := m.s.Registry.OwnerOf(ctx, device)
	return err != nil || owner == m.t.id
}

// reload reads all devices of the site, and tells controllers what is new of them. It returns when to do so again.
func (m *mirror) reload() time.Duration {
	ctx, cancel := context.WithTimeout(context.Background(), publishTime)
	defer cancel()
	configs, err := m.configs(ctx)
	var added bool
	if err == nil {
		added, err = m.watch(ctx, slices.Sorted(maps.Keys(configs)))
	}
	if err == nil && added { // they may have come or gone before they were watched
		configs, err = m.configs(ctx)
	}
	if err != nil {
		m.s.Log.WarnContext(ctx, "cannot show devices to MQTT controllers; will try again", "err", err)
		return retryEvery
	}
	for _, msg := range m.replace(configs) {
		m.t.send(m.t.targets(msg), nil)
	}
	return reloadEvery
}

// replace takes the announcements of devices, and returns the messages that say what is new. There are none the
// first time: then all are retained messages.
func (m *mirror) replace(configs map[string]mirrored) (news []*message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for device, d := range m.devices {
		now, there := configs[device]
		if string(now.config) != string(d.config) {
			d.config = now.config
			news = append(news, m.message(discovery.OwnConfig(device), now.config))
		}
		switch {
		case !there:
			delete(m.devices, device)
		case d.newer(now.status):
			news = append(news, m.message(mirrorTopics(device).Status, []byte(d.availability())))
		}
	}
	m.order = slices.Sorted(maps.Keys(m.devices))
	if !m.begun {
		return nil
	}
	return news
}

// configs returns the devices of the site that do not announce themselves, without their values.
func (m *mirror) configs(ctx context.Context) (map[string]mirrored, error) {
	devices, err := m.s.Registry.OwnDevices(ctx, m.t.id)
	if err != nil {
		return nil, err
	}
	a, err := m.s.announcements(ctx, m.t)
	if err != nil {
		return nil, err
	}
	themselves := a.announcers()
	configs := make(map[string]mirrored, len(devices))
	for _, d := range devices {
		if config := discovery.Announce(d, mirrorTopics(d.ID)); config != nil && !themselves[d.ID] && d.Bridge == "" {
			configs[d.ID] = mirrored{config: config}
			if s := wire.FromDeviceStatus(d.Status, false, m.s.Now()); s != nil {
				configs[d.ID] = mirrored{config: config, status: *s}
			}
		}
	}
	return configs, nil
}

// announcers returns the devices that have announced themselves.
func (a *announced) announcers() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]bool)
	for _, doc := range a.docs {
		all[doc.device] = true
	}
	return all
}

// watch follows the values of devices, adds those that are new to the mirror, and reports whether there are any.
func (m *mirror) watch(ctx context.Context, devices []string) (added bool, err error) {
	p, n := domain.Principal{ID: m.t.id, Kind: domain.KindUser, Role: domain.SystemUser}, 0
	for some := range slices.Chunk(devices, watchedAtOnce) {
		last, err := m.s.Live.Watch(ctx, fmt.Sprint(m.id, "/", n), p, some, func(b []byte) {
			select {
			case m.frames <- b:
			default:
				m.s.metrics.dropped.WithLabelValues("queue").Inc()
			}
		})
		if n++; n > m.watches {
			m.watches = n
		}
		if err != nil {
			return added, err
		}
		m.mu.Lock()
		for _, r := range last {
			if m.devices[r.Device] == nil {
				m.devices[r.Device], added = &mirrored{values: r.Values}, true
			}
		}
		m.mu.Unlock()
	}
	m.unwatch(n)
	return added, nil
}

// unwatch ends what is watched beside the first few.
func (m *mirror) unwatch(keep int) {
	for n := keep; n < m.watches; n++ {
		m.s.Live.Unwatch(fmt.Sprint(m.id, "/", n))
	}
	m.watches = keep
}
