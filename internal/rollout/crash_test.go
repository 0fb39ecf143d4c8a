package rollout

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// What another image did is not held against the one that runs, nor is a new nonce a new start when the device has
// taken an offer.
func TestCrashesAreOfTheImageThatRan(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 3)
		crashes := func(l *lamp) int {
			d, _, err := db.Rollouts.Firmware(t.Context(), l.id)
			if err != nil {
				t.Fatal(err)
			}
			return d.Crashes
		}
		back := f.devices[0] // from an image that crashed
		back.nonce++
		r := back.report(domain.ResetPanic)
		r.SlotState = domain.SlotAborted
		if err := f.s.Report(t.Context(), back.principal(), r); err != nil || crashes(back) != 0 {
			t.Errorf("%d crashes, %v", crashes(back), err)
		}
		crashed := f.devices[1] // it crashed, and then takes an offer
		f.hear(crashed, domain.ResetPanic)
		f.begin(domain.RolloutPlan{Stages: []domain.RolloutStage{{Percent: 100}}})
		f.clock = f.clock.Add(domain.Seconds(60))
		f.s.DecideAll(t.Context())
		f.s.look(t.Context())
		if len(crashed.offers) == 0 {
			t.Fatal("it has no offer")
		}
		f.says(crashed, crashed.offers[0].Update, domain.FirmwareAccepted)
		f.clock = f.clock.Add(domain.Seconds(1))
		f.hear(crashed, domain.ResetPanic)
		if n := crashes(crashed); n != 1 {
			t.Errorf("%d crashes after an offer was taken", n)
		}
		f.clock = f.clock.Add(domain.Seconds(1))
		f.hear(crashed, domain.ResetPanic)
		if n := crashes(crashed); n != 2 {
			t.Errorf("%d crashes after another start", n)
		}
	})
}
