package rollout

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// atOnce is a plan that offers the release to many devices at the same time.
func atOnce() domain.RolloutPlan {
	return domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100, Soak: 600}},
		Limits: domain.RolloutLimits{Begin: 100}}
}

// begun lets the server decide, and returns the devices that have an offer by then.
func (f *fleet) begun() (some []*lamp) {
	f.t.Helper()
	for range 2 {
		f.s.DecideAll(f.t.Context())
	}
	f.s.look(f.t.Context())
	for _, l := range f.devices {
		if len(l.offers) > 0 {
			some = append(some, l)
		}
	}
	return some
}

// restarts has a device do what it is offered until it restarts, and returns the update.
func (f *fleet) restarts(l *lamp) (update string) {
	f.t.Helper()
	o := l.offers[len(l.offers)-1]
	l.offers = nil
	for _, step := range []domain.FirmwareStep{domain.FirmwareAccepted, domain.FirmwareDownloading,
		domain.FirmwareVerified, domain.FirmwareInstalling, domain.FirmwareRebooting} {
		if a := f.says(l, o.Update, step); a.Action != domain.FirmwareContinue {
			f.t.Fatalf("%s at %s: %+v", l.id, step, a)
		}
	}
	return o.Update
}

// became complains unless an update is in a state.
func (f *fleet) became(what, update string, want domain.UpdateState) domain.Update {
	f.t.Helper()
	u, err := f.db.Rollouts.Update(f.t.Context(), update)
	if err != nil || u.State != want {
		f.t.Errorf("%s: it is %s (%s), and should be %s: %v", what, u.State, u.Why(), want, err)
	}
	return u
}

// A device that runs another image of the version is not offered that of the release: which of two images with one
// version code is the newer one, nobody knows.
func TestOfTwoImagesWithOneVersionADeviceKeepsItsOwn(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		other := f.devices[0]
		other.lies = func(r *domain.FirmwareReport) {
			r.Version, r.VersionCode, r.SHA256 = "2", 2, strings.Repeat("0d", 32)
		}
		f.hear(other, domain.ResetPowerOn)
		f.until(f.begin(atOnce()), domain.RolloutCompleted)
		f.runs(newSHA, f.devices[1:]...)
		f.runs(oldSHA, other)
	})
}

// A device that lies about what it runs is believed, and harms itself alone: it is left out, counts as one that
// succeeded, or as one that failed. The rollout goes on by what the others say.
func TestADeviceThatLiesAboutItsVersionHarmsItselfAlone(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 12)
		newer, done, loader, talker, other := f.devices[0], f.devices[1], f.devices[2], f.devices[3], f.devices[4]
		newer.lies = func(r *domain.FirmwareReport) { r.Version, r.VersionCode = "99", 99 }
		asNew := func(r *domain.FirmwareReport) {
			r.Version, r.VersionCode, r.SHA256, r.ELFSHA256 = "2", 2, newSHA, elf(newSHA)
		}
		done.lies = asNew
		f.hear(newer, domain.ResetPowerOn)
		f.hear(done, domain.ResetPowerOn)
		r := f.begin(atOnce())
		if n := len(f.begun()); n != len(f.devices)-2 {
			t.Fatalf("%d have an offer; those who say that they need none are 2 of %d", n, len(f.devices))
		}
		updates := map[*lamp]string{loader: f.restarts(loader), talker: f.restarts(talker),
			other: other.offers[0].Update}
		loader.lies = asNew // it has installed nothing
		f.hear(loader, domain.ResetSoftware)
		f.says(talker, updates[talker], domain.FirmwareSucceeded) // and says that it runs what it did
		f.hear(talker, domain.ResetSoftware)
		other.offers = nil
		other.lies = func(r *domain.FirmwareReport) { r.SHA256, r.ELFSHA256 = strings.Repeat("0e", 32), "" }
		f.hear(other, domain.ResetPowerOn)
		f.until(r, domain.RolloutCompleted)
		f.runs(newSHA, f.devices[5:]...)
		f.became("who says that it has it", updates[loader], domain.UpdateSucceeded)
		f.became("who says that it succeeded, and runs the old one", updates[talker], domain.UpdateRolledBack)
		f.became("who says that it runs something else", updates[other], domain.UpdateCanceled)
		loader.lies = nil // the truth comes out
		f.hear(loader, domain.ResetPowerOn)
		f.became("who takes it back", updates[loader], domain.UpdateRolledBack)
	})
}

