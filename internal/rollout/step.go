package rollout

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// How often what fails is tried again.
const (
	triesMost     = 3 // that failed before it was installed; more, and the update has failed
	rollbacksMost = 1 // after a power cut
	crashesMost   = 1 // while it is tested
	retryFirst    = 5 * time.Minute
	retryFactor   = 3
	deferUsual    = time.Hour // if the device does not say for how long
)

// Reasons that the server gives.
const (
	whyNoAnswer    = "no_answer"
	whyStalled     = "stalled"
	whyUnconfirmed = "not_confirmed"
	whyAway        = "away" // at the end of the time in which it is tested
	whyOther       = "other_firmware"
	whyAborted     = "aborted"
	whyPaused      = "paused"
	whyLeftOut     = "left_out"
	whyReverted    = "taken_back" // by its owner: it had succeeded
	whyNotRunning  = "not_running"
	whyEnded       = "ended" // what the device speaks of; it may be offered again
)

// Of devices that ask for updates by other protocols, and say at most what they run.
const (
	askSettled = 5 * time.Minute // after it has the image, a device that asks again runs the old one
	askMost    = 26 * time.Hour  // one that says what it runs asks at least daily
)

// Offered is an update that a device is offered now: a new one, or u again.
func Offered(u domain.Update, c Candidate, d domain.DeviceFirmware, now time.Time) domain.Update {
	f := d.Report
	u.Rollout, u.Device, u.State, u.Stage = c.Rollout.ID, d.Device, domain.UpdateOffered, c.Stage
	u.Hardware = domain.HardwareRevision{Chip: f.Chip, Revision: int(f.Revision)}
	u.Shared = d.Shared()
	u.From, u.FromSHA, u.FromCode, u.Protocol = f.Version, f.SHA256, f.VersionCode, f.Protocol
	u.Image, u.ELF, u.Size, u.Offset = c.Image.SHA256, c.Image.ELF, c.Image.Size, 0
	u.Crashes, u.Ran = d.Crashes, now.Sub(d.Since)
	u.Reason, u.Code, u.Reset, u.Crashed = "", 0, "", 0
	u.OfferedAt, u.TestedAt, u.EndedAt = now, time.Time{}, time.Time{}
	return due(u, now, c.Rollout.Plan.Timeouts.Accept)
}

// due has something decided without the device after some seconds.
func due(u domain.Update, now time.Time, seconds int) domain.Update {
	u.ChangedAt, u.Due = now, now.Add(domain.Seconds(seconds))
	return u
}

func end(u domain.Update, s domain.UpdateState, now time.Time) domain.Update {
	u.State, u.EndedAt, u.ChangedAt, u.Due = s, now, now, time.Time{}
	return u
}

// Defer puts an update off until a time; zero: until it is offered again for another cause.
func Defer(u domain.Update, reason string, now, until time.Time) domain.Update {
	u.State, u.Reason, u.ChangedAt, u.Due, u.EndedAt = domain.UpdateDeferred, reason, now, until, time.Time{}
	return u
}

// retry tries again what failed before it was installed, after 5, 15 and 45 minutes, of which a random part is left
// out so that devices do not come back together. jitter is from 0 to 1.
func retry(u domain.Update, reason string, last domain.UpdateState, now time.Time, jitter float64) domain.Update {
	u.Reason = reason
	if u.Tries++; u.Tries > triesMost {
		return end(u, last, now)
	}
	wait := retryFirst
	for range u.Tries - 1 {
		wait *= retryFactor
	}
	return Defer(u, reason, now, now.Add(wait/2+time.Duration(jitter*float64(wait/2))))
}

// Reported takes what the device of an update says that it runs. That decides on success, and not what the device
// says of the update. A device that was given up is taken at its word again: what it runs is the truth. started says
// whether the device has started anew since its last report.
func Reported(
	u domain.Update, r domain.Rollout, f domain.FirmwareReport, started bool, now time.Time,
) domain.Update {
	switch {
	case f.SHA256 == u.Image && (u.ELF == "" || f.ELFSHA256 == "" || f.ELFSHA256 == u.ELF):
		return runsIt(u, r, f, started, now)
	case u.State == domain.UpdateConsent || u.State == domain.UpdateDeferred:
		return u // what it is offered later is decided then
	case u.Protocol != domain.OwnProtocol && u.From == "":
		u.From, u.FromSHA, u.FromCode = f.Version, f.SHA256, f.VersionCode // only now it says so
		return u
	case f.SHA256 != u.FromSHA:
		if u.State.Open() {
			u.Reason = whyOther
			return end(u, domain.UpdateCanceled, now)
		}
		return u
	}
	switch u.State {
	case domain.UpdateRebooting, domain.UpdateTesting, domain.UpdateLost:
		return rolledBack(u, f, now)
	case domain.UpdateSucceeded:
		u.Reason = whyReverted
		return end(u, domain.UpdateRolledBack, now)
	case domain.UpdateInstalling:
		if f.SlotState.TakenBack() || f.ResetReason.Crashed() {
			return rolledBack(u, f, now) // it restarted without a word
		}
		if u.Protocol != domain.OwnProtocol && f.Version != "" && now.Sub(u.ChangedAt) >= askSettled {
			u.Reason = whyNotRunning
			return rolledBack(u, f, now)
		}
	}
	return u
}

