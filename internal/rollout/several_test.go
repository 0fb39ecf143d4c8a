package rollout

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// late has devices come, and report what they run.
func (f *fleet) late(n int, breaks bool) []*lamp {
	f.t.Helper()
	joined := f.join(n)
	f.restart()
	for _, l := range joined {
		l.breaks = func(*lamp) bool { return breaks }
		f.hear(l, domain.ResetPowerOn)
	}
	return joined
}

func TestDevicesThatComeLaterGetIt(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.until(f.begin(quick()), domain.RolloutCompleted)
		good := f.late(12, false) // more than there is room for at once
		for range 20 {
			f.round(2 * time.Minute)
		}
		f.runs(newSHA, good...)
		if s := f.now(r).State; s != domain.RolloutCompleted {
			t.Errorf("it is %s", s)
		}
		f.late(6, true)
		if r = f.until(r, domain.RolloutPaused); r.Pause.Kind != domain.PausedFailures {
			t.Errorf("it paused for %+v", r.Pause)
		}
	})
}

// A device that comes outside of the hours in which devices are updated gets it in these, without another word.
func TestADeviceThatComesLaterIsUpdatedInItsHours(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		p := quick()
		p.Windows = []domain.UpdateWindow{{Weekdays: []int{1, 2, 3, 4, 5, 6, 7}, Minutes: 120,
			Start: f.clock.UTC().Add(-time.Minute).Format("15:04")}}
		f.until(f.begin(p), domain.RolloutCompleted)
		f.clock = f.clock.Add(3 * time.Hour)
		joined := f.late(1, false)
		f.round(time.Minute)
		f.runs(oldSHA, joined...)
		for begun := f.clock; f.clock.Sub(begun) < 21*time.Hour; {
			f.round(4 * time.Minute)
		}
		f.runs(newSHA, joined...)
	})
}

// offered has the server decide, and returns the devices that are offered something, with what.
func (f *fleet) offered() map[*lamp]domain.FirmwareOffer {
	f.t.Helper()
	f.clock = f.clock.Add(5 * time.Second)
	f.s.DecideAll(f.t.Context())
	f.s.look(f.t.Context())
	found := make(map[*lamp]domain.FirmwareOffer)
	for _, l := range f.devices {
		if n := len(l.offers); n > 0 {
			found[l] = l.offers[n-1]
		}
		l.offers = nil
	}
	return found
}

func (f *fleet) bring(release string) domain.Rollout {
	f.t.Helper()
	r, err := f.s.Make(f.t.Context(), f.who(1), domain.Rollout{Release: release,
		Plan: domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100}}}})
	if err != nil {
		f.t.Fatal(err)
	}
	return r
}

// A device that has not begun with a release is offered a newer one in its place; one that has begun goes on first.
func TestANewerReleaseTakesThePlaceOfAnOffer(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		two := f.bring("rel_2")
		had := f.offered()
		idle, busy := f.devices[0], f.devices[1]
		if len(had) != 2 {
			t.Fatalf("%d are offered it", len(had))
		}
		f.says(busy, had[busy].Update, domain.FirmwareAccepted)
		three := f.bring("rel_3")
		got := f.offered()
		if got[idle].Image.SHA256 != topSHA || got[busy].Update != "" {
			t.Errorf("they are offered %+v", got)
		}
		if a := f.says(idle, had[idle].Update, domain.FirmwareAccepted); a.Action != domain.FirmwareStop {
			t.Errorf("the former offer: %+v", a)
		}
		if u, err := db.Rollouts.Update(t.Context(), had[idle].Update); err != nil || u.State != domain.UpdateSuperseded {
			t.Errorf("it is %s: %v", u.State, err)
		}
		if a := f.says(busy, had[busy].Update, domain.FirmwareDownloading); a.Action != domain.FirmwareContinue {
			t.Errorf("who has begun: %+v", a)
		}
		idle.offers = []domain.FirmwareOffer{got[idle]}
		f.round(time.Minute)
		f.runs(topSHA, idle)
		busy.offers = []domain.FirmwareOffer{had[busy]}
		f.round(time.Minute)
		f.runs(newSHA, busy)
		for range 15 {
			f.round(time.Minute)
		}
		f.runs(topSHA, f.devices...)
		if s := f.now(three).State; s == domain.RolloutPaused || f.now(two).State == domain.RolloutPaused {
			t.Errorf("the newer one is %s", s)
		}
	})
}

// What a newer release took the place of is offered again when that release is not to be had any more.
func TestTheOlderReleaseIsOfferedAgainWithoutTheNewer(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		f.bring("rel_2")
		f.offered()
		three := f.bring("rel_3")
		if got := f.offered(); got[f.devices[0]].Image.SHA256 != topSHA {
			t.Fatalf("they are offered %+v", got)
		}
		if _, err := f.s.Do(t.Context(), f.who(1), three.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		f.round(time.Minute)
		f.runs(newSHA, f.devices...)
	})
}
