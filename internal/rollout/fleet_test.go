package rollout

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// fleetSizes are 1,000 devices, or what UNHIDRA_FLEET names (make fleet).
func fleetSizes(t *testing.T) (sizes []int) {
	t.Helper()
	for _, s := range strings.Split(cmp.Or(os.Getenv("UNHIDRA_FLEET"), "1000"), ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, n)
	}
	return sizes
}

// seeds is how many rollouts are simulated: fewer of large fleets.
func seeds(size, most int) int { return max(10, most*10_000/max(size, 10_000)) }

// eachFleet runs rollouts of a build over fleets of all sizes, and gives what became of each size.
func eachFleet(t *testing.T, b build, most int, check func(t *testing.T, size int, runs []*sim)) {
	t.Helper()
	for _, size := range fleetSizes(t) {
		t.Run(fmt.Sprintf("%s/%d", b.name, size), func(t *testing.T) {
			t.Parallel()
			var runs []*sim
			for seed := range seeds(size, most) {
				s := newSim(t, size, uint64(seed+1), b)
				s.run()
				runs = append(runs, s)
			}
			check(t, size, runs)
		})
	}
}

func pausedShare(runs []*sim) float64 {
	n := 0
	for _, s := range runs {
		if s.rollout.State == domain.RolloutPaused {
			n++
		}
	}
	return float64(n) / float64(len(runs))
}

func TestFleetABuildThatFailsOnMostDevicesHarmsAtMostTwenty(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "80%", bad: 0.8}, 100, func(t *testing.T, size int, runs []*sim) {
		worst := 0
		for _, s := range runs {
			if s.rollout.State != domain.RolloutPaused {
				t.Errorf("the rollout is %s", s.rollout.State)
			}
			worst = max(worst, s.hurt)
		}
		t.Logf("%d runs over %d devices: at most %d harmed", len(runs), size, worst)
		if worst > 20 {
			t.Errorf("%d devices were harmed", worst)
		}
	})
}

// Three failures of 100 devices are too few to know that a build fails on 3 % and not on the usual 0.5 %: a fleet of
// 1,000 cannot be asked before 10 % of it have the build, so that there it is the quarter that is looked at.
func TestFleetABuildThatFailsOnThreePercentIsPausedEarly(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "3%", bad: 0.03}, 100, func(t *testing.T, size int, runs []*sim) {
		late, worst, all := 0, 0, 0
		for _, s := range runs {
			share := float64(s.tried) / float64(size)
			if s.rollout.State != domain.RolloutPaused || share > 0.10 {
				late++
			}
			worst, all = max(worst, s.tried), all+s.tried
		}
		t.Logf("%d runs over %d devices: %.0f had it on average, %d at most; %d runs had not paused before 10 %% had it; "+
			"%.3f paused", len(runs), size, float64(all)/float64(len(runs)), worst, late, pausedShare(runs))
		switch {
		case pausedShare(runs) < 0.98:
			t.Errorf("only %.3f of the rollouts paused", pausedShare(runs))
		case size >= 10_000 && late > 0:
			t.Errorf("%d of %d rollouts reached 10 %%", late, len(runs))
		}
	})
}

func TestFleetARevisionThatABuildFailsOnIsNamed(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "revision", bad: 1, revision: 101}, 100, func(t *testing.T, size int, runs []*sim) {
		worst := 0
		for _, s := range runs {
			p := s.rollout.Pause
			worst = max(worst, s.hurt)
			if s.rollout.State != domain.RolloutPaused || p.Revision == nil || p.Revision.Revision != 101 ||
				p.Reason != string(domain.ResetPanic) {
				t.Errorf("it is %s: %+v", s.rollout.State, p)
			}
		}
		t.Logf("%d runs over %d devices: at most %d harmed", len(runs), size, worst)
	})
}

func TestFleetAGoodBuildReachesAllThatAreThere(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "good"}, 100, func(t *testing.T, size int, runs []*sim) {
		var longest time.Duration
		for _, s := range runs {
			if s.rollout.State == domain.RolloutPaused {
				continue
			}
			for _, d := range s.devices {
				if !d.never && !d.got {
					t.Fatalf("%s was there, and did not get it", d.Device)
				}
			}
			longest = max(longest, s.done.Sub(epoch))
			if s.mostBusy > s.rollout.Plan.Limits.Downloads {
				t.Errorf("%d downloads at the same time", s.mostBusy)
			}
		}
		t.Logf("%d runs over %d devices: %.3f paused, the longest took %v", len(runs), size, pausedShare(runs), longest)
		if most := fastest(runs[0], size) * 3 / 2; longest > most {
			t.Errorf("it took %v, and could have taken %v", longest, most)
		}
		if pausedShare(runs) > 0.02 {
			t.Errorf("%.3f of the rollouts paused", pausedShare(runs))
		}
	})
}

// fastest is how long a rollout takes by its limits: the soaking; generations of devices, of which each succeeds after
// 13 minutes and allows half as many again; and the offers or downloads that may be made in a minute.
func fastest(s *sim, size int) time.Duration {
	l := s.rollout.Plan.Limits
	generations := math.Log(float64(size)*l.Growth/float64(l.Begin)+1) / math.Log(1+l.Growth)
	perMinute := min(float64(l.PerMinute), float64(l.Downloads)/(78.0/60))
	return 3*time.Hour + time.Duration(len(s.rollout.Plan.Stages))*13*time.Minute +
		time.Duration(generations*13+float64(size)/perMinute)*time.Minute
}

func TestFleetABuildThatCrashesMoreOftenPausesTheRollout(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "crashes", crashes: 0.5}, 20, func(t *testing.T, size int, runs []*sim) {
		for _, s := range runs {
			if s.rollout.State != domain.RolloutPaused || float64(s.tried) > 0.2*float64(size) {
				t.Errorf("%d devices have it, and it is %s: %+v", s.tried, s.rollout.State, s.rollout.Pause)
			}
		}
	})
}

// A build by which devices lose their connections, all of them or every fifth, is paused before 10 % of them have it.
func TestFleetABuildThatFlapsIsPausedEarly(t *testing.T) {
	t.Parallel()
	for _, share := range []float64{1, 0.2} {
		eachFleet(t, build{name: fmt.Sprint("flaps/", share), flaps: share}, 10, func(t *testing.T, size int, runs []*sim) {
			worst := 0
			for _, s := range runs {
				worst = max(worst, s.tried)
				if p := s.rollout.Pause; s.rollout.State != domain.RolloutPaused || p.Kind != domain.PausedFlapping {
					t.Errorf("it is %s: %+v", s.rollout.State, p)
				}
			}
			t.Logf("%d runs over %d devices: at most %d had it", len(runs), size, worst)
			if worst > size/10 {
				t.Errorf("%d of %d devices had it", worst, size)
			}
		})
	}
}

// In a network in which devices with and without it lose their connections, a good build is not held responsible.
func TestFleetAGoodBuildInANetworkThatFlapsIsNotPausedForIt(t *testing.T) {
	t.Parallel()
	eachFleet(t, build{name: "network", network: true}, 10, func(t *testing.T, size int, runs []*sim) {
		seen := 0
		for _, s := range runs {
			seen = max(seen, s.mostFlap)
			if s.rollout.Pause.Kind == domain.PausedFlapping {
				t.Errorf("it paused: %+v", s.rollout.Pause)
			}
		}
		t.Logf("%d runs over %d devices: %.3f paused; at most %d devices with it flapped at a time", len(runs), size,
			pausedShare(runs), seen)
		if seen < domain.FewFlap {
			t.Errorf("at most %d devices flapped: the network is good", seen)
		}
	})
}
