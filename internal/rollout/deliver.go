package rollout

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/attach"
	"github.com/unhidra/unhidra/internal/domain"
)

// subject carries the ids of devices that there is an offer for. What it loses, Run finds in the store.
const subject = "updates"

const (
	lookEvery   = 10 * time.Second // for offers whose notice was lost
	lookBack    = 5 * time.Minute
	lookMost    = 5000
	deliverTime = 15 * time.Second
)

// An attachment is one connection of a device, of any transport.
type attachment struct {
	deliver func(domain.FirmwareOffer)
	nonce   func() string // that the device has reported last by it; empty: none
	load    func()        // has it load what it is offered by another protocol; nil: it cannot be told

	mu    sync.Mutex // held while an offer is made for it
	given string     // what it was offered last: the update, and when
}

func key(u domain.Update) string { return u.ID + " " + u.OfferedAt.String() }

// Attach tells a connection of a device of updates, until detach is called. deliver must not block. nonce returns the
// one that the device has reported last by this connection, or nothing: the one that is stored may be of an earlier
// connection, whose report came late, and the device would refuse an offer to that.
func (s *Service) Attach(device string, nonce func() string, deliver func(domain.FirmwareOffer)) (detach func()) {
	return s.here.Add(device, &attachment{deliver: deliver, nonce: nonce})
}

// AttachLoader does what Attach does, for a connection by which a device may also be told to load what it is offered
// over HTTP: by load, which must not block.
func (s *Service) AttachLoader(
	device string, nonce func() string, deliver func(domain.FirmwareOffer), load func(),
) (detach func()) {
	return s.here.Add(device, &attachment{deliver: deliver, nonce: nonce, load: load})
}

// deliver tells a device that is connected here of an offer, with the nonce that it told last. known are rollouts that
// were just read, and y their releases: what it lacks is read.
func (s *Service) deliver(ctx context.Context, u domain.Update, known []domain.Rollout, y rules) {
	a := s.here.Newest(u.Device)
	if a == nil || s.Offers == nil {
		return
	}
	a.mu.Lock() // so that it has each offer once
	defer a.mu.Unlock()
	if a.given == key(u) {
		return
	}
	if u.Protocol != domain.OwnProtocol { // it finds the offer when it asks
		if a.given = key(u); u.Protocol == domain.HTTPProtocol && a.load != nil {
			a.load()
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	o, err := s.offer(ctx, a, u, known, y)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "make an offer", "device", u.Device, "update", u.ID, "err", err)
		}
		return
	}
	a.given = key(u)
	a.deliver(o)
	s.metrics.offers.Inc()
}

func (s *Service) offer(
	ctx context.Context, a *attachment, u domain.Update, known []domain.Rollout, y rules,
) (o domain.FirmwareOffer, err error) {
	r, release, err := s.broughtBy(ctx, u, known, y)
	if err != nil {
		return o, err
	}
	d, reported, err := s.Updates.Firmware(ctx, u.Device)
	if err == nil && !reported {
		err = domain.ErrNoUpdate()
	}
	if err != nil {
		return o, err
	}
	d.Report.Nonce = cmp.Or(a.nonce(), d.Report.Nonce)
	o, err = s.Offers.Offer(ctx, domain.OfferTo{Product: r.Product, Release: release, Image: u.Image, Device: d,
		Rollout: r.ID, Update: u.ID})
	o.Update, o.If = u.ID, domain.FirmwareConditions(r.Plan.Require)
	return o, err
}

// broughtBy returns the rollout and the release of an update.
func (s *Service) broughtBy(
	ctx context.Context, u domain.Update, known []domain.Rollout, y rules,
) (r domain.Rollout, release domain.Release, err error) {
	for _, r := range known {
		if release, has := y.releases[r.Release]; has && r.ID == u.Rollout {
			return r, release, nil
		}
	}
	if r, err = s.Store.Rollout(ctx, u.Rollout); err != nil {
		return r, release, err
	}
	release, err = s.Releases.Release(ctx, r.Release)
	return r, release, err
}

// announce has the nodes look that the device of an offer is connected to.
func (s *Service) announce(u domain.Update) {
	if err := s.Bus.Publish(subject, []byte(u.Device)); err != nil {
		s.Log.Warn("announce an offer", "device", u.Device, "err", err) // found in the store within lookEvery
	}
}

// Run tells devices that are connected to this process of offers, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	return s.here.Run(ctx, s.Bus, attach.Work{Subject: subject, Workers: 1, HandOver: s.handOver, Every: lookEvery,
		Look: s.look})
}

// handOver tells a device that is connected here of the offer that it has not answered.
func (s *Service) handOver(ctx context.Context, device string) {
	had, err := s.Updates.DeviceUpdates(ctx, device, updatesMost)
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "look for offers", "err", err) // Run looks again
	}
	for _, u := range had {
		if u.State == domain.UpdateOffered {
			s.deliver(ctx, u, nil, rules{})
		}
	}
}

// look finds offers to devices that are connected here, and were not told of them.
func (s *Service) look(ctx context.Context) {
	offered, err := s.Updates.Offered(ctx, s.Now().Add(-lookBack), lookMost)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "look for offers", "err", err)
		}
		return
	}
	for _, u := range offered {
		s.deliver(ctx, u, nil, rules{})
	}
}
