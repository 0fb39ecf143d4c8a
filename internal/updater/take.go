package updater

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

// Why an update is deferred.
const (
	whyBusy     = "busy" // the image that runs is not confirmed
	whyBattery  = "battery"
	whySignal   = "signal"
	whyCharging = "charging"
)

const deferFor = 15 * 60 // seconds

// tellFailed tells that an update has failed, or must not be offered again.
func (u *Updater) tellFailed(ctx context.Context, s Server, id string, state domain.FirmwareStep, why error) error {
	u.o.Hear(id, why)
	_, err := u.progress(ctx, s, wire.FirmwareProgress{Update: id, State: string(state), Reason: reasonOf(why)})
	return err
}

// reasonOf is an error as it is reported: the name of what is wrong, and words.
func reasonOf(err error) string {
	var code manifest.Code
	text := err.Error()
	if errors.As(err, &code) {
		text = string(code) + ": " + text
	}
	return domain.CutText(text, domain.MaxFirmwareReason-1) // and the sign that it was longer
}

// progress tells how far an update is. An answer that refuses it is one to stop.
func (u *Updater) progress(ctx context.Context, s Server, p wire.FirmwareProgress) (goOn bool, err error) {
	a, err := s.Progress(ctx, p)
	var refused *Refused
	if errors.As(err, &refused) {
		u.o.Hear(p.Update, err)
		return false, nil
	}
	return a.Action == string(domain.FirmwareContinue), err
}

// take checks an offer, and carries it out.
func (u *Updater) take(ctx context.Context, s Server, o wire.FirmwareOffer) error {
	if open := u.open(); open != nil && open.Phase != fetching || u.Unconfirmed() {
		_, err := u.progress(ctx, s, wire.FirmwareProgress{Update: o.Update, State: string(domain.FirmwareDeferred),
			Reason: whyBusy, RetryIn: deferFor})
		return err
	}
	before := u.root()
	taken, err := u.check(o)
	if err != nil {
		return u.refuse(ctx, s, o.Update, err, u.root() != before)
	}
	if why := unmet(o.If, u.o.Board.Conditions()); why != "" {
		_, err := u.progress(ctx, s, wire.FirmwareProgress{Update: o.Update, State: string(domain.FirmwareDeferred),
			Reason: why, RetryIn: deferFor})
		return err
	}
	if err := u.accept(taken, o); err != nil {
		return err
	}
	goOn, err := u.progress(ctx, s, wire.FirmwareProgress{Update: o.Update, State: string(domain.FirmwareAccepted)})
	if err != nil {
		return err
	}
	if !goOn {
		return u.forget()
	}
	return u.goOn(ctx, s)
}

// refuse tells the server why an offer is refused, and asks anew if that may help: an offer that came late, or for
// an earlier question, says nothing about the release, and after the roots that it brought more may follow.
func (u *Updater) refuse(ctx context.Context, s Server, id string, why error, followed bool) error {
	state := domain.FirmwareRejected
	again := errors.Is(why, manifest.WrongNonce) || errors.Is(why, manifest.OfferExpired) ||
		followed && (errors.Is(why, manifest.BadSignature) || errors.Is(why, manifest.BadOffer))
	if again {
		state = domain.FirmwareFailed
	}
	if again {
		u.mu.Lock()
		u.told = "" // ask anew
		if errors.Is(why, manifest.OfferExpired) {
			u.newNonce()
		}
		u.mu.Unlock()
	}
	return u.tellFailed(ctx, s, id, state, why)
}

// check decides whether an offer may be taken. A root that follows from the device's is kept in any case.
func (u *Updater) check(o wire.FirmwareOffer) (*manifest.Taken, error) {
	parse := func(b json.RawMessage) (*manifest.Envelope, error) { return manifest.Parse(b) }
	roots := make([]*manifest.Envelope, 0, len(o.Roots))
	for _, b := range o.Roots {
		e, err := parse(b)
		if err != nil {
			return nil, err
		}
		roots = append(roots, e)
	}
	if err := u.follow(roots); err != nil {
		return nil, err
	}
	offer, err := parse(o.Offer)
	if err != nil {
		return nil, err
	}
	release, err := parse(o.Manifest)
	if err != nil {
		return nil, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	r := u.o.Board.Running()
	d := manifest.Device{Root: u.m.Root, ID: u.o.Device, Chip: r.Chip, Revision: r.Revision, VersionCode: r.VersionCode,
		Floor: u.floor(r), SecureVersion: r.SecureVersion, SlotSize: u.o.Board.Slot(), Nonce: u.nonce,
		SinceNonce: u.o.Clock() - u.nonceAt}
	taken, err := d.Take(offer, release, nil)
	if err == nil && taken.Offer.Update != o.Update {
		err = fmt.Errorf("%w: it is of update %.64s, and comes as %.64s", manifest.BadOffer, taken.Offer.Update, o.Update)
	}
	return taken, err
}

// root is the one that the device trusts.
func (u *Updater) root() *manifest.Root {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.m.Root
}

// follow keeps the newest root of a chain.
func (u *Updater) follow(chain []*manifest.Envelope) error {
	root := u.root()
	next, err := root.Follow(chain)
	if err != nil || next.Version == root.Version {
		return err
	}
	return u.change(func(m *memory) { m.Root = next })
}

// accept remembers an update, in place of the one before. Of that nothing is left in flash.
func (u *Updater) accept(taken *manifest.Taken, o wire.FirmwareOffer) error {
	image := *taken.Image
	next := &update{ID: o.Update, Image: image, Floor: taken.Manifest.Floor(), Phase: fetching}
	if o.Image.SHA256 == image.SHA256 {
		next.URL = o.Image.URL
	}
	r := u.running()
	if image.SHA256 == r.SHA256 {
		next.Phase = confirmed // it is there already
	}
	if d := o.Delta; d != nil && u.o.Patches[d.Format] != nil && d.BaseSHA256 == r.SHA256 {
		next.Delta = d
	}
	return u.change(func(m *memory) {
		if old := m.Open; old != nil && old.ID == next.ID && old.Image.SHA256 == image.SHA256 {
			next.Offset = old.Offset // offered again: it goes on where it was
		}
		m.Open = next
		u.newNonce()
	})
}

// unmet returns which condition is not met; empty: all are. What the board does not know counts as met.
func unmet(want wire.FirmwareConditions, is Conditions) string {
	switch {
	case is.Battery != nil && *is.Battery < want.Battery:
		return whyBattery
	case want.Signal != 0 && is.Signal != nil && *is.Signal < want.Signal:
		return whySignal
	case want.Charging && is.Charging != nil && !*is.Charging:
		return whyCharging
	}
	return ""
}

// Formats returns the names of deltas that the device can apply, sorted.
func (u *Updater) Formats() []string {
	names := make([]string, 0, len(u.o.Patches))
	for name := range u.o.Patches {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
