// Package shadow keeps what is to be set on devices beside what they say is set. Whoever owns a device
// changes what is desired, in versions; the device is told when it is connected, or once it is, until it
// has said what became of that.
package shadow

import (
	"context"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store stores the settings of devices.
type Store interface {
	Shadow(ctx context.Context, device string) (domain.Shadow, error)
	Desire(
		ctx context.Context, device string, change map[string]any, base *int64, now time.Time,
	) (domain.Shadow, error)
	ReportSettings(
		ctx context.Context, device string, r domain.SettingsReport, now time.Time,
	) (domain.Shadow, error)
	// FollowDefaults gives devices the defaults that are theirs by now, and returns those with another version.
	FollowDefaults(ctx context.Context, now time.Time) ([]domain.Shadow, error)
	OpenSettings(ctx context.Context, since time.Time, limit int) ([]string, error)
}

// Devices knows devices, and who may see them.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
	// Note adds to the log of a device. It does not block.
	Note(device string, n domain.DeviceNote)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store   Store
	Devices Devices
	Bus     bus.Bus
	Log     *slog.Logger
	Audit   Recorder
	Now     func() time.Time // nil: time.Now
}

// Service is the shadow module.
type Service struct {
	Deps
	here *attach.Devices[attachment]
}

// New returns the service. Run must be called for devices to be told of changes.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, here: attach.New[attachment]()}
}

// Queues returns the queue of notices, for the metrics.
func (s *Service) Queues() []obs.Queue { return []obs.Queue{s.here.Queue("settings")} }

// Get returns the settings of a device of p.
func (s *Service) Get(ctx context.Context, p domain.Principal, device string) (domain.Shadow, error) {
	if _, mine, err := s.Devices.MaySee(ctx, p, device); err != nil || !mine {
		return domain.Shadow{}, hidden(err)
	}
	return s.Store.Shadow(ctx, device)
}

// hidden is the error of those who may not see settings, which may be secret.
func hidden(err error) error {
	if err != nil {
		return err
	}
	return domain.NotFound.Errorf(domain.CodeNoDevice, "there is no such device, or it is not yours")
}

// Change changes what is to be set on a device of p; nil takes a setting back. If base is not nil, the
// settings must still have that version.
func (s *Service) Change(
	ctx context.Context, p domain.Principal, device string, change map[string]any, base *int64,
) (domain.Shadow, error) {
	d, mine, err := s.Devices.MaySee(ctx, p, device)
	if err != nil || !mine {
		return domain.Shadow{}, hidden(err)
	}
	if d.Owner.ID != p.ID {
		return domain.Shadow{}, domain.Forbidden.Errorf(domain.CodeNotYourDevice, "only the owner of a device can do this")
	}
	can, err := s.Devices.Capabilities(ctx, device)
	if err != nil {
		return domain.Shadow{}, err
	}
	if err := domain.CheckSettings(can, change); err != nil {
		return domain.Shadow{}, err
	}
	sh, err := s.Store.Desire(ctx, device, change, base, s.Now())
	if err != nil {
		return sh, err
	}
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditDeviceSettings, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: string(domain.KindDevice), ID: device}, Addr: httpx.ClientAddr(ctx),
		UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
	})
	s.changed(ctx, sh)
	s.publish(ctx, subject, []byte(device), device)
	return sh, nil
}

// Desired returns what is to be set on the device p, which asks for it.
func (s *Service) Desired(ctx context.Context, p domain.Principal) (domain.Shadow, error) {
	if p.Kind != domain.KindDevice {
		return domain.Shadow{}, deviceOnly()
	}
	return s.Store.Shadow(ctx, p.ID)
}

func deviceOnly() error {
	return domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device says this of its settings")
}

// Report takes what the device p says about its settings.
func (s *Service) Report(ctx context.Context, p domain.Principal, r domain.SettingsReport) error {
	if p.Kind != domain.KindDevice {
		return deviceOnly()
	}
	if err := domain.CheckSettingsReport(r); err != nil {
		return err
	}
	sh, err := s.Store.ReportSettings(ctx, p.ID, r, s.Now())
	if err != nil {
		return err
	}
	for name, text := range r.Errors {
		s.Devices.Note(p.ID, domain.DeviceNote{Kind: domain.NoteSetting, Subject: name, Detail: text})
	}
	s.changed(ctx, sh)
	return nil
}

// changed tells the owner that the settings of a device are not what they were.
func (s *Service) changed(ctx context.Context, sh domain.Shadow) {
	frame, err := wire.Encode(wire.Reply{Type: wire.TypeSettingsChanged,
		Data: wire.SettingsChanged{Device: sh.Device, Version: sh.Version, Applied: sh.Applied}})
	if err == nil {
		frame, err = wire.Pack(wire.Header{Type: wire.TypeSettingsChanged}, frame)
	}
	if err == nil {
		s.publish(ctx, wire.UserSubject(sh.Owner), frame, sh.Device)
	}
}

func (s *Service) publish(ctx context.Context, subject string, data []byte, device string) {
	if err := s.Bus.Publish(subject, data); err != nil {
		s.Log.WarnContext(ctx, "announce a change of settings", "device", device, "err", err) // Run looks for it
	}
}
