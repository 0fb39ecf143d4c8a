package presence

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

func isDevice(user string) bool { return domain.ValidID(domain.DevicePrefix, user) }

// ofDevice returns what others see of a device.
func ofDevice(d wire.DeviceStatus) domain.Presence {
	p := domain.Presence{User: d.Device, Is: domain.Availability(d.State)}
	switch {
	case d.Until != nil:
		p.Until = *d.Until
	case p.Is == domain.Offline:
		p.LastSeen = d.Since
	}
	return p
}

// appendDevices appends the presence of devices. One that never connected is offline.
func (s *Service) appendDevices(
	ctx context.Context, ps []domain.Presence, devices []string,
) ([]domain.Presence, error) {
	if len(devices) == 0 {
		return ps, nil
	}
	known, err := s.Devices.Statuses(ctx, devices)
	if err != nil {
		return nil, err
	}
	of := make(map[string]domain.Presence, len(known))
	for _, d := range known {
		if v := wire.FromDeviceStatus(d, false, s.Now()); v != nil {
			of[d.Device] = ofDevice(*v)
		}
	}
	for _, id := range devices {
		p, ok := of[id]
		if !ok {
			p = domain.Presence{User: id, Is: domain.Offline}
		}
		ps = append(ps, p)
	}
	return ps, nil
}

// onDevices notifies the watchers of devices that came or went.
func (s *Service) onDevices(changed []wire.DeviceStatus) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range changed {
		s.deliver(ofDevice(d), "")
	}
}
