package rollout

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
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
	given   string // what it was offered last: the update, and when
}

// attachments are the connections of devices to this process.
type attachments struct {
	mu       sync.Mutex
	byDevice map[string][]*attachment // the newest last
}

func newAttachments() attachments { return attachments{byDevice: make(map[string][]*attachment)} }

func (as *attachments) add(device string, a *attachment) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.byDevice[device] = append(as.byDevice[device], a)
}

func (as *attachments) remove(device string, a *attachment) {
	as.mu.Lock()
	defer as.mu.Unlock()
	list := slices.DeleteFunc(as.byDevice[device], func(x *attachment) bool { return x == a })
	if len(list) == 0 {
		delete(as.byDevice, device)
		return
	}
	as.byDevice[device] = list
}

// newest returns the newest connection of a device that was not offered this yet, or nil.
func (as *attachments) newest(u domain.Update) *attachment {
	as.mu.Lock()
	defer as.mu.Unlock()
	list := as.byDevice[u.Device]
	if len(list) == 0 || list[len(list)-1].given == key(u) {
		return nil
	}
	return list[len(list)-1]
}

func (as *attachments) gave(a *attachment, u domain.Update) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a.given = key(u)
}

func key(u domain.Update) string { return u.ID + " " + u.OfferedAt.String() }

// Attach tells a connection of a device of updates, until detach is called. deliver must not block. A device is told
// after it has reported what it runs.
func (s *Service) Attach(_ context.Context, device string, deliver func(domain.FirmwareOffer)) (detach func()) {
	a := &attachment{deliver: deliver}
	s.here.add(device, a)
	return func() { s.here.remove(device, a) }
}

// deliver tells a device that is connected here of an offer, with the nonce that it told last.
func (s *Service) deliver(ctx context.Context, u domain.Update) {
	a := s.here.newest(u)
	if a == nil || s.Offers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, deliverTime)
	defer cancel()
	o, err := s.offer(ctx, u)
	if err != nil {
		if ctx.Err() == nil {
			s.Log.WarnContext(ctx, "make an offer", "device", u.Device, "update", u.ID, "err", err)
		}
		return
	}
	s.here.gave(a, u)
	a.deliver(o)
	s.metrics.offers.Inc()
}

func (s *Service) offer(ctx context.Context, u domain.Update) (o domain.FirmwareOffer, err error) {
	r, err := s.Store.Rollout(ctx, u.Rollout)
	if err != nil {
		return o, err
	}
	release, err := s.Releases.Release(ctx, r.Release)
	if err != nil {
		return o, err
	}
	d, known, err := s.Updates.Firmware(ctx, u.Device)
	if err == nil && !known {
		err = domain.ErrNoUpdate()
	}
	if err != nil {
		return o, err
	}
	o, err = s.Offers.Offer(ctx, domain.OfferTo{Product: r.Product, Release: release, Image: u.Image, Device: d,
		Rollout: r.ID, Update: u.ID})
	o.Update, o.If = u.ID, domain.FirmwareConditions(r.Plan.Require)
	return o, err
}

// announce has the nodes look that the device of an offer is connected to.
func (s *Service) announce(u domain.Update) {
	if err := s.Bus.Publish(subject, []byte(u.ID)); err != nil {
		s.Log.Warn("announce an offer", "device", u.Device, "err", err) // found in the store within lookEvery
	}
}

// Run tells devices that are connected to this process of offers, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	stop, err := s.Bus.Subscribe(subject, func(m bus.Message) {
		select {
		case s.notices <- string(m.Data):
		default:
			s.dropped.Add(1)
		}
	})
	if err != nil {
		return err
	}
	defer stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-s.notices:
			u, err := s.Updates.Update(ctx, id)
			if err == nil && u.State == domain.UpdateOffered {
				s.deliver(ctx, u)
			}
		case <-look.C:
			s.look(ctx)
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
		s.deliver(ctx, u)
	}
}
