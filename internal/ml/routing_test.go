package ml

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

// A candidate gets its part of the units within four standard deviations, each unit always the same version, and one
// that has it keeps it when the part grows. Another salt divides others.
func TestASplitIsStickyAndFair(t *testing.T) {
	t.Parallel()
	const units = 20_000
	had := map[int]bool{}
	for _, percent := range []int{1, 5, 25, 50} {
		r := Routing{Default: 1, Candidate: 2, Percent: percent, Salt: "a salt"}
		got := 0
		for i := range units {
			unit := fmt.Sprint("user_", i)
			version, v := r.choose(unit)
			if again, _ := r.choose(unit); again != version || (v == variantCandidate) != (version == 2) {
				t.Fatalf("%s gets version %d, then %d", unit, version, again)
			}
			if had[i] && version != 2 {
				t.Fatalf("%s lost the candidate when its part grew to %d %%", unit, percent)
			}
			if version == 2 {
				had[i] = true
				got++
			}
		}
		p := float64(percent) / 100
		if off := math.Abs(float64(got) - units*p); off > 4*math.Sqrt(units*p*(1-p)) {
			t.Errorf("%d %% of %d units are %d", percent, units, got)
		}
	}
	both := 0
	for i := range units {
		unit := fmt.Sprint("user_", i)
		a, _ := Routing{Candidate: 2, Percent: 50, Salt: "a"}.choose(unit)
		b, _ := Routing{Candidate: 2, Percent: 50, Salt: "b"}.choose(unit)
		if a == 2 && b == 2 {
			both++
		}
	}
	if math.Abs(float64(both)-units/4) > 4*math.Sqrt(units*0.25*0.75) {
		t.Errorf("two splits in halves have %d of %d units in common, not a quarter", both, units)
	}
}

func TestATrialIsJudgedByItsRules(t *testing.T) {
	t.Parallel()
	bad := domain.Internal.Errorf("", "a mistake")
	for _, c := range []struct {
		name, rule string
		n          int // requests of each side
		errors     int // of the candidate
		slow       time.Duration
		deaths     int
		failed     error
	}{
		{name: "as good", n: 1000, slow: 10 * time.Millisecond},
		{name: "too early", n: 150, errors: 150, slow: 10 * time.Millisecond},
		{name: "more errors", rule: "errors", n: 200, errors: 20, slow: 10 * time.Millisecond},
		{name: "a few errors", n: 200, errors: 1, slow: 10 * time.Millisecond},
		{name: "slower", rule: "latency", n: 200, slow: 60 * time.Millisecond},
		{name: "slower by little", n: 200, slow: 13 * time.Millisecond},
		{name: "one death", n: 1, slow: time.Millisecond, deaths: 1},
		{name: "two deaths", rule: "deaths", n: 1, slow: time.Millisecond, deaths: 2},
		{name: "failed", rule: "failed", failed: errors.New("no weights")},
	} {
		tr := (*trial)(nil).follow(Routing{Candidate: 2, Percent: 50})
		tr.deaths = c.deaths
		for i := range c.n {
			tr.count(variantDefault, uint64(2*i), 10*time.Millisecond, nil)
			var err error
			if i < c.errors {
				err = bad
			}
			tr.count(variantCandidate, uint64(2*i+1), c.slow, err)
		}
		if rule, why := tr.failing(c.failed); rule != c.rule {
			t.Errorf("%s: rule %q, %s; want %q", c.name, rule, why, c.rule)
		}
		if tr.mismatched() {
			t.Errorf("%s: halves are no halves", c.name)
		}
	}
	tr := (*trial)(nil).follow(Routing{Candidate: 2, Percent: 5})
	for i := range 1000 {
		tr.count([]Variant{variantDefault, variantCandidate}[i%2], uint64(i), time.Millisecond, nil)
	}
	if !tr.mismatched() || tr.grows(Routing{Auto: true, Candidate: 2, Percent: 5}, 0) {
		t.Error("half of the units, where 5 % were to be, let the candidate grow")
	}
	if tr.percent = 50; !tr.grows(Routing{Auto: true}, 0) || tr.grows(Routing{}, 0) ||
		tr.grows(Routing{Auto: true, Since: time.Now()}, time.Hour) {
		t.Error("a candidate grows when it may not, or not when it may")
	}
}