// rolledBack ends an update whose device runs what it ran before. If it only lost its power, it is tried once more.
func rolledBack(u domain.Update, f domain.FirmwareReport, now time.Time) domain.Update {
	u.Reset = f.ResetReason
	u = end(u, domain.UpdateRolledBack, now)
	if u.Rollbacks++; u.Rollbacks <= rollbacksMost && (powerCut(f) || u.Protocol != domain.OwnProtocol) {
		u.Due = now.Add(retryFirst)
	}
	return u
}

func powerCut(f domain.FirmwareReport) bool {
	return f.SlotState != domain.SlotInvalid &&
		(f.ResetReason == domain.ResetPowerOn || f.ResetReason == domain.ResetBrownout)
}

// runsIt takes that the device runs the image of the update.
func runsIt(
	u domain.Update, r domain.Rollout, f domain.FirmwareReport, started bool, now time.Time,
) domain.Update {
	if u.State == domain.UpdateSucceeded || u.State == domain.UpdateFailed && u.Crashed > crashesMost {
		return u
	}
	if f.SlotState == domain.SlotPending || f.SlotState == domain.SlotNew {
		if u.State == domain.UpdateTesting {
			return u
		}
		u.State, u.TestedAt, u.EndedAt = domain.UpdateTesting, time.Time{}, time.Time{}
		return due(u, now, r.Plan.Timeouts.Return)
	}
	crashed := u.State == domain.UpdateTesting && !u.TestedAt.IsZero() && started && f.ResetReason.Crashed()
	if crashed {
		if u.Crashed++; u.Crashed > crashesMost {
			u.Reset = f.ResetReason
			return end(u, domain.UpdateFailed, now)
		}
	}
	away := u.State == domain.UpdateTesting && u.Reason == whyAway
	if u.State == domain.UpdateTesting && !u.TestedAt.IsZero() && !crashed && !away {
		return u
	}
	u.State, u.TestedAt, u.EndedAt, u.Reason, u.Reset = domain.UpdateTesting, now, time.Time{}, "", ""
	return due(u, now, r.Plan.Timeouts.Confirm)
}

// Late takes that the time of an update is up. present says whether its device is connected, or asleep as it said.
func Late(u domain.Update, r domain.Rollout, present bool, now time.Time, jitter float64) domain.Update {
	if u.Protocol != domain.OwnProtocol {
		present = true // it need not be connected
	}
	switch {
	case u.State != domain.UpdateInstalling || u.Protocol == domain.OwnProtocol:
	case u.From == "":
		return end(u, domain.UpdateUnconfirmed, now)
	default:
		return end(u, domain.UpdateLost, now)
	}
	switch u.State {
	case domain.UpdateOffered:
		return Defer(u, whyNoAnswer, now, time.Time{})
	case domain.UpdateAccepted, domain.UpdateDownloading, domain.UpdateVerified, domain.UpdateInstalling:
		return retry(u, whyStalled, domain.UpdateTimedOut, now, jitter)
	case domain.UpdateRebooting:
		return end(u, domain.UpdateLost, now)
	case domain.UpdateTesting:
		return tested(u, r, present, now)
	}
	u.Due = time.Time{}
	return u
}

func tested(u domain.Update, r domain.Rollout, present bool, now time.Time) domain.Update {
	switch {
	case u.TestedAt.IsZero() && present:
		u.Reason = whyUnconfirmed
		return end(u, domain.UpdateTimedOut, now)
	case u.TestedAt.IsZero() || !present && u.Reason == whyAway:
		return end(u, domain.UpdateLost, now)
	case !present:
		u.Reason = whyAway
		return due(u, now, r.Plan.Timeouts.Return)
	}
	u.Reason = ""
	return end(u, domain.UpdateSucceeded, now)
}

// Progressed takes what a device says of its update, and answers it. Each answer may stop the device, so that
// whoever pauses or aborts a rollout reaches devices in the middle of it; a device asks before it installs an image
// and before it confirms one.
func Progressed(
	u domain.Update, r domain.Rollout, p domain.FirmwareProgress, now time.Time, jitter float64,
) (domain.Update, domain.FirmwareAnswer) {
	goOn := domain.FirmwareAnswer{Action: domain.FirmwareContinue}
	if p.State == domain.FirmwareFailed || p.State == domain.FirmwareRejected {
		return failed(u, p, now, jitter), domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: whyEnded}
	}
	if why := stops(u, r, p); why != "" {
		if why != whyEnded && (u.State.Stoppable() || r.State.Final() && u.State.Open() || cameBack(u, p)) {
			u = stopped(u, r, why, now)
		}
		return u, domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: why}
	}
	if p.State == domain.FirmwareDeferred {
		if !u.State.Stoppable() {
			return u, goOn
		}
		wait := p.Wait
		if wait == 0 {
			wait = deferUsual
		}
		return Defer(u, p.Reason, now, now.Add(wait)), domain.FirmwareAnswer{Action: domain.FirmwareStop, Reason: "deferred"}
	}
	return forward(u, r, p, now), goOn
}

