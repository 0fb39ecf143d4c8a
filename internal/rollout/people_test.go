package rollout

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func (f *fleet) code(what string, err error, want domain.Code) {
	f.t.Helper()
	if domain.CodeOf(err) != want {
		f.t.Errorf("%s: %v, and should be %s", what, err, want)
	}
}

// runs holds that all devices run an image.
func (f *fleet) runs(sha string, devices ...*lamp) {
	f.t.Helper()
	for _, l := range devices {
		if l.runs != sha {
			f.t.Errorf("%s runs …%s, and should run …%s", l.id, l.runs[60:], sha[60:])
		}
	}
}

func (f *fleet) all() []domain.Rollout {
	f.t.Helper()
	found, err := f.db.Rollouts.Rollouts(f.t.Context(), "prd_lamp", "", 100)
	if err != nil {
		f.t.Fatal(err)
	}
	return found
}

func TestARolloutIsTakenBack(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 10)
		r := f.until(f.begin(quick()), domain.RolloutCompleted)
		f.runs(newSHA, f.devices...)
		for what, try := range map[string]struct {
			who     int
			release string
			want    domain.Code
		}{
			"by who sees it":        {2, "rel_1", domain.CodeRoleTooLow},
			"by who does not":       {3, "rel_1", domain.CodeNoRollout},
			"to a newer release":    {1, "rel_3", domain.CodeInvalidField},
			"to the release itself": {1, "rel_2", domain.CodeInvalidField},
		} {
			_, err := f.s.Revert(t.Context(), f.who(try.who), r.ID, try.release, domain.RolloutPlan{})
			f.code(what, err, try.want)
		}
		back, err := f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{})
		if err != nil || back.Reverts != r.ID {
			t.Fatalf("%+v: %v", back, err)
		}
		if s := f.now(r).State; s != domain.RolloutReverting {
			t.Errorf("the rollout is %s", s)
		}
		f.until(r, domain.RolloutReverted)
		f.until(back, domain.RolloutCompleted)
		f.round(20 * time.Minute)
		f.runs(oldSHA, f.devices...)
		_, err = f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{})
		f.code("once more", err, domain.CodeRolloutState)
		if n := len(f.all()); n != 2 {
			t.Errorf("there are %d rollouts", n)
		}
	})
}

func TestOneOfThoseWhoTakeARolloutBackMakesAnother(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		r := f.begin(quick())
		var pressing sync.WaitGroup
		errs := make([]error, 4)
		for i := range errs {
			pressing.Go(func() {
				_, errs[i] = f.s.Revert(t.Context(), f.who(i%2), r.ID, "rel_1", domain.RolloutPlan{})
			})
		}
		pressing.Wait()
		done := 0
		for _, err := range errs {
			if err == nil {
				done++
				continue
			}
			f.code("another one", err, domain.CodeRolloutState)
		}
		if n := len(f.all()); done != 1 || n != 2 {
			t.Errorf("%d have taken it back; there are %d rollouts", done, n)
		}
	})
}

func TestATakingBackThatWasAbortedMayBeTriedAgain(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.until(f.begin(quick()), domain.RolloutCompleted)
		back, err := f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{})
		if err == nil {
			_, err = f.s.Do(t.Context(), f.who(1), back.ID, Order{Action: Abort})
		}
		if err != nil {
			t.Fatal(err)
		}
		if s := f.now(r).State; s != domain.RolloutAborted {
			t.Errorf("what was not taken back is %s", s)
		}
		if _, err = f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{}); err != nil {
			t.Fatal(err)
		}
		f.until(r, domain.RolloutReverted)
		f.runs(oldSHA, f.devices...)
	})
}

func TestTheOwnerAloneAgreesToAnUpdate(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		p := quick()
		p.Consent = true
		r := f.begin(p)
		f.round(10 * time.Minute)
		f.round(10 * time.Minute)
		f.runs(oldSHA, f.devices...)
		asked, err := db.Rollouts.Updates(t.Context(), r.ID, domain.UpdateConsent, "", 100)
		if err != nil || len(asked) < 2 {
			t.Fatalf("%d were asked: %v", len(asked), err)
		}
		first, second := asked[0], asked[1]
		agree := func(p domain.Principal, device, update string) error {
			_, err := f.s.Agree(t.Context(), p, device, update)
			return err
		}
		f.code("who manages the product", agree(f.who(1), first.Device, first.ID), domain.CodeNotYourDevice)
		f.code("the device itself", agree(f.devices[0].principal(), first.Device, first.ID), domain.CodeNotYourDevice)
		f.code("for another device", agree(f.who(0), second.Device, first.ID), domain.CodeNoUpdate)
		f.code("to nothing", agree(f.who(0), first.Device, "upd_none"), domain.CodeNoUpdate)
		if err := agree(f.who(0), first.Device, first.ID); err != nil {
			t.Fatal(err)
		}
		f.restart()
		f.round(time.Minute)
		for _, l := range f.devices {
			want := oldSHA
			if l.id == first.Device {
				want = newSHA
			}
			f.runs(want, l)
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(slices.DeleteFunc(slices.Clone(f.audit), func(e domain.AuditEvent) bool {
			return e.Type != domain.AuditUpdateAgreed
		})); n != 1 {
			t.Errorf("the audit log has %d times that somebody agreed", n)
		}
	})
}

