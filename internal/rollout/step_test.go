package rollout

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// story is one update, to which things happen.
type story struct {
	t   *testing.T
	r   domain.Rollout
	u   domain.Update
	now time.Time
}

func begin(t *testing.T) *story {
	t.Helper()
	plan, err := domain.CheckRolloutPlan(domain.RolloutPlan{})
	if err != nil {
		t.Fatal(err)
	}
	s := &story{t: t, now: epoch, r: domain.Rollout{ID: "rol", State: domain.RolloutRunning, Plan: plan}}
	d := domain.DeviceFirmware{Device: "dev", Since: epoch, Report: domain.FirmwareReport{Chip: board, Version: "1",
		SHA256: "old"}}
	s.u = Offered(domain.Update{ID: "upd"}, Candidate{Rollout: s.r, Image: domain.FirmwareImage{SHA256: "new"}}, d, s.now)
	return s
}

// says has the device say how far it is, and returns what it is told to do.
func (s *story) says(steps ...domain.FirmwareStep) (a domain.FirmwareAnswer) {
	for _, step := range steps {
		s.u, a = Progressed(s.u, s.r, domain.FirmwareProgress{State: step, Reason: "no_space: 3"}, s.now, 0)
	}
	return a
}

func (s *story) installs() *story {
	s.says(domain.FirmwareAccepted, domain.FirmwareDownloading, domain.FirmwareVerified, domain.FirmwareInstalling,
		domain.FirmwareRebooting)
	return s
}

func (s *story) reports(sha string, slot domain.SlotState, reset domain.ResetReason) *story {
	s.u = Reported(s.u, s.r, domain.FirmwareReport{SHA256: sha, SlotState: slot, ResetReason: reset}, true, s.now)
	return s
}

// waits until something is to be decided without the device.
func (s *story) waits(present bool) *story {
	if s.u.Due.IsZero() {
		s.t.Errorf("nothing is decided about an update that is %s", s.u.State)
	}
	s.now = s.u.Due
	s.u = Late(s.u, s.r, present, s.now, 0)
	return s
}

func (s *story) is(want domain.UpdateState) {
	s.t.Helper()
	if s.u.State != want {
		s.t.Errorf("it is %s (%s), and should be %s", s.u.State, s.u.Why(), want)
	}
}

// The server decides on success: by what runs, that it is confirmed, and that it goes on to run.
func TestWhatRunsDecidesOnSuccess(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(s *story)
		want domain.UpdateState
	}{
		"it runs for ten minutes": {func(s *story) {
			s.installs().reports("new", domain.SlotPending, domain.ResetSoftware)
			s.reports("new", domain.SlotValid, domain.ResetSoftware).waits(true)
		}, domain.UpdateSucceeded},
		"it says that it has succeeded, and runs what it did": {func(s *story) {
			s.installs().says(domain.FirmwareTesting, domain.FirmwareSucceeded)
		}, domain.UpdateRebooting},
		"it was never confirmed": {func(s *story) {
			s.installs().reports("new", domain.SlotPending, domain.ResetSoftware).waits(true)
		}, domain.UpdateTimedOut},
		"it went back after a panic": {func(s *story) {
			s.installs().reports("old", domain.SlotAborted, domain.ResetPanic)
		}, domain.UpdateRolledBack},
		"it never came back":          {func(s *story) { s.installs().waits(false) }, domain.UpdateLost},
		"it came back, and went away": {func(s *story) { s.installs().back().waits(false).waits(false) }, domain.UpdateLost},
		"it was away for a moment": {
			func(s *story) { s.installs().back().waits(false).back().waits(true) }, domain.UpdateSucceeded},
		"it crashed once": {func(s *story) {
			s.installs().back().reports("new", domain.SlotValid, domain.ResetPanic).waits(true)
		}, domain.UpdateSucceeded},
		"it crashed twice": {func(s *story) {
			s.installs().back().reports("new", domain.SlotValid, domain.ResetPanic)
			s.reports("new", domain.SlotValid, domain.ResetTask)
		}, domain.UpdateFailed},
		"it was lost, and came back": {func(s *story) { s.installs().waits(false).back().waits(true) },
			domain.UpdateSucceeded},
		"it had succeeded, and runs what it did": {func(s *story) {
			s.installs().back().waits(true).reports("old", domain.SlotValid, domain.ResetSoftware)
		}, domain.UpdateRolledBack},
		"somebody flashed something else": {func(s *story) {
			s.reports("other", domain.SlotValid, domain.ResetPowerOn)
		}, domain.UpdateCanceled},
		"it restarted in the middle of the download": {func(s *story) {
			s.says(domain.FirmwareAccepted, domain.FirmwareDownloading)
			s.reports("old", domain.SlotValid, domain.ResetPowerOn)
		}, domain.UpdateDownloading},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := begin(t)
			c.do(s)
			s.is(c.want)
		})
	}
}

// back has the device run the release, confirmed.
func (s *story) back() *story { return s.reports("new", domain.SlotValid, domain.ResetSoftware) }

