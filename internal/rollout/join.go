package rollout

import (
	"context"
	"strconv"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Joins stores which devices have joined a product of somebody else. It checks whose they are in the transaction that
// makes the change.
type Joins interface {
	Joinable(ctx context.Context, id, code string) (domain.Product, error)
	Join(ctx context.Context, j domain.FirmwareJoin, code string, now time.Time) (domain.FirmwareJoin, error)
	Leave(
		ctx context.Context, device, owner string, now time.Time,
	) (left domain.FirmwareJoin, ended []domain.Update, err error)
	// SendAway ends that devices have joined a product of an owner, some at a time.
	SendAway(
		ctx context.Context, product, owner string, now time.Time,
	) (n int, ended []domain.Update, more bool, err error)
	JoinOf(ctx context.Context, device string) (domain.FirmwareJoin, error)
	// Publisher returns the user whose rollouts reach a device that reports a product.
	Publisher(ctx context.Context, device, product string) (string, error)
	FleetGroups(ctx context.Context, owner, product string, limit int) ([]domain.FleetGroup, error)
}

// Terms returns the product that a code is of, or that has an id and is open.
func (s *Service) Terms(ctx context.Context, product, code string) (domain.Product, error) {
	if err := checkJoin(product, code); err != nil {
		return domain.Product{}, err
	}
	if code != "" && !domain.ValidJoinCode(code) {
		return domain.Product{}, domain.ErrNoProduct()
	}
	return s.Joins.Joinable(ctx, product, code)
}

// checkJoin refuses words that do not name one product: it is named by its id, or by a code.
func checkJoin(product, code string) error {
	if (product == "") != (code == "") {
		return nil
	}
	return domain.InvalidField("/code", "give the code that the product's owner has given you, or, if the product is "+
		"open, its id")
}

// Join has a device of p join a product of somebody else: that of a code, or an open one by its id. If it has joined
// that one already, only ask changes.
func (s *Service) Join(
	ctx context.Context, p domain.Principal, device, product, code string, ask bool,
) (domain.FirmwareJoin, error) {
	err := s.owned(ctx, p, device)
	if err == nil {
		err = checkJoin(product, code)
	}
	if err != nil {
		return domain.FirmwareJoin{}, err
	}
	j := domain.FirmwareJoin{Device: device, Product: domain.Product{ID: product}, By: p.ID, Ask: ask}
	if j, err = s.Joins.Join(ctx, j, code, s.Now()); err == nil {
		s.joined(ctx, p, j, "joined")
	}
	return j, err
}

// Leave has a device of p take no firmware of somebody else any more. What it is in the middle of is stopped.
func (s *Service) Leave(ctx context.Context, p domain.Principal, device string) error {
	if err := s.owned(ctx, p, device); err != nil {
		return err
	}
	j, ended, err := s.Joins.Leave(ctx, device, p.ID, s.Now())
	if err != nil {
		return err
	}
	s.metrics.ended(ended...)
	s.joined(ctx, p, j, "left")
	return nil
}

// SendAway has all devices of others leave a product of p, and returns how many did. What they are in the middle of is
// stopped. Single ones cannot be sent away, since p does not learn which they are.
func (s *Service) SendAway(ctx context.Context, p domain.Principal, product string) (n int, err error) {
	_, has, err := s.Products.Product(ctx, product, p.ID)
	if err == nil && has < domain.OwnProduct {
		err = domain.Forbidden.Errorf(domain.CodeRoleTooLow, "only the owner of a product can do this")
	}
	for more := err == nil; more && err == nil; {
		var gone int
		var ended []domain.Update
		gone, ended, more, err = s.Joins.SendAway(ctx, product, p.ID, s.Now())
		n += gone
		s.metrics.ended(ended...)
	}
	if n > 0 {
		s.Audit.Record(ctx, event(ctx, p, domain.AuditFirmwareJoin, domain.AuditTarget{Kind: "product", ID: product},
			map[string]string{"done": "sent_away", "devices": strconv.Itoa(n)}))
	}
	return n, err
}

// owned refuses whoever does not own a device.
func (s *Service) owned(ctx context.Context, p domain.Principal, device string) error {
	d, _, err := s.Devices.MaySee(ctx, p, device)
	if err == nil && d.Owner.ID != p.ID {
		err = domain.Forbidden.Errorf(domain.CodeNotYourDevice, "only the owner of a device can do this")
	}
	return err
}

func (s *Service) joined(ctx context.Context, p domain.Principal, j domain.FirmwareJoin, done string) {
	details := map[string]string{"done": done, "product": j.Product.ID, "publisher": j.Product.Owner.ID}
	if j.Ask && done == "joined" {
		details["ask"] = "each_release"
	}
	s.Audit.Record(ctx, event(ctx, p, domain.AuditFirmwareJoin,
		domain.AuditTarget{Kind: string(domain.KindDevice), ID: j.Device}, details))
}
