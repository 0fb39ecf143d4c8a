package rollout

import (
	"cmp"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A build is how devices fare with a release.
type build struct {
	name     string
	bad      float64 // share of devices that it crashes on, which go back to what they had
	revision int     // on which alone it does; 0: on all
	crashes  float64 // per hour of a device, once it has confirmed itself
	flaps    float64 // share of devices that lose their connection with it, flapsPerHour times an hour
	network  bool    // it is a bad one: see connects
}

const flapsPerHour = 10

// background is the share of updates that fail whatever the build: power cuts, flash that is worn, devices that are
// unplugged.
const background = 0.005

var (
	epoch = time.Date(2026, 11, 28, 9, 0, 0, 0, time.UTC)
	board = "esp32c3"
)

// simDevice is one device of a simulated fleet.
type simDevice struct {
	domain.DeviceFirmware
	never bool // it is switched off for all of the rollout
	weak  bool // it flaps with a build that flaps
	got   bool // it has run the release
	hurt  bool // the build failed on it
	stage int
}

// sim is a fleet, a rollout and a clock. It carries out the decisions of the engine as the service does.
type sim struct {
	rnd      *rand.Rand
	now      time.Time
	rollout  domain.Rollout
	release  domain.Release
	build    build
	devices  []*simDevice // by stage, in the order of a scan
	updates  map[string]*domain.Update
	tally    tally
	events   events
	offers   []time.Time
	next     int // device that the scan comes to next
	done     time.Time
	tried    int // devices that have run the release
	hurt     int
	mostBusy int // downloads at the same time
	mostFlap int // devices with the release that flapped at the same time
	flap     domain.Flapping
	flapAt   time.Time // when that was counted
}

// simEvent is something that happens to a device at a time.
type simEvent struct {
	at time.Time
	do func()
}

type events []simEvent

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(simEvent)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func newSim(t *testing.T, size int, seed uint64, b build) *sim {
	t.Helper()
	plan, err := domain.CheckRolloutPlan(domain.RolloutPlan{
		Stages: []domain.RolloutStage{{Percent: 1, AtLeast: 5, Soak: 3600}, {Percent: 5, Soak: 3600},
			{Percent: 25, Soak: 3600}, {Percent: 100}},
		Limits: domain.RolloutLimits{Downloads: size/50 + 50},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := &sim{rnd: rand.New(rand.NewPCG(seed, 7)), now: epoch, build: b, updates: make(map[string]*domain.Update)}
	s.release = domain.Release{ID: "rel", Code: 2, Images: []domain.FirmwareImage{
		{SHA256: "new", Chip: board, RevisionMin: 0, RevisionMax: 999, Size: 1 << 20}}}
	s.rollout = domain.Rollout{ID: "rol", Owner: "usr", Plan: plan, Code: 2, State: domain.RolloutScheduled,
		Salt: strconv.FormatUint(seed, 10), Devices: size}
	for i := range size {
		d := &simDevice{never: s.rnd.Float64() < 0.02}
		revision := 3
		if p := s.rnd.Float64(); p < 0.05 {
			revision = 101
		} else if p < 0.4 {
			revision = 4
		}
		d.DeviceFirmware = domain.DeviceFirmware{Device: fmt.Sprintf("dev_%06d", i), Owner: "usr", NonceAt: epoch,
			Since: epoch.Add(-24 * time.Hour), Online: !d.never, Report: domain.FirmwareReport{Chip: board,
				Revision: uint16(revision), Version: "1", VersionCode: 1, SHA256: "old", SlotState: domain.SlotValid}}
		d.stage, _ = StageOf(s.rollout, d.DeviceFirmware)
		s.devices = append(s.devices, d)
		if b.network || b.flaps > 0 && s.rnd.Float64() < b.flaps {
			d.weak = b.flaps > 0
			s.connects(d, i)
		}
	}
	slices.SortStableFunc(s.devices, func(a, b *simDevice) int { return cmp.Compare(a.stage, b.stage) })
	return s
}

// connects has a device connect anew now and then. In a bad network each tenth does so four times an hour, as ever, and
// from the end of the first stage on three of ten sites fail again and again, for two hours.
func (s *sim) connects(d *simDevice, number int) {
	usual := func() (perHour float64) {
		if s.build.network && number%10 == 9 {
			perHour = 4
		}
		return perHour
	}
	d.Rate = domain.ConnectRate{At: epoch, Lately: usual(), Usually: usual()}
	var next func()
	next = func() {
		s.after(s.rnd.ExpFloat64()/flapsPerHour*3600, func() {
			rate, passed := usual(), s.now.Sub(epoch)
			if s.build.network && number%10 < 3 && passed > time.Hour && passed < 3*time.Hour || d.weak && d.ran(s.now) {
				rate = flapsPerHour
			}
			if !d.never && s.rnd.Float64() < rate/flapsPerHour {
				d.Session++
				d.Rate = Connected(d.Rate, d.Session, s.now)
			}
			next()
		})
	}
	next()
}

// ran reports whether a device runs the release.
func (d *simDevice) ran(now time.Time) bool { return d.Report.SHA256 == "new" && !d.Since.After(now) }

// flapping counts as the store does.
func (s *sim) flapping() (f domain.Flapping) {
	if s.build.flaps == 0 && !s.build.network {
		return f
	}
	for _, d := range s.devices {
		flaps := s.now.Sub(d.Rate.Flapped) < domain.FlapWithin
		if d.never || !flaps && s.now.Sub(d.Since) < domain.FlapAfter {
			continue
		}
		n, of := &f.Without, &f.WithoutOf
		if d.ran(s.now) {
			n, of = &f.With, &f.WithOf
		}
		*of++
		if flaps {
			*n++
		}
	}
	return f
}

func (s *sim) after(seconds float64, do func()) {
	heap.Push(&s.events, simEvent{s.now.Add(time.Duration(seconds * float64(time.Second))), do})
}

// put takes an update as the engine made it.
func (s *sim) put(u domain.Update) {
	if before := s.updates[u.Device]; before != nil {
		s.tally.add(*before, -1)
	}
	s.tally.add(u, 1)
	s.updates[u.Device] = &u
	if !u.Due.IsZero() && u.State.Active() {
		at, d := u.Due, u.Device
		heap.Push(&s.events, simEvent{at, func() {
			if u := s.updates[d]; u.Due.Equal(at) && u.State.Active() {
				s.put(Late(*u, s.rollout, true, s.now, s.rnd.Float64()))
			}
		}})
	}
}

// tick decides once, and offers the release to as many devices as may have it.
func (s *sim) tick() {
	s.rollout = Judge(s.rollout, s.counts(), s.waits(), s.now)
	if s.rollout.State == domain.RolloutPaused {
		for _, u := range s.updates {
			s.put(Stop(*u, s.rollout, s.now))
		}
		return
	}
	for range Room(s.rollout, s.counts()) {
		if !s.waits() {
			return
		}
		d := s.devices[s.next]
		c, ok := Best([]Candidate{{Rollout: s.rollout, Release: s.release}}, d.DeviceFirmware, s.now)
		if s.next++; ok {
			s.offer(d, c)
		}
	}
}

// waits reports whether a device of the open stage has not been offered the release.
func (s *sim) waits() bool {
	for s.next < len(s.devices) && s.devices[s.next].never {
		s.next++
	}
	return s.next < len(s.devices) && s.devices[s.next].stage <= s.rollout.Stage
}

func (s *sim) counts() domain.RolloutCounts {
	for len(s.offers) > 0 && s.now.Sub(s.offers[0]) > time.Minute {
		s.offers = s.offers[1:]
	}
	c := s.tally.counts(s.rollout.Stage, len(s.offers))
	if s.now.Sub(s.flapAt) >= time.Minute {
		s.flap, s.flapAt = s.flapping(), s.now
	}
	c.Health.Flapping = s.flap
	s.mostFlap = max(s.mostFlap, c.Health.Flapping.With)
	return c
}

func (s *sim) offer(d *simDevice, c Candidate) {
	u := Offered(domain.Update{ID: d.Device}, c, d.DeviceFirmware, s.now)
	s.offers = append(s.offers, s.now)
	s.put(u)
	s.step(d, 2, domain.FirmwareAccepted, func() {
		s.step(d, 1, domain.FirmwareDownloading, func() {
			s.mostBusy = max(s.mostBusy, s.tally.states[domain.UpdateDownloading])
			s.step(d, 30+90*s.rnd.Float64(), domain.FirmwareVerified, func() {
				s.step(d, 1, domain.FirmwareInstalling, func() {
					s.step(d, 2, domain.FirmwareRebooting, func() { s.boot(d) })
				})
			})
		})
	})
}

// step has a device say how far it has come, and go on if it may.
func (s *sim) step(d *simDevice, seconds float64, to domain.FirmwareStep, then func()) {
	s.after(seconds, func() {
		p := domain.FirmwareProgress{Update: d.Device, State: to}
		u, answer := Progressed(*s.updates[d.Device], s.rollout, p, s.now, s.rnd.Float64())
		s.put(u)
		if answer.Action == domain.FirmwareContinue {
			then()
		}
	})
}

// boot is the first start with the release.
func (s *sim) boot(d *simDevice) {
	d.got, s.tried = true, s.tried+1
	f := d.Report
	switch p := s.rnd.Float64(); {
	case p < background/2: // it never comes back
		return
	case p < background:
		f.ResetReason = domain.ResetPowerOn
	case (s.build.revision == 0 || s.build.revision == int(f.Revision)) && s.rnd.Float64() < s.build.bad:
		f.ResetReason, f.SlotState = domain.ResetPanic, domain.SlotAborted
		d.hurt, s.hurt = true, s.hurt+1
	default:
		f.SHA256, f.Version, f.VersionCode, f.ResetReason = "new", "2", 2, domain.ResetSoftware
	}
	s.after(20+40*s.rnd.Float64(), func() {
		d.Report = f
		s.put(Reported(*s.updates[d.Device], s.rollout, f, true, s.now))
		if f.SHA256 == "new" {
			d.Since = s.now
			d.Rate.Lately, d.Rate.Flapped = 0, time.Time{}
			s.tally.started(s.now)
			s.crash(d)
		}
	})
}

// crash has a device crash now and then, once it runs the release.
func (s *sim) crash(d *simDevice) {
	if s.build.crashes == 0 {
		return
	}
	s.after(600+s.rnd.ExpFloat64()/s.build.crashes*3600, func() {
		s.tally.crashed(d.Device)
		s.crash(d)
	})
}

// run goes on until the rollout is over or has paused, or for some days.
func (s *sim) run() {
	for s.now.Before(epoch.Add(14 * 24 * time.Hour)) {
		s.tick()
		if st := s.rollout.State; st == domain.RolloutPaused || st == domain.RolloutCompleted {
			s.finish()
			return
		}
		next := s.now.Add(10 * time.Second)
		for len(s.events) > 0 && !s.events[0].at.After(next) {
			e := heap.Pop(&s.events).(simEvent)
			s.now = e.at
			e.do()
		}
		s.now = next
		s.tally.now = next
	}
}

// finish lets happen what is on its way.
func (s *sim) finish() {
	s.done = s.now
	until := s.now.Add(2 * time.Hour)
	for len(s.events) > 0 && s.events[0].at.Before(until) && s.build.crashes == 0 && s.build.flaps == 0 {
		e := heap.Pop(&s.events).(simEvent)
		s.now = e.at
		e.do()
	}
	s.tick() // what is known better by now
}

// tally counts updates as the store does, without looking at all of them each time.
type tally struct {
	now                 time.Time
	states              map[domain.UpdateState]int
	ended               map[domain.EndedGroup]int
	contacted, reported map[int]int
	crashes             map[string]int
	allCrashes          int
	running             int           // devices with the release
	sumStarted          time.Duration // of the times since epoch at which they began to run it
}

func (y *tally) add(u domain.Update, n int) {
	if y.states == nil {
		y.states, y.ended = make(map[domain.UpdateState]int), make(map[domain.EndedGroup]int)
		y.contacted, y.reported = make(map[int]int), make(map[int]int)
		y.crashes = make(map[string]int)
	}
	y.states[u.State] += n
	if u.State.Active() || !u.State.Open() {
		y.contacted[u.Stage] += n
	}
	if !u.State.Open() {
		y.reported[u.Stage] += n
		y.ended[domain.EndedGroup{Hardware: u.Hardware, State: u.State, Why: u.Why()}] += n
	}
}

func (y *tally) started(now time.Time) {
	y.running++
	y.sumStarted += now.Sub(epoch)
}

func (y *tally) crashed(device string) {
	y.crashes[device]++
	y.allCrashes++
}

func (y *tally) counts(stage, lately int) domain.RolloutCounts {
	c := domain.RolloutCounts{States: y.states, Lately: lately, Contacted: y.contacted[stage],
		Reported: y.reported[stage]}
	for g, n := range y.ended {
		g.Count = n
		c.Ended = append(c.Ended, g)
	}
	ran := time.Duration(y.running)*y.now.Sub(epoch) - y.sumStarted
	c.Health = domain.RolloutHealth{Crashes: y.allCrashes, Devices: len(y.crashes), Ran: ran,
		RanBefore: time.Duration(y.running) * 24 * time.Hour}
	return c
}
