package mqtt

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/mqtt/discovery"
	"github.com/unhidra/unhidra/internal/mqtt/packet"
	"github.com/unhidra/unhidra/internal/wire"
)

// take publishes what is new of a device, and of values all that are known.
func (m *mirror) take(frame []byte) {
	var f struct {
		Type string `json:"type"`
		Data struct {
			wire.DeviceReadings
			wire.DeviceStatuses
		} `json:"data"`
	}
	if json.Unmarshal(frame, &f) != nil {
		return // others report it
	}
	switch f.Type {
	case wire.TypeReadings:
		m.measured(f.Data.DeviceReadings)
	case wire.TypeDeviceStatus:
		for _, s := range f.Data.Devices {
			m.cameOrWent(s)
		}
	}
}

// cameOrWent publishes whether a device is there.
func (m *mirror) cameOrWent(s wire.DeviceStatus) {
	m.mu.Lock()
	d := m.devices[s.Device]
	if d == nil || !d.newer(s) {
		m.mu.Unlock()
		return
	}
	msg := m.message(mirrorTopics(s.Device).Status, []byte(d.availability()))
	m.mu.Unlock()
	m.t.send(m.t.targets(msg), nil)
}

// measured publishes the values of a device.
func (m *mirror) measured(r wire.DeviceReadings) {
	m.mu.Lock()
	d := m.devices[r.Device]
	if d == nil {
		m.mu.Unlock()
		return
	}
	maps.Copy(d.values, r.Values)
	msg := m.state(r.Device, d)
	m.mu.Unlock()
	m.t.send(m.t.targets(msg), nil)
}

// state returns the message with the values of a device. It is called with the lock.
func (m *mirror) state(device string, d *mirrored) *message {
	b, err := json.Marshal(d.values)
	if err != nil { // cannot happen: all numbers are finite
		b = []byte("{}")
	}
	return m.message(mirrorTopics(device).State, b)
}

func (m *mirror) message(topic string, payload []byte) *message {
	return &message{site: m.t.id, topic: topic, payload: payload, retain: true}
}

// retained returns messages that match a filter, of some devices from a place in their order on; next is 0
// after the last.
func (m *mirror) retained(filter string, from int) (page []*message, next int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	end := min(from+mirroredPage, len(m.order))
	for _, device := range m.order[min(from, end):end] {
		d := m.devices[device]
		if packet.Match(filter, discovery.OwnConfig(device)) {
			page = append(page, m.message(discovery.OwnConfig(device), d.config))
		}
		if packet.Match(filter, mirrorTopics(device).Status) {
			page = append(page, m.message(mirrorTopics(device).Status, []byte(d.availability())))
		}
		if len(d.values) > 0 && packet.Match(filter, mirrorTopics(device).State) {
			page = append(page, m.state(device, d))
		}
	}
	if end < len(m.order) {
		next = end
	}
	return page, next
}

// replayMirror sends some messages of the mirror for a subscription.
func (s *session) replayMirror(c *conn, r replay) bool {
	m, next := s.site.shown(), 0
	if m != nil {
		select {
		case <-m.ready:
		case <-m.ended:
		case <-time.After(publishTime): // then they come live
		}
		var page []*message
		page, next = m.retained(r.filter.Topic, r.mirrored)
		for _, msg := range page {
			d := delivery{m: msg, retain: true}
			if r.id != 0 {
				d.ids = []uint32{r.id}
			}
			s.deliver(d)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.replays) == 0:
	case next == 0:
		s.replays = slices.Delete(s.replays, 0, 1)
	default:
		s.replays[0].mirrored = next
	}
	return true
}
