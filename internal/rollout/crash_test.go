package rollout

import (
	"slices"
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

// A device that crashes all the time costs little room: its last crashes, and one core dump.
func TestOfADeviceTheLastCrashesAndOneCoreAreKept(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		crash := func(l *lamp, pc int, core ...byte) {
			f.clock = f.clock.Add(domain.Seconds(1))
			err := f.s.Crash(t.Context(), l.principal(), domain.CrashReport{ELFSHA256: elf(oldSHA),
				ResetReason: domain.ResetPanic, PC: uint32(pc), Message: `"Core":null`, Core: core})
			if err != nil {
				t.Fatal(err)
			}
		}
		const more = 3
		other := f.devices[1]
		crash(other, 0, 9)
		for i := range domain.MaxCrashes + more {
			crash(f.devices[0], 1+i, byte(i))
		}
		last := domain.MaxCrashes + more
		crash(f.devices[0], 1+last) // without one
		kept, err := db.Rollouts.CrashGroups(t.Context(), testkit.UserID(0), "lamp", "", epoch, 100)
		if err != nil || len(kept) != 1+domain.MaxCrashes {
			t.Fatalf("%d crashes at different places are kept: %v", len(kept), err)
		}
		for _, g := range kept {
			c := g.Example
			var want []byte
			switch pc := int(c.PC); {
			case c.Device == other.id:
				want = []byte{9}
			case pc == last:
				want = []byte{byte(last - 1)}
			case pc <= more:
				t.Errorf("crash %d is kept, and later ones are not", pc)
			}
			if !slices.Equal(c.Core, want) {
				t.Errorf("crash %d of %s has the core %v, and should have %v", c.PC, c.Device, c.Core, want)
			}
		}
	})
}
