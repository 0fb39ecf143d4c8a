package device

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
)

// Bridges is the part of the store that knows which devices speak for others.
type Bridges interface {
	BridgeChildren(ctx context.Context, owner string) ([]domain.BridgeChild, error)
	AdoptChild(
		ctx context.Context, d domain.Device, key string, limit int, now time.Time,
	) (c domain.BridgeChild, made bool, err error)
}

// BridgeChildren returns the bridges of an owner with the devices that they speak for. A bridge without any is
// there once, without the id of a device.
func (s *Service) BridgeChildren(ctx context.Context, owner string) ([]domain.BridgeChild, error) {
	return s.Store.BridgeChildren(ctx, owner)
}

// Adopt returns the device that the bridge p calls key, and makes one of that name if there is none. A name that
// cannot be one is left for the key.
func (s *Service) Adopt(ctx context.Context, p domain.Principal, key, name string) (domain.BridgeChild, error) {
	if p.Access != domain.AccessBridge || len(key) > domain.MaxBridgeKey {
		return domain.BridgeChild{}, domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a bridge speaks for other devices")
	}
	good, err := names.CheckPrincipal("/name", name, domain.MaxDeviceName, true)
	if err != nil {
		if good, err = names.CheckPrincipal("/name", key, domain.MaxDeviceName, true); err != nil {
			return domain.BridgeChild{}, err
		}
	}
	d := domain.Device{ID: domain.NewID(domain.DevicePrefix), Name: good, Bridge: p.ID}
	c, made, err := s.Store.AdoptChild(ctx, d, key, domain.MaxBridgeChildren, s.Now())
	if made {
		s.record(ctx, domain.AuditDeviceRegister, c.ID, "", domain.AuditEvent{
			Actor: domain.AuditActor{Kind: string(domain.KindDevice), ID: p.ID}})
	}
	return c, err
}