// What a device says of its success decides nothing: it has failed if it crashes twice within the time in which it is
// watched, and two of them pause the rollout. It runs the release by then, and is offered nothing until somebody takes
// it back.
func TestADeviceThatReportsSuccessAndThenCrashesHasFailed(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.begin(atOnce())
		updates := map[*lamp]string{}
		for _, l := range f.begun() {
			updates[l] = f.restarts(l)
			l.runs = newSHA
			f.hear(l, domain.ResetSoftware)
			f.says(l, updates[l], domain.FirmwareSucceeded)
			f.became("at its own word", updates[l], domain.UpdateTesting)
		}
		for _, l := range f.devices[:2] {
			f.clock = f.clock.Add(time.Minute)
			f.hear(l, domain.ResetPanic)
			f.became("after one crash", updates[l], domain.UpdateTesting)
			f.hear(l, domain.ResetTask)
			if u := f.became("after two", updates[l], domain.UpdateFailed); u.Why() != string(domain.ResetTask) {
				t.Errorf("the reason is %s", u.Why())
			}
		}
		r = f.until(r, domain.RolloutPaused)
		if p := r.Pause; p.Kind != domain.PausedFailures || p.Failed != 2 {
			t.Errorf("it paused for %+v", p)
		}
		if _, err := f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{}); err != nil {
			t.Fatal(err)
		}
		f.until(r, domain.RolloutReverted)
		f.runs(oldSHA, f.devices...)
	})
}

// Devices that never return are lost half an hour after they restarted, and two of them pause the rollout. One that
// comes back after all is taken at its word again.
func TestDevicesThatNeverReturnPauseTheRollout(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 8)
		r := f.begin(atOnce())
		gone, updates := f.begun()[:3], map[*lamp]string{}
		for _, l := range gone {
			updates[l] = f.restarts(l)
		}
		f.round(25 * time.Minute)
		for _, l := range gone {
			f.became("after 25 minutes", updates[l], domain.UpdateRebooting)
		}
		r = f.until(r, domain.RolloutPaused)
		if r.Pause.Kind != domain.PausedLost || r.Pause.Failed < 2 {
			t.Errorf("it paused for %+v", r.Pause)
		}
		for range 10 {
			f.round(time.Minute)
		}
		for _, l := range gone {
			f.became("after half an hour", updates[l], domain.UpdateLost)
		}
		back := gone[0]
		back.runs = newSHA
		f.hear(back, domain.ResetPowerOn)
		f.round(11 * time.Minute)
		f.became("who came back with it", updates[back], domain.UpdateSucceeded)
		back = gone[1]
		f.hear(back, domain.ResetPowerOn)
		f.became("who came back without it", updates[back], domain.UpdateRolledBack)
	})
}

// drops ends the connection of a device, and opens another.
func (f *fleet) drops(l *lamp, link *int) {
	f.t.Helper()
	open := func(n int) domain.LinkChange {
		return domain.LinkChange{DeviceLink: domain.DeviceLink{ID: fmt.Sprint("flap", n, l.id), Device: l.id,
			Key: "key" + strings.TrimLeft(strings.TrimPrefix(l.id, "dev_"), "0"), Opened: f.clock}}
	}
	changes := []domain.LinkChange{open(*link + 1)}
	if *link > 0 {
		ended := open(*link)
		ended.Ended, ended.Reason = f.clock, "lost"
		changes = append([]domain.LinkChange{ended}, changes...)
	}
	*link++
	for _, c := range changes {
		if _, _, err := f.db.Devices.Link(f.t.Context(), "node", []domain.LinkChange{c}); err != nil {
			f.t.Fatal(err)
		}
	}
	f.s.Attach(l.id, l.nonceText, func(o domain.FirmwareOffer) { l.offers = append(l.offers, o) })
	if err := f.s.Report(f.t.Context(), l.principal(), l.report(domain.ResetPowerOn)); err != nil {
		f.t.Fatal(err)
	}
}

