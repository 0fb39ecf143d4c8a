package device

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/wire"
)

// Transfers stores which devices are offered to whom.
type Transfers interface {
	Offer(ctx context.Context, owner, device, to string, now time.Time) (
		v domain.DeviceTransfer, before *domain.DeviceTransfer, err error)
	EndOffer(ctx context.Context, device, actor string, now time.Time) (domain.DeviceTransfer, error)
	Offers(ctx context.Context, user string, now time.Time) ([]domain.DeviceTransfer, error)
}

// Handovers has devices change hands, with all that hangs on them.
type Handovers interface {
	Transfer(
		ctx context.Context, device, to string, offered bool, limit int, now time.Time,
	) (domain.Handover, error)
}

// Users finds people by their names.
type Users interface {
	UserByUsername(ctx context.Context, name string) (domain.User, error)
}

// Offer offers a device of owner to another user, who has some days to answer.
func (s *Service) Offer(ctx context.Context, owner, device, to string) (domain.DeviceTransfer, error) {
	v, before, err := s.Transfers.Offer(ctx, owner, device, to, s.Now())
	if err != nil {
		return v, err
	}
	if before != nil {
		s.tellTransfer(ctx, *before)
	}
	s.recordTransfer(ctx, userActor(owner), v)
	s.tellTransfer(ctx, v)
	return v, nil
}

// EndOffer withdraws the offer of a device, or declines it.
func (s *Service) EndOffer(ctx context.Context, actor, device string) error {
	v, err := s.Transfers.EndOffer(ctx, device, actor, s.Now())
	if err != nil {
		return err
	}
	s.recordTransfer(ctx, userActor(actor), v)
	s.tellTransfer(ctx, v)
	return nil
}

// Transfer gives a device to another owner: by whom it is offered to, or by an administrator. Its connections are
// closed, so that the next ones are those of its new owner.
func (s *Service) Transfer(
	ctx context.Context, by domain.AuditActor, device, to string, offered bool,
) (domain.DeviceTransfer, error) {
	h, err := s.Handovers.Transfer(ctx, device, to, offered, s.Max, s.Now())
	if err != nil {
		return h.DeviceTransfer, err
	}
	s.recordTransfer(ctx, by, h.DeviceTransfer)
	s.tellTransfer(ctx, h.DeviceTransfer)
	for _, id := range h.Devices {
		s.announce(ctx, domain.DeviceEnd{Device: id, Reason: domain.EndTransferred})
		s.tellDescribed(ctx, id)
	}
	return h.DeviceTransfer, nil
}

// recordTransfer tells the audit log what became of an offer.
func (s *Service) recordTransfer(ctx context.Context, by domain.AuditActor, v domain.DeviceTransfer) {
	s.record(ctx, domain.AuditDeviceTransfer, v.Device, "", domain.AuditEvent{Actor: by, Details: map[string]string{
		"state": string(v.State), "from": v.From.ID, "to": v.To.ID}})
}

// tellTransfer tells both sides.
func (s *Service) tellTransfer(ctx context.Context, v domain.DeviceTransfer) {
	if s.Bus == nil {
		return
	}
	frame, err := wire.PackReply(wire.TypeDeviceTransfer, wire.FromTransfer(v))
	for _, user := range []string{v.From.ID, v.To.ID} {
		if err == nil && (user == v.From.ID || !v.Hidden) {
			err = s.Bus.Publish(wire.UserSubject(user), frame)
		}
	}
	if err != nil {
		s.Log.WarnContext(ctx, "tell of the transfer of a device", "device", v.Device, "err", err)
	}
}

// transferRoutes adds the operations on transfers to api.
func (s *Service) transferRoutes(api huma.API, op func(id, method, path, summary string, status int) huma.Operation) {
	httpx.Register(api, op("list-device-transfers", "GET", "/device-transfers",
		"Devices that are offered to you, and those that you offer, the latest first", 200), s.listTransfers)
	httpx.Register(api, op("offer-device", "POST", "/devices/{device}/transfer",
		"Offer a device to another user; an administrator may give it to them at once", 200), s.postTransfer)
	httpx.Register(api, op("accept-device", "POST", "/devices/{device}/transfer/accept",
		"Take a device that is offered to you", 200), s.acceptTransfer)
	httpx.Register(api, op("end-device-offer", "DELETE", "/devices/{device}/transfer",
		"Withdraw the offer of a device, or decline it", 204), s.deleteTransfer)
}

type transferList struct {
	Items []wire.DeviceTransfer `json:"items" nullable:"false"`
}

func (s *Service) listTransfers(ctx context.Context, _ *struct{}) (*struct{ Body transferList }, error) {
	found, err := s.Transfers.Offers(ctx, httpx.Principal(ctx).ID, s.Now())
	if err != nil {
		return nil, err
	}
	items := make([]wire.DeviceTransfer, len(found))
	for i, v := range found {
		items[i] = wire.FromTransfer(v)
	}
	return &struct{ Body transferList }{transferList{items}}, nil
}

type transferOutput struct{ Body wire.DeviceTransfer }

func shownTransfer(v domain.DeviceTransfer, err error) (*transferOutput, error) {
	if err != nil {
		return nil, err
	}
	return &transferOutput{wire.FromTransfer(v)}, nil
}

func (s *Service) postTransfer(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		User string `json:"user" maxLength:"64" doc:"id or username of the new owner"`
		Now  bool   `json:"now,omitempty" doc:"for administrators: nobody is asked"`
	}
}) (*transferOutput, error) {
	p := httpx.Principal(ctx)
	if in.Body.Now && !p.IsAdmin() {
		return nil, domain.Forbidden.Errorf(domain.CodeNotAdmin, "only administrators move a device without asking")
	}
	d, err := s.visible(ctx, p, in.Device)
	if err != nil {
		return nil, err
	}
	to := in.Body.User
	if !domain.ValidID(domain.UserPrefix, to) {
		u, err := s.Users.UserByUsername(ctx, to)
		if domain.KindOf(err) == domain.NotFound {
			err = domain.InvalidField("/user", "there is no such user")
		}
		if err != nil {
			return nil, err
		}
		to = u.ID
	}
	if in.Body.Now {
		by := userActor(p.ID)
		by.Kind = domain.ActorAdmin
		return shownTransfer(s.Transfer(ctx, by, d.ID, to, false))
	}
	return shownTransfer(s.Offer(ctx, p.ID, d.ID, to))
}

func (s *Service) acceptTransfer(ctx context.Context, in *OnDevice) (*transferOutput, error) {
	p := httpx.Principal(ctx)
	if p.Kind == domain.KindDevice {
		return nil, domain.Forbidden.Errorf(domain.CodePeopleOnly, "a device owns no devices")
	}
	return shownTransfer(s.Transfer(ctx, userActor(p.ID), in.Device, p.ID, true))
}

func (s *Service) deleteTransfer(ctx context.Context, in *OnDevice) (*struct{}, error) {
	return nil, s.EndOffer(ctx, httpx.Principal(ctx).ID, in.Device)
}
