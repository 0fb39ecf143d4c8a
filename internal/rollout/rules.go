package rollout

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// rules are the engine with the releases of the rollouts that it decides about. A release that is not in it is
// offered to nobody.
type rules struct {
	releases map[string]domain.Release
}

func (y rules) Judge(r domain.Rollout, c domain.RolloutCounts, waiting bool, now time.Time) domain.Rollout {
	if of, known := y.releases[r.Release]; known && of.State == domain.WithdrawnRelease && r.State.Offers() {
		return paused(r, domain.RolloutPause{Kind: domain.PausedRelease}, now)
	}
	return Judge(r, c, waiting, now)
}

func (rules) Connected(c domain.ConnectRate, session int64, now time.Time) domain.ConnectRate {
	return Connected(c, session, now)
}

func (rules) Room(r domain.Rollout, c domain.RolloutCounts) int { return Room(r, c) }

func (y rules) Salted(r domain.Rollout, there []domain.DeviceFirmware) domain.Rollout {
	return Salted(r, slices.DeleteFunc(there, func(d domain.DeviceFirmware) bool { return !y.Meant(r, d) }))
}

func (y rules) Meant(r domain.Rollout, d domain.DeviceFirmware) bool {
	_, ok := Meant(r, y.releases[r.Release], d)
	return ok
}

// Excluded goes by what the device ran when it was offered the release.
func (rules) Excluded(r domain.Rollout, u domain.Update) bool {
	d := domain.DeviceFirmware{Device: u.Device, Owner: r.Owner, Report: domain.FirmwareReport{
		Chip: u.Hardware.Chip, Revision: uint16(u.Hardware.Revision), Version: u.From}} //nolint:gosec // from such a report
	if u.Shared {
		d.Owner, d.Report.Product = "", r.Name
		d.Joined = domain.JoinedTo{Product: r.Product, Name: r.Name, Publisher: r.Owner}
	}
	return Excluded(r.Plan.Exclude, d)
}

// Pick returns what a device is offered now. One whose update has ended gets another release, an older one if there
// is one for it; one that is about to be offered the best release gets no other meanwhile.
func (y rules) Pick(
	of []domain.Rollout, d domain.DeviceFirmware, had map[string]domain.Update, now time.Time,
) (u domain.Update, ok bool) {
	var candidates []Candidate
	for _, r := range of {
		release, known := y.releases[r.Release]
		if u, tried := had[r.ID]; !known || release.State != domain.ActiveRelease ||
			tried && !u.State.Open() && !again(u, d, now) {
			continue
		}
		candidates = append(candidates, Candidate{Rollout: r, Release: release})
	}
	best, ok := Best(candidates, d, now)
	if !ok {
		return u, false
	}
	u, tried := had[best.Rollout.ID]
	if tried && !again(u, d, now) {
		return u, false
	}
	u = Offered(u, best, d, now)
	if (best.Rollout.Plan.Consent || d.Shared() && d.Joined.Ask) && !u.Agreed {
		u.State, u.Due = domain.UpdateConsent, time.Time{}
	}
	return u, true
}

// again reports whether an update is to be offered once more. It is not after its device has changed hands and its new
// owner has joined: by the same update the former owner would know which device that is.
func again(u domain.Update, d domain.DeviceFirmware, now time.Time) bool {
	if u.Shared != d.Shared() {
		return false
	}
	switch u.State {
	case domain.UpdateConsent:
		return u.Agreed
	case domain.UpdateCanceled:
		return u.Reason == domain.WhyWithdrawn // its owner has joined again
	case domain.UpdateSuperseded:
		return true // by a release that is not to be had any more, or not now
	case domain.UpdateDeferred:
		return !u.Due.After(now)
	case domain.UpdateRolledBack:
		return !u.Due.IsZero() && !u.Due.After(now)
	}
	return false
}

func (rules) Reported(
	u domain.Update, r domain.Rollout, f domain.FirmwareReport, started bool, now time.Time,
) domain.Update {
	return Reported(u, r, f, started, now)
}

func (rules) Progressed(
	u domain.Update, r domain.Rollout, p domain.FirmwareProgress, now time.Time,
) (domain.Update, domain.FirmwareAnswer) {
	return Progressed(u, r, p, now, rand.Float64()) //nolint:gosec // jitter
}

func (rules) Late(u domain.Update, r domain.Rollout, present bool, now time.Time) domain.Update {
	return Late(u, r, present, now, rand.Float64()) //nolint:gosec // jitter
}

func (rules) Stop(u domain.Update, r domain.Rollout, now time.Time) domain.Update {
	return Stop(u, r, now)
}