func TestChangesOfARouting(t *testing.T) {
	t.Parallel()
	have := []int{1, 2, 3}
	r, err := Change{Action: "promote", Version: 2, Percent: 5}.apply(Routing{}, 1, have)
	must(t, err)
	if r.Default != 1 || r.Candidate != 2 || r.Percent != 5 || r.By != ByUser || r.Salt == "" {
		t.Errorf("%+v", r)
	}
	for _, percent := range []int{25, 50} {
		if r = r.grown(); r.Percent != percent || r.Candidate != 2 {
			t.Errorf("%+v", r)
		}
	}
	if r = r.grown(); r.Default != 2 || r.Candidate != 0 || r.Previous != 1 {
		t.Errorf("%+v", r)
	}
	for _, c := range []struct {
		change  Change
		routing Routing
	}{
		{Change{Action: "unload", Version: 2}, Routing{Candidate: 2}},
		{Change{Action: "unload", Version: 2}, Routing{Shadow: 2}},
		{Change{Action: "unload"}, Routing{}}, {Change{Action: "load", Version: 4}, Routing{}},
		{Change{Action: "promote", Version: 2}, Routing{Unloaded: []int{2}}},
		{Change{Action: "reload", Version: 2}, Routing{Unloaded: []int{2}}},
		{Change{Action: "rollback"}, Routing{Default: 2, Previous: 1, Unloaded: []int{1}}},
	} {
		if _, err := c.change.apply(c.routing, 1, have); err == nil {
			t.Errorf("%+v of %+v is taken", c.change, c.routing)
		}
	}
	r, err = Change{Action: "rollback"}.apply(r, 2, have)
	if err != nil || r.Default != 1 || len(r.Refused) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	for _, c := range []Change{{Action: "rollback"}, {Action: "promote", Version: 4}, {Action: "pin", Version: 1},
		{Action: "promote"}, {Action: "guess"}} {
		if _, err := c.apply(Routing{}, 1, have); err == nil {
			t.Errorf("%+v is taken", c)
		}
	}
}

// settings keeps what is set, as the store does.
type settings struct {
	mu   sync.Mutex
	kept map[string]domain.Setting
}

func (s *settings) Settings(context.Context) ([]domain.Setting, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []domain.Setting
	for _, v := range s.kept {
		all = append(all, v)
	}
	return all, nil
}

func (s *settings) SetSetting(_ context.Context, v domain.Setting) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept == nil {
		s.kept = map[string]domain.Setting{}
	}
	s.kept[v.Name] = v
	return nil
}

type recorded struct {
	mu     sync.Mutex
	events []domain.AuditEvent
}

func (r *recorded) RecordSync(_ context.Context, e domain.AuditEvent) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return nil
}

// A version whose workers end is rolled back, the rule is named, and everybody is answered by the other.
func TestABadVersionIsRolledBackByItself(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	writeModel(t, dir, 2, map[string]string{"weak": ""})
	kept, log := &settings{}, &recorded{}
	s := newServiceWith(t, dir, fast, func(d *Deps) { d.Settings, d.Audit = kept, log })
	until(t, "two versions", func() bool { h := s.Health(); return len(h.Versions) == 2 && bothReady(h) })
	by := domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorOperator}}
	must(t, s.Change(t.Context(), by, "chaos", Change{Action: "promote", Version: 1}))
	must(t, s.Change(t.Context(), by, "chaos", Change{Action: "promote", Version: 2, Percent: 50}))
	until(t, "the end of the candidate", func() bool {
		for i := range 20 {
			_, _ = s.Infer(t.Context(), Request{Model: "chaos", Units: map[Unit]string{ByUser: fmt.Sprint(i)},
				Inputs: []Tensor{TextTensor("text", fmt.Sprint("x", i))}})
		}
		return s.Models()[0].Routing.Candidate == 0
	})
	r := s.Models()[0].Routing
	if !strings.Contains(r.Reason, "version 2 was rolled back: deaths") || r.Default != 1 {
		t.Errorf("%+v", r)
	}
	a, err := s.Infer(t.Context(), Request{Model: "chaos", Inputs: []Tensor{TextTensor("text", "x")}})
	if err != nil || a.Version != 1 || a.Variant != variantDefault {
		t.Errorf("%+v, %v", a, err)
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	last := log.events[len(log.events)-1]
	if last.Details["rule"] != "deaths" || last.Actor.Kind != domain.ActorSystem || len(log.events) != 3 {
		t.Errorf("the audit log has %+v", log.events)
	}
	if v := kept.kept["model:chaos"].Value; !strings.Contains(v, `"refused":[2]`) {
		t.Errorf("the store keeps %s", v)
	}
}

func bothReady(h Health) bool { return h.Versions[0].Ready > 0 && h.Versions[1].Ready > 0 }

