package ota

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// Of devices that load images over HTTP, and are told to, and say what they run, over MQTT.

// Runs takes which version the device p says that it runs. One that is not registered for this is none of ours.
func (s *Service) Runs(ctx context.Context, p domain.Principal, version string) error {
	t := told{version: clean(version)}
	o, err := s.Store.Device(ctx, p.ID)
	if domain.CodeOf(err) == domain.CodeNoOTA || err == nil && t.version == "" {
		return nil
	}
	if err != nil {
		return err
	}
	c := caller{Principal: p, OTADevice: o, by: domain.HTTPProtocol}
	f, err := s.report(ctx, c, t, c.by)
	if err == nil {
		_, err = s.Updates.Pull(ctx, p, f)
	}
	return err
}

// ToLoad returns the URL of the image that a device is offered now, and what tells this offer from any other one.
// Empty: it is offered none, or has begun with it.
func (s *Service) ToLoad(ctx context.Context, device string) (url, offer string, err error) {
	p, err := s.Updates.Pulling(ctx, device)
	if err != nil || p.Update.State != domain.UpdateOffered || p.Update.Protocol != domain.HTTPProtocol {
		return "", "", err
	}
	o, err := s.Store.Device(ctx, device)
	if domain.CodeOf(err) == domain.CodeNoOTA {
		return "", "", nil // its link has ended since it was offered
	}
	return s.at(o, imageName), action(p.Update), err
}

// LoadFailed takes that the device p could not load what it was offered, and why. It is tried again as plans say.
func (s *Service) LoadFailed(ctx context.Context, p domain.Principal, why string) error {
	u, err := s.Updates.Pulling(ctx, p.ID)
	if err != nil || u.Update.ID == "" || u.Update.Protocol != domain.HTTPProtocol {
		return err
	}
	_, err = s.Updates.Progress(ctx, p, domain.FirmwareProgress{Update: u.Update.ID, State: domain.FirmwareFailed,
		Offset: u.Update.Offset, Size: u.Update.Size, Reason: reason("failed", why)})
	return err
}
