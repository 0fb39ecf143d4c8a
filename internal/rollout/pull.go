package rollout

import (
	"context"

	"github.com/unhidra/unhidra/internal/domain"
)

// Pull takes what the device p runs, which asks for updates by another protocol, and returns the one that it may load:
// that which it is offered now, or is in the middle of.
func (s *Service) Pull(ctx context.Context, p domain.Principal, f domain.FirmwareReport) (domain.Pulled, error) {
	if err := s.Report(ctx, p, f); err != nil {
		return domain.Pulled{}, err
	}
	return s.Pulling(ctx, p.ID)
}

// Pulling returns the update that a device may go on to load, which asks by another protocol. It ends at once when its
// rollout pauses, leaves the device out or has ended, and when its release is withdrawn.
func (s *Service) Pulling(ctx context.Context, device string) (domain.Pulled, error) {
	had, err := s.Updates.DeviceUpdates(ctx, device, updatesMost)
	if err != nil {
		return domain.Pulled{}, err
	}
	for _, u := range had {
		if !u.State.Active() || u.State == domain.UpdateTesting || u.Excluded || u.Protocol == domain.OwnProtocol {
			continue
		}
		p, err := s.pulled(ctx, u)
		if err != nil || p.Update.ID != "" {
			return p, err
		}
	}
	return domain.Pulled{}, nil
}

func (s *Service) pulled(ctx context.Context, u domain.Update) (domain.Pulled, error) {
	r, err := s.Store.Rollout(ctx, u.Rollout)
	if err != nil || !r.State.Offers() {
		return domain.Pulled{}, err
	}
	release, err := s.Releases.Release(ctx, r.Release)
	if domain.KindOf(err) == domain.NotFound {
		return domain.Pulled{}, nil
	}
	if err != nil || release.State != domain.ActiveRelease {
		return domain.Pulled{}, err
	}
	for _, i := range release.Images {
		if i.SHA256 == u.Image {
			return domain.Pulled{Update: u, Release: release, Image: i}, nil
		}
	}
	return domain.Pulled{}, nil
}