// Workers are replaced again and again while many ask, and nobody is refused.
func TestAReloadLosesNoRequest(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	var stop atomic.Bool
	var asked atomic.Int64
	var asking sync.WaitGroup
	for range 8 {
		asking.Go(func() {
			for !stop.Load() {
				if got, err := ask(t, s, "hello"); got != "HELLO" {
					t.Errorf("%q, %v", got, err)
					return
				}
				asked.Add(1)
			}
		})
	}
	pid := s.Health().Versions[0].Workers[0].PID
	for range 3 {
		must(t, s.Change(t.Context(), domain.AuditEvent{}, "chaos", Change{Action: "reload", Version: 1}))
	}
	before := asked.Load()
	until(t, "more answers", func() bool { return asked.Load() > before+20 || t.Failed() })
	stop.Store(true)
	asking.Wait()
	if now := s.Health().Versions[0].Workers[0].PID; now == pid {
		t.Error("its worker is the same after three reloads")
	}
}

// A shadow is asked, too; its answers go nowhere but into a count. A pin decides for its unit.
func TestShadowsAndPins(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	writeModel(t, dir, 2, map[string]string{"other": "", GoldenFile: "[]"})
	s := newService(t, dir, fast)
	until(t, "two versions", func() bool { h := s.Health(); return len(h.Versions) == 2 && bothReady(h) })
	for _, c := range []Change{{Action: "promote", Version: 1}, {Action: "shadow", Version: 2},
		{Action: "pin", Version: 2, Unit: "room_a"}} {
		must(t, s.Change(t.Context(), domain.AuditEvent{}, "chaos", c))
	}
	if got, err := ask(t, s, "hello"); got != "HELLO" {
		t.Errorf("%q, %v", got, err)
	}
	until(t, "the shadow's answer", func() bool { return s.Models()[0].Versions[1].Requests == 1 })
	a, err := s.Infer(t.Context(), Request{Model: "chaos", Units: map[Unit]string{ByRoom: "room_a"},
		Inputs: []Tensor{TextTensor("text", "x")}})
	if err != nil || a.Version != 2 || a.Variant != variantPinned {
		t.Errorf("%+v, %v", a, err)
	}
}

// What an administrator unloads has no workers, whoever asks it is told so, and it stays unloaded after a restart.
func TestAVersionIsUnloadedAndLoadedAgain(t *testing.T) {
	t.Parallel()
	kept := &settings{}
	dir := t.TempDir()
	writeModel(t, dir, 1, nil)
	with := func(d *Deps) { d.Settings = kept }
	s := newServiceWith(t, dir, fast, with)
	until(t, "a worker that is ready", ready(s))
	by := domain.AuditEvent{Actor: domain.AuditActor{Kind: domain.ActorOperator}}
	_, _ = ask(t, s, "exit")
	must(t, s.Change(t.Context(), by, "chaos", Change{Action: "unload", Version: 1}))
	v := s.Models()[0].Versions[0]
	if v.State != versionUnloaded || v.Workers != 0 || v.Ready != 0 || s.Models()[0].Answers != 0 {
		t.Errorf("%+v", v)
	}
	if _, err := ask(t, s, "hello"); !errors.Is(err, errUnloaded) {
		t.Errorf("an unloaded version answers %v", err)
	}
	if h := s.Health(); !h.Ready {
		t.Errorf("what is unloaded on purpose makes the server unwell: %+v", h)
	}
	other := newServiceWith(t, dir, fast, with)
	until(t, "the version on another node", func() bool { return len(other.Models()) == 1 })
	if v := other.Models()[0].Versions[0]; v.State != versionUnloaded {
		t.Errorf("another node has it %s", v.State)
	}
	must(t, s.Change(t.Context(), by, "chaos", Change{Action: "load", Version: 1}))
	until(t, "an answer", func() bool { got, err := ask(t, s, "hello"); return err == nil && got == "HELLO" })
	var kinds []eventKind
	for _, e := range s.Models()[0].Versions[0].Events {
		kinds = append(kinds, e.Kind)
	}
	for _, kind := range []eventKind{eventStarted, eventReady, eventEnded, eventQuarantined, eventUnloaded, eventLoaded} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%v do not tell that it was %s", kinds, kind)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, "chaos", "1", "model.py"), []byte("changed"), 0o600))
	must(t, s.Change(t.Context(), by, "chaos", Change{Action: "unload", Version: 1}))
	if err := s.Change(t.Context(), by, "chaos", Change{Action: "load", Version: 1}); err == nil ||
		!strings.Contains(err.Error(), "model.py has changed") {
		t.Errorf("a folder that has changed is loaded: %v", err)
	}
}

func TestEventsAreBounded(t *testing.T) {
	t.Parallel()
	p := &pool{}
	for i := range 3 * eventsMost {
		p.note(eventEnded, i, errors.New(strings.Repeat("ß", maxReason)))
	}
	if e := p.events; len(e) != eventsMost || e[eventsMost-1].Worker != 3*eventsMost-1 ||
		len(e[0].Reason) > maxReason || !utf8.ValidString(e[0].Reason) {
		t.Errorf("%d events, the last of worker %d", len(e), e[len(e)-1].Worker)
	}
}