// What fails before it is installed is tried again three times, later each time; what fails then, or is refused, not.
func TestWhatFailsIsTriedAgainWhereThatHelps(t *testing.T) {
	t.Parallel()
	s := begin(t)
	for _, wait := range []time.Duration{150 * time.Second, 450 * time.Second, 1350 * time.Second} {
		s.says(domain.FirmwareAccepted, domain.FirmwareFailed)
		s.is(domain.UpdateDeferred)
		if got := s.u.Due.Sub(s.now); got != wait { // without the random part
			t.Errorf("it is tried again after %v, and should be after %v", got, wait)
		}
		s.u.State = domain.UpdateOffered
	}
	s.says(domain.FirmwareAccepted, domain.FirmwareFailed)
	s.is(domain.UpdateFailed)
	if s.u.Why() != "no_space" {
		t.Errorf("the reason is %q", s.u.Why())
	}

	s = begin(t).installs()
	s.says(domain.FirmwareFailed)
	s.is(domain.UpdateFailed)
	s = begin(t)
	s.says(domain.FirmwareRejected)
	s.is(domain.UpdateRejected)

	s = begin(t).installs().reports("old", domain.SlotAborted, domain.ResetPowerOn)
	if s.u.Due.IsZero() || !again(s.u, domain.DeviceFirmware{}, s.u.Due) {
		t.Error("after a power cut it is not tried again")
	}
	s = begin(t).installs().reports("old", domain.SlotAborted, domain.ResetPanic)
	if !s.u.Due.IsZero() {
		t.Error("after a crash it is tried again")
	}
	s.says(domain.FirmwareFailed)
	if s.is(domain.UpdateRolledBack); s.u.Reason == "" {
		t.Error("what the device says why it is back is not kept")
	}

	s = begin(t)
	s.u, _ = Progressed(s.u, s.r, domain.FirmwareProgress{State: domain.FirmwareFailed, Reason: "offer_expired: 30 h"},
		s.now, 0)
	if s.is(domain.UpdateDeferred); !again(s.u, domain.DeviceFirmware{}, s.now) {
		t.Error("a device that took its offer for too old waits for another")
	}
}

// A device that goes on with an offer it has no longer is stopped, and waits as before for the next one.
func TestADeviceThatSpeaksOfAnEarlierOfferIsOfferedItAgain(t *testing.T) {
	t.Parallel()
	for _, step := range []domain.FirmwareStep{domain.FirmwareAccepted, domain.FirmwareDownloading,
		domain.FirmwareInstalling} {
		s := begin(t)
		s.u = Defer(s.u, "wrong_nonce", s.now, time.Time{})
		s.isStoppedAt(step)
	}
}

// isStoppedAt has the device say a step, at which it is stopped and put off: it is offered the release again.
func (s *story) isStoppedAt(step domain.FirmwareStep) {
	s.t.Helper()
	if a := s.says(step); a.Action != domain.FirmwareStop {
		s.t.Errorf("%s: %+v", step, a)
	}
	if s.is(domain.UpdateDeferred); !again(s.u, domain.DeviceFirmware{}, s.now) {
		s.t.Errorf("after %s it is offered nothing more", step)
	}
}

// A device that has lost its power before it installed the release, and finds the rollout paused when it goes on, is
// stopped: nothing waits for its installation, and it is offered the release again.
func TestADeviceThatWasAboutToInstallIsStopped(t *testing.T) {
	t.Parallel()
	for _, step := range []domain.FirmwareStep{domain.FirmwareDownloading, domain.FirmwareInstalling} {
		s := begin(t)
		s.says(domain.FirmwareAccepted, domain.FirmwareDownloading, domain.FirmwareVerified, domain.FirmwareInstalling)
		s.reports("old", domain.SlotUndefined, domain.ResetPowerOn).is(domain.UpdateInstalling)
		s.r.State = domain.RolloutPaused
		s.isStoppedAt(step)
	}
}

// Pausing reaches devices that have not begun to install, and aborting those that have not confirmed the image.
func TestStoppingReachesDevicesWhereverTheyAre(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		state domain.RolloutState
		step  domain.FirmwareStep
		want  domain.FirmwareAction
		is    domain.UpdateState
	}{
		{domain.RolloutRunning, domain.FirmwareInstalling, domain.FirmwareContinue, domain.UpdateInstalling},
		{domain.RolloutPaused, domain.FirmwareVerified, domain.FirmwareStop, domain.UpdateDeferred},
		{domain.RolloutPaused, domain.FirmwareInstalling, domain.FirmwareStop, domain.UpdateDeferred},
		{domain.RolloutAborted, domain.FirmwareInstalling, domain.FirmwareStop, domain.UpdateCanceled},
		{domain.RolloutReverting, domain.FirmwareDownloading, domain.FirmwareStop, domain.UpdateCanceled},
	} {
		s := begin(t)
		s.says(domain.FirmwareAccepted, domain.FirmwareDownloading)
		s.r.State = c.state
		if a := s.says(c.step); a.Action != c.want {
			t.Errorf("%s at %s: %+v", c.state, c.step, a)
		}
		s.is(c.is)
	}
	for state, want := range map[domain.RolloutState]domain.FirmwareAction{domain.RolloutPaused: domain.FirmwareContinue,
		domain.RolloutAborted: domain.FirmwareStop} {
		s := begin(t).installs()
		s.r.State = state
		if a := s.says(domain.FirmwareTesting); a.Action != want {
			t.Errorf("%s while it is tested: %+v", state, a)
		}
	}
}