func TestSomebodyElseApprovesOfARollout(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		p := quick()
		p.Approval = true
		r := f.begin(p)
		f.round(10 * time.Minute)
		do := func(who int, a Action) error {
			_, err := f.s.Do(t.Context(), f.who(who), r.ID, Order{Action: a})
			return err
		}
		f.code("who made it", do(1, Approve), domain.CodeOwnApproval)
		f.code("who sees it", do(2, Approve), domain.CodeRoleTooLow)
		f.code("who does not", do(3, Approve), domain.CodeNoRollout)
		for _, a := range []Action{Pause, Resume, Advance} {
			f.code(string(a), do(1, a), domain.CodeRolloutState)
		}
		f.round(10 * time.Minute)
		f.runs(oldSHA, f.devices...)
		if s := f.now(r).State; s != domain.RolloutAwaiting {
			t.Fatalf("it is %s", s)
		}
		if err := do(0, Approve); err != nil {
			t.Fatal(err)
		}
		f.code("once more", do(0, Approve), domain.CodeRolloutState)
		r = f.until(r, domain.RolloutCompleted)
		f.runs(newSHA, f.devices...)
		if r.Approved.ID != testkit.UserID(0) {
			t.Errorf("%q has approved", r.Approved.ID)
		}
	})
}

// A crash is of the firmware that its ELF file names, and not of what the device runs when it tells of it: a device
// that went back tells of a crash of the release.
func TestCrashesAreGroupedByWhereTheyHappened(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		for _, l := range f.devices {
			l.breaks = func(*lamp) bool { return true }
		}
		r := f.until(f.begin(quick()), domain.RolloutPaused)
		had, err := db.Rollouts.Updates(t.Context(), r.ID, domain.UpdateRolledBack, "", 100)
		if err != nil || len(had) < 2 {
			t.Fatalf("%d went back: %v", len(had), err)
		}
		crash := func(device, of string, at ...uint32) {
			f.clock = f.clock.Add(time.Second)
			p := domain.Principal{Kind: domain.KindDevice, ID: device, Owner: testkit.UserID(0)}
			err := f.s.Crash(t.Context(), p, domain.CrashReport{ELFSHA256: of, ResetReason: domain.ResetPanic, Backtrace: at})
			if err != nil {
				t.Fatal(err)
			}
		}
		crash(had[0].Device, elf(newSHA)[:16], 0x42000000, 2, 3, 4)
		crash(had[0].Device, elf(newSHA), 0x42000000, 2, 3, 5)
		crash(had[1].Device, elf(newSHA)[:8], 0x42000000, 2, 3)
		crash(had[1].Device, elf(newSHA), 0x42000001, 2, 3)
		crash(had[1].Device, elf(oldSHA), 0x42000000, 2, 3)
		crash(had[1].Device, "ffffffff", 0x42000000, 2, 3)
		groups := func(version string) []domain.CrashGroup {
			g, err := db.Rollouts.CrashGroups(t.Context(), testkit.UserID(0), "lamp", version, epoch, 100)
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		if g := groups(""); len(g) != 4 || g[0].Count != 3 || g[0].Devices != 2 || g[0].Example.Version != "2" ||
			g[0].Example.Signature != g[0].Signature || g[0].Last.Sub(g[0].First) != 2*time.Second {
			t.Errorf("%d groups, the first of them %+v", len(g), g[0])
		}
		for version, want := range map[string]int{"1": 1, "2": 2, "3": 0} {
			if g := groups(version); len(g) != want {
				t.Errorf("%d groups of version %s, and should be %d", len(g), version, want)
			}
		}
		g, err := db.Rollouts.CrashGroups(t.Context(), testkit.UserID(1), "lamp", "", epoch, 100)
		if err != nil || len(g) != 0 {
			t.Errorf("of the devices of somebody else: %d groups, %v", len(g), err)
		}
	})
}