// cameBack reports whether a device has started anew after it had told that it installs the release, and before it did.
// One that speaks another protocol goes on to install it, whatever it is told.
func cameBack(u domain.Update, p domain.FirmwareProgress) bool {
	return u.Protocol == domain.OwnProtocol && !runs(p) &&
		(u.State == domain.UpdateInstalling || u.State == domain.UpdateRebooting)
}

// runs reports whether a device says that it runs the release, or is about to.
func runs(p domain.FirmwareProgress) bool {
	return p.State == domain.FirmwareRebooting || p.State == domain.FirmwareTesting || p.State == domain.FirmwareSucceeded
}

// stops says why a device that has come so far is to stop; empty: it goes on.
func stops(u domain.Update, r domain.Rollout, p domain.FirmwareProgress) string {
	switch {
	case r.State.Final():
		return whyAborted
	case runs(p): // it is too late
	case u.Excluded:
		return whyLeftOut
	case r.State == domain.RolloutPaused:
		return whyPaused
	case !u.State.Active():
		return whyEnded
	}
	return ""
}

func stopped(u domain.Update, r domain.Rollout, why string, now time.Time) domain.Update {
	u.Reason = why
	if r.State == domain.RolloutPaused && !u.Excluded {
		return Defer(u, why, now, time.Time{})
	}
	return end(u, domain.UpdateCanceled, now)
}

// Stop takes back the offer of a device that has not installed it, since the rollout is paused, has ended or leaves
// the device out. The device hears of it with its next word.
func Stop(u domain.Update, r domain.Rollout, now time.Time) domain.Update {
	if !u.State.Open() || !u.State.Stoppable() {
		return u
	}
	switch {
	case r.State.Final():
		return stopped(u, r, whyAborted, now)
	case u.Excluded:
		return stopped(u, r, whyLeftOut, now)
	case r.State == domain.RolloutPaused && u.State.Active():
		return stopped(u, r, whyPaused, now)
	}
	return u
}

// failed takes that a device has given up.
func failed(u domain.Update, p domain.FirmwareProgress, now time.Time, jitter float64) domain.Update {
	if u.State == domain.UpdateRolledBack && u.Reason == "" {
		u.Reason, u.Code = p.Reason, p.Code // what it runs was known before it said why
	}
	if !u.State.Active() {
		return u
	}
	u.Reason, u.Code = p.Reason, p.Code
	switch {
	case p.State == domain.FirmwareRejected:
		return end(u, domain.UpdateRejected, now)
	case !u.State.Stoppable():
		return end(u, domain.UpdateFailed, now)
	case p.Late() && u.Tries < triesMost: // it reports anew, and is offered the release again at once
		u.Tries++
		return Defer(u, p.Reason, now, time.Time{})
	}
	return retry(u, p.Reason, domain.UpdateFailed, now, jitter)
}

// order has the steps of a device by the states that they lead to.
var order = map[domain.FirmwareStep]domain.UpdateState{
	domain.FirmwareAccepted: domain.UpdateAccepted, domain.FirmwareDownloading: domain.UpdateDownloading,
	domain.FirmwareVerified: domain.UpdateVerified, domain.FirmwareInstalling: domain.UpdateInstalling,
	domain.FirmwareRebooting: domain.UpdateRebooting,
}

// forward takes a step that leads on. What the device says again, or late, changes nothing, and no step of it makes
// a success.
func forward(u domain.Update, r domain.Rollout, p domain.FirmwareProgress, now time.Time) domain.Update {
	to, leads := order[p.State]
	if !leads || !u.State.Active() || !to.After(u.State) && to != domain.UpdateDownloading {
		return u
	}
	t := r.Plan.Timeouts
	switch {
	case to == domain.UpdateDownloading && u.State == domain.UpdateDownloading:
		if p.Offset <= u.Offset {
			return u
		}
	case !to.After(u.State):
		return u
	}
	u.State = to
	if to == domain.UpdateDownloading {
		u.Offset, u.Size = p.Offset, p.Size
	}
	switch {
	case to == domain.UpdateInstalling && u.Protocol != domain.OwnProtocol && u.From != "":
		return due(u, now, int(askMost/time.Second))
	case to == domain.UpdateRebooting || to == domain.UpdateInstalling && u.Protocol != domain.OwnProtocol:
		return due(u, now, t.Return)
	}
	return due(u, now, t.Stalled)
}
