package rollout

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// asks has the update of a device that asks by another protocol, and tells a version or none, and has loaded the image.
func asks(t *testing.T, version, sha string) *story {
	t.Helper()
	s := begin(t)
	s.u.Protocol, s.u.From, s.u.FromSHA = domain.HTTPProtocol, version, sha
	s.says(domain.FirmwareDownloading, domain.FirmwareInstalling)
	s.is(domain.UpdateInstalling)
	return s
}

// tells has the device ask again.
func (s *story) tells(version, sha string) *story {
	s.u = Reported(s.u, s.r, domain.FirmwareReport{Version: version, SHA256: sha, SlotState: domain.SlotUndefined,
		ResetReason: domain.ResetUnknown, Protocol: domain.HTTPProtocol}, false, s.now)
	return s
}

func (s *story) later(d time.Duration) *story {
	s.now = s.now.Add(d)
	return s
}

func TestADeviceThatSaysWhatItRunsSucceedsOrFailsByThat(t *testing.T) {
	t.Parallel()
	s := asks(t, "1", "old").later(20*time.Hour).tells("2", "new")
	s.is(domain.UpdateTesting)
	s.waits(false).is(domain.UpdateSucceeded)
	s.tells("1", "old").is(domain.UpdateRolledBack)

	s = asks(t, "1", "old").later(time.Minute).tells("1", "old")
	s.is(domain.UpdateInstalling) // it has not restarted yet
	s.later(time.Hour).tells("1", "old").is(domain.UpdateRolledBack)
	if s.u.Why() == "" || s.u.Due.IsZero() {
		t.Errorf("why %q, again at %v", s.u.Why(), s.u.Due)
	}
	asks(t, "1", "old").waits(false).is(domain.UpdateLost)
}

func TestADeviceThatSaysNothingRemainsUnconfirmed(t *testing.T) {
	t.Parallel()
	s := asks(t, "", "").later(time.Hour).tells("", "")
	s.is(domain.UpdateInstalling)
	s.waits(false).is(domain.UpdateUnconfirmed)
	if s.u.State.Failure() || s.u.State.Open() {
		t.Error("it counts as a failure, or as open")
	}
	s.tells("2", "new").is(domain.UpdateTesting) // it has learnt to speak

	s = begin(t)
	s.u.Protocol, s.u.From, s.u.FromSHA = domain.HTTPProtocol, "", ""
	s.tells("1", "old").is(domain.UpdateOffered)
	if s.u.From != "1" {
		t.Errorf("it ran %q", s.u.From)
	}
}

func TestARolloutWithConditionsLeavesOutDevicesThatCannotLookAtThem(t *testing.T) {
	t.Parallel()
	r := domain.Rollout{Plan: domain.RolloutPlan{Require: domain.UpdateRequires{Battery: 40}}}
	d := domain.DeviceFirmware{Report: domain.FirmwareReport{SlotState: domain.SlotUndefined}}
	if !Ready(r, d, epoch) {
		t.Error("a device that looks itself is left out")
	}
	if d.Report.Protocol = domain.HTTPProtocol; Ready(r, d, epoch) {
		t.Error("a device that cannot look is offered it")
	}
}

func TestAStageOfUnconfirmedDevicesGoesOn(t *testing.T) {
	t.Parallel()
	s := begin(t)
	c := domain.RolloutCounts{States: map[domain.UpdateState]int{domain.UpdateUnconfirmed: 10}, Contacted: 10,
		Reported: 10}
	if r := Judge(s.r, c, false, epoch); r.State != domain.RolloutSoaking {
		t.Errorf("it is %s", r.State)
	}
}
