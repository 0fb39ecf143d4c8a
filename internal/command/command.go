// Package command tells devices to do something, and keeps what became of it. The store is the
// truth: a command that was accepted is there until it ends, whatever happens to nodes, buses and
// connections. A device may get a command more than once, always with the same id; one that
// remembers ids carries it out at most once.
package command

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/trace"
	"github.com/unhidra/unhidra/internal/wire"
)

// Store stores commands. It checks permissions in the transaction that makes the change, and
// writes each change into the room that the command was given in.
type Store interface {
	Give(ctx context.Context, c domain.Command, now time.Time) (given domain.Command, repeat bool, err error)
	Command(ctx context.Context, device, id string) (domain.Command, error)
	Commands(ctx context.Context, device, viewer, before string, limit int) ([]domain.Command, error)
	// Pending returns the open commands of a device, the oldest first; fresh leaves out those that
	// the device has said something about.
	Pending(ctx context.Context, device string, fresh bool, now time.Time) ([]domain.Command, error)
	Waiting(ctx context.Context, before time.Time, limit int) (devices []string, err error)
	Sent(ctx context.Context, device, id string, now time.Time) (c domain.Command, changed bool, err error)
	Report(
		ctx context.Context, device string, r domain.CommandReport, now time.Time,
	) (c domain.Command, changed bool, err error)
	Cancel(ctx context.Context, device, id, actor string, now time.Time) (c domain.Command, changed bool, err error)
	Expire(ctx context.Context, now time.Time, limit int) ([]domain.Command, error)
	Prune(ctx context.Context, before time.Time) (more bool, err error)
	Batches
}

// Devices says who may see a device, and what it can do.
type Devices interface {
	MaySee(ctx context.Context, p domain.Principal, id string) (d domain.Device, mine bool, err error)
	Capabilities(ctx context.Context, device string) (domain.Capabilities, error)
	// InGroup returns devices of a group of owner with what they say about themselves, limit of them at most.
	InGroup(ctx context.Context, owner, group string, limit int) ([]domain.DescribedDevice, error)
	// Note adds to the log of a device. It does not block.
	Note(device string, n domain.DeviceNote)
}

// Rooms says who may read a room.
type Rooms interface {
	MayRead(ctx context.Context, p domain.Principal, room string) error
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Devices  Devices
	Rooms    Rooms
	Bus      bus.Bus
	Log      *slog.Logger
	Audit    Recorder
	Metrics  prometheus.Registerer // nil: none
	Trace    *trace.Tracer         // nil: off
	DiskFull func() error          // returns an error if the disk is nearly full; nil: no check
	Now      func() time.Time      // nil: time.Now
}

// Service is the command module.
type Service struct {
	Deps
	metrics *metrics
	here    *attach.Devices[attachment]
}

// New returns the service. Run must run for commands to be delivered to devices that are
// connected already, and Expire, on one node at least, for those that are not answered to end.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, metrics: newMetrics(d.Metrics), here: attach.New[attachment]()}
}

// Queues returns the queue of notices, for the metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{s.here.Queue("commands")}
}

// Give tells a device to do something. It is delivered at once if the device is connected, and else
// when it comes back before the command expires. The same key from the same user returns the first
// command again; another command with that key is refused.
func (s *Service) Give(ctx context.Context, p domain.Principal, n domain.NewCommand) (domain.Command, error) {
	if p.Kind == domain.KindDevice {
		return domain.Command{}, domain.Forbidden.Errorf(domain.CodePeopleOnly, "a device cannot command another")
	}
	if p.IsGuest() {
		return domain.Command{}, domain.ErrNotForGuests()
	}
	if err := domain.CheckKey(n.Key); err != nil {
		return domain.Command{}, err
	}
	if n.Room != "" && !domain.ValidID(domain.RoomPrefix, n.Room) {
		return domain.Command{}, domain.ErrNoRoom()
	}
	good, err := domain.CheckExpiry(n.ExpiresIn)
	if err != nil {
		return domain.Command{}, err
	}
	if _, _, err := s.Devices.MaySee(ctx, p, n.Device); err != nil {
		return domain.Command{}, err
	}
	can, err := s.Devices.Capabilities(ctx, n.Device)
	if err != nil {
		return domain.Command{}, err
	}
	args, err := domain.CheckCommand(can, n)
	if err != nil {
		return domain.Command{}, err
	}
	if s.DiskFull != nil {
		if err := s.DiskFull(); err != nil {
			return domain.Command{}, err
		}
	}
	now := s.Now()
	c, repeat, err := s.Store.Give(ctx, domain.Command{
		ID: domain.NewID(domain.CommandPrefix), Device: n.Device, By: domain.UserRef{ID: p.ID}, Key: n.Key, Room: n.Room,
		Action: n.Action, Args: args, Expires: now.Add(good), Trace: trace.Parent(ctx),
	}, now)
	if err != nil || repeat {
		return c, err
	}
	s.metrics.given.Inc()
	s.record(ctx, domain.AuditDeviceCommand, p, c, n.Via)
	s.announce(c.Device)
	return c, nil
}