// A report of the connection before, which comes late, changes nothing for the connection that there is: what it is
// offered has the nonce that it reported itself, and one that has reported none gets the nonce that is stored.
func TestAnOfferHasTheNonceOfItsConnection(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		f.begin(atOnce())
		l := f.begun()[1]
		late := l.report(domain.ResetPowerOn)
		l.nonce, l.offers = l.nonce+1, nil
		f.s.Attach(l.id, l.nonceText, func(o domain.FirmwareOffer) { l.offers = append(l.offers, o) })
		if err := f.s.Report(t.Context(), l.principal(), late); err != nil {
			t.Fatal(err)
		}
		isTold := func(nonce string) {
			t.Helper()
			f.s.handOver(t.Context(), l.id)
			if len(l.offers) != 1 || string(l.offers[0].Offer) != strconv.Quote(nonce) {
				t.Errorf("it has the offers %+v, and the nonce of one should be %s", l.offers, nonce)
			}
			l.offers = nil
		}
		isTold(l.nonceText())
		silent := func() string { return "" } // a connection over MQTT, by which it has not reported
		f.s.AttachLoader(l.id, silent, func(o domain.FirmwareOffer) { l.offers = append(l.offers, o) }, func() {})
		isTold(late.Nonce)
	})
}

// A device that connects and disconnects all the time, in each step of its update, is updated all the same: each
// connection has the same update, no try is counted against it, and it succeeds if it is there in the end.
func TestADeviceThatFlapsIsUpdated(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.begin(atOnce())
		l := f.begun()[1]
		update, links := l.offers[0].Update, 0
		flap := func(what string, want domain.UpdateState) {
			t.Helper()
			for range 20 {
				f.clock = f.clock.Add(time.Second)
				f.drops(l, &links)
			}
			for _, o := range l.offers {
				if o.Update != update {
					t.Errorf("%s: it is offered %s and %s", what, update, o.Update)
				}
			}
			if n := len(l.offers); n > 21 {
				t.Errorf("%s: in 20 connections it has %d offers", what, n)
			}
			if u := f.became(what, update, want); u.Tries > 0 || u.Rollbacks > 0 {
				t.Errorf("%s: it was tried %d times more", what, u.Tries+u.Rollbacks)
			}
			l.offers = nil
		}
		flap("with its offer", domain.UpdateOffered)
		for _, c := range []struct {
			step domain.FirmwareStep
			is   domain.UpdateState
		}{{domain.FirmwareAccepted, domain.UpdateAccepted}, {domain.FirmwareDownloading, domain.UpdateDownloading},
			{domain.FirmwareVerified, domain.UpdateVerified}, {domain.FirmwareInstalling, domain.UpdateInstalling}} {
			f.says(l, update, c.step)
			flap(string(c.step), c.is)
		}
		f.says(l, update, domain.FirmwareRebooting)
		l.runs, l.nonce = newSHA, l.nonce+1
		flap("with the release", domain.UpdateTesting)
		f.until(r, domain.RolloutCompleted)
		f.became("in the end", update, domain.UpdateSucceeded)
		f.runs(newSHA, f.devices...)
	})
}

// Devices that lose their connections all the time with the release, and did not before, pause the rollout. If those
// without it do so as well, the network does it, and the rollout goes on.
func TestAReleaseThatMakesDevicesFlapPausesTheRollout(t *testing.T) {
	t.Parallel()
	for name, both := range map[string]bool{"the release": false, "the network": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testkit.EachStore(t, func(t *testing.T, db *all.Store) {
				f := newFleet(t, db, 14)
				plan := atOnce() // for five of them, which are all still watched when it pauses
				plan.Timeouts.Confirm = 60 * 60
				for _, l := range f.devices[:5] {
					plan.Target.Devices = append(plan.Target.Devices, l.id)
				}
				r, links := f.begin(plan), make([]int, len(f.devices))
				f.round(time.Minute)
				for range 10 {
					for i, l := range f.devices {
						if both || l.runs == newSHA {
							f.drops(l, &links[i])
						}
					}
					f.round(2 * time.Minute)
					if f.now(r).Pause.Kind != "" {
						break
					}
				}
				p := f.now(r).Pause
				if both {
					if p.Kind != "" {
						t.Errorf("it paused for %+v", p)
					}
					return
				}
				if p.Kind != domain.PausedFlapping || p.Failed != 5 || p.Of != 5 || p.AtLeast < 0.02 || p.Without != 0 {
					t.Errorf("it paused for %+v", p)
				}
				// What was before somebody lets it go on is forgiven.
				if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Resume}); err != nil {
					t.Fatal(err)
				}
				for range 3 {
					f.round(2 * time.Minute)
				}
				if p := f.now(r).Pause; p.Kind != "" {
					t.Errorf("after it went on, it paused for %+v", p)
				}
			})
		})
	}
}
