package rollout

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

func (f *fleet) revert(r domain.Rollout, release string) domain.Rollout {
	f.t.Helper()
	back, err := f.s.Revert(f.t.Context(), f.who(1), r.ID, release, domain.RolloutPlan{})
	if err != nil {
		f.t.Fatal(err)
	}
	return back
}

// become changes the state of a release.
func (f *fleet) become(id string, s domain.ReleaseState) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.releases[id]
	r.State = s
	f.releases[id] = r
}

// states are what the room was told of a rollout.
func (f *fleet) states(r domain.Rollout) (told []domain.RolloutState) {
	f.t.Helper()
	events, err := f.db.Log.Replay(f.t.Context(), domain.WholeLog(f.room), 0, 100)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, e := range events {
		if p, ok := e.Payload.(domain.RolloutToldPayload); ok && p.Rollout.ID == r.ID {
			told = append(told, p.Rollout.State)
		}
	}
	return told
}

func TestOfATakingBackThatWasAbortedTheLogAndTheRoomAreTold(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		r := f.begin(quick())
		back := f.revert(r, "rel_1")
		if _, err := f.s.Do(t.Context(), f.who(0), back.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		entries, err := db.Rollouts.Entries(t.Context(), r.ID, 1)
		if err != nil || entries[0].What != "aborted" || entries[0].By.ID != testkit.UserID(0) ||
			entries[0].State != domain.RolloutAborted {
			t.Errorf("the log has %+v: %v", entries, err)
		}
		if told := f.states(r); !slices.Equal(told[len(told)-2:],
			[]domain.RolloutState{domain.RolloutReverting, domain.RolloutAborted}) {
			t.Errorf("the room was told of %v", told)
		}
	})
}

func TestWhatTakesBackIsTakenBackItself(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		r, err := f.s.Make(t.Context(), f.who(1), domain.Rollout{Release: "rel_3", Plan: quick()})
		if err != nil {
			t.Fatal(err)
		}
		back := f.revert(r, "rel_2")
		f.revert(back, "rel_1")
		if s := f.now(r).State; s != domain.RolloutAborted {
			t.Errorf("what nothing takes back any more is %s", s)
		}
		again := f.revert(r, "rel_1")
		if id, err := db.Rollouts.RevertedBy(t.Context(), r); err != nil || id != again.ID {
			t.Errorf("%q takes it back: %v", id, err)
		}
	})
}

func TestARolloutThatWasTakenBackStaysSo(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.until(f.begin(quick()), domain.RolloutCompleted)
		back := f.until(f.revert(r, "rel_1"), domain.RolloutCompleted)
		if _, err := f.s.Do(t.Context(), f.who(1), back.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		out, err := f.s.shown(t.Context(), f.now(r), nil)
		if err != nil || out.Body.State != string(domain.RolloutReverted) || out.Body.RevertedBy != back.ID {
			t.Errorf("%+v: %v", out, err)
		}
		if told := f.states(r); told[len(told)-1] != domain.RolloutReverted {
			t.Errorf("the room was told of %v", told)
		}
	})
}

// Devices check what the manifest of the release that they run says.
func TestNothingIsTakenBackToWhereNoDeviceGoes(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		r, err := f.s.Make(t.Context(), f.who(1), domain.Rollout{Release: "rel_3", Plan: quick()})
		if err != nil {
			t.Fatal(err)
		}
		for _, floor := range []uint32{0, 2} {
			f.mu.Lock()
			release := f.releases["rel_3"]
			release.AllowDowngradeTo = floor
			f.releases["rel_3"] = release
			f.mu.Unlock()
			_, err = f.s.Revert(t.Context(), f.who(1), r.ID, "rel_1", domain.RolloutPlan{})
			f.code(fmt.Sprint("to 1 of ", floor), err, domain.CodeInvalidField)
			if err == nil || !strings.Contains(err.Error(), "allow_downgrade_to") ||
				!strings.Contains(err.Error(), "new release") {
				t.Errorf("it does not say what can be done: %v", err)
			}
		}
		if s := f.now(r).State; s == domain.RolloutReverting {
			t.Errorf("it is %s", s)
		}
		f.revert(r, "rel_2")
	})
}

func TestAReleaseHasOneOpenRollout(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.begin(quick())
		again := func() error {
			_, err := f.s.Make(t.Context(), f.who(0), domain.Rollout{Release: "rel_2", Plan: quick()})
			return err
		}
		refused := func(what string) {
			err := again()
			f.code(what, err, domain.CodeRolloutOpen)
			if err == nil || !strings.Contains(err.Error(), r.ID) {
				t.Errorf("it does not name the open one: %v", err)
			}
		}
		refused("of one that runs")
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Pause}); err != nil {
			t.Fatal(err)
		}
		refused("of one that is paused")
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		if err := again(); err != nil {
			t.Errorf("after one that was aborted: %v", err)
		}
	})
}

func TestARolloutOfAWithdrawnReleaseStaysPaused(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 6)
		r := f.begin(quick())
		f.become("rel_2", domain.WithdrawnRelease)
		r = f.until(r, domain.RolloutPaused)
		x := domain.RolloutExclusion{Devices: []string{f.devices[0].id}}
		for _, a := range []Action{Resume, Continue} {
			_, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: a, Exclude: x})
			f.code(string(a), err, domain.CodeReleaseNotActive)
		}
		if now := f.now(r); now.State != domain.RolloutPaused || now.Revision != r.Revision {
			t.Errorf("it is %s, and was changed %d times", now.State, now.Revision-r.Revision)
		}
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Abort}); err != nil {
			t.Errorf("to abort it: %v", err)
		}
	})
}

func TestTheLogOfARolloutNamesWhoDidIt(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 2)
		r := f.begin(quick())
		if _, err := f.s.Do(t.Context(), f.who(0), r.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		entries, err := db.Rollouts.Entries(t.Context(), r.ID, 100)
		if err != nil || len(entries) != 3 {
			t.Fatalf("%+v: %v", entries, err)
		}
		if v := entryView(entries[0]); v.By == nil || v.By.ID != testkit.UserID(0) || v.By.Username == "" {
			t.Errorf("%s by %+v", v.What, v.By)
		}
		if v := entryView(entries[1]); v.By != nil {
			t.Errorf("%s by %+v", v.What, v.By)
		}
	})
}