// Cancel withdraws a command before the device has it. Whoever gave it may do that, and the owner
// of the device.
func (s *Service) Cancel(ctx context.Context, p domain.Principal, device, id string) (domain.Command, error) {
	c, d, err := s.visible(ctx, p, device, id)
	if err != nil {
		return c, err
	}
	if d.Owner.ID != p.ID && c.By.ID != p.ID {
		return c, domain.Forbidden.Errorf(domain.CodeNotYourCommand,
			"only who gave a command can cancel it, or the owner of the device")
	}
	c, changed, err := s.Store.Cancel(ctx, device, id, p.ID, s.Now())
	if changed {
		s.metrics.end(c, s.Now())
		s.record(ctx, domain.AuditDeviceCancel, p, c, "")
		s.changed(c)
	}
	return c, err
}

// visible returns a command that p may see, and its device: one to their own device, one
// that they gave, or one that was given in a room of theirs.
func (s *Service) visible(
	ctx context.Context, p domain.Principal, device, id string,
) (c domain.Command, d domain.Device, err error) {
	d, mine, err := s.Devices.MaySee(ctx, p, device)
	if err != nil {
		return c, d, err
	}
	if !domain.ValidID(domain.CommandPrefix, id) {
		return c, d, domain.ErrNoCommand()
	}
	if c, err = s.Store.Command(ctx, device, id); err != nil || mine || c.By.ID == p.ID {
		return c, d, err
	}
	if c.Room != "" {
		if err = s.Rooms.MayRead(ctx, p, c.Room); err == nil {
			return c, d, nil
		}
		if k := domain.KindOf(err); k != domain.NotFound && k != domain.Forbidden {
			return domain.Command{}, d, err
		}
	}
	return domain.Command{}, d, domain.ErrNoCommand()
}

// Report takes what the device p says about a command. What it says again changes nothing.
func (s *Service) Report(ctx context.Context, p domain.Principal, r domain.CommandReport) error {
	if p.Kind != domain.KindDevice {
		return domain.Forbidden.Errorf(domain.CodeDeviceOnly, "only a device reports on commands")
	}
	if err := domain.CheckCommandReport(r); err != nil {
		return err
	}
	began := time.Now()
	c, changed, err := s.Store.Report(ctx, p.ID, r, s.Now())
	if changed {
		s.answered(ctx, c, r, began)
		s.metrics.end(c, s.Now())
		s.changed(c)
	}
	return err
}

// answered notes in the trace of a command what its device says of it. It is a part of what the device
// names, if that is of this trace.
func (s *Service) answered(ctx context.Context, c domain.Command, r domain.CommandReport, began time.Time) {
	parent := c.Trace
	for _, named := range []string{r.Trace, trace.Parent(ctx)} {
		if id := trace.IDOf(named); id != "" && id == trace.IDOf(c.Trace) {
			parent = named
		}
	}
	_, span := s.Trace.ContinueSince(ctx, began, "command.report", parent)
	span.Note(trace.String("unhidra.command", c.ID), trace.String("unhidra.state", string(c.State)))
	span.End(nil)
}

// changed tells whoever gave a command in no room what became of it; a room has that in its log.
func (s *Service) changed(c domain.Command) {
	if c.State == domain.CommandFailed || c.State == domain.CommandExpired {
		s.Devices.Note(c.Device, domain.DeviceNote{Kind: domain.NoteCommand, Subject: c.Action, Reason: string(c.State),
			Detail: c.Error})
	}
	if c.Room != "" || c.Batch != "" { // whoever told a group reads its counts
		return
	}
	frame, err := wire.PackReply(wire.TypeCommandState, wire.FromCommand(c))
	if err == nil {
		err = s.Bus.Publish(wire.UserSubject(c.By.ID), frame)
	}
	if err != nil {
		s.Log.Warn("tell what became of a command", "command", c.ID, "err", err)
	}
}

// record tells the audit log who wanted what of which device, and by which program.
func (s *Service) record(
	ctx context.Context, what domain.AuditType, p domain.Principal, c domain.Command, via string,
) {
	details := told(c.Args, c.Room, via)
	details["command"], details["action"] = c.ID, c.Action
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: what, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: string(domain.KindDevice), ID: c.Device},
		Addr:   httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: details,
	})
}

// told returns what the audit log has of an order.
func told(args json.RawMessage, room, via string) map[string]string {
	details := map[string]string{}
	if args := string(args); args != "{}" {
		details["args"] = args[:min(len(args), auditArgs)]
	}
	if room != "" {
		details["room"] = room
	}
	if via != "" {
		details["via"] = via
	}
	return details
}

const auditArgs = 200 // bytes of arguments that the audit log has
