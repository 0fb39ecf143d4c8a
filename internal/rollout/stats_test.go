package rollout

import (
	"math"
	"testing"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-4 {
		t.Errorf("%s is %.6f, and should be %.6f", what, got, want)
	}
}

// The figures were computed apart from this code, the counts with whole numbers.
func TestStatisticsAreThoseOfTheBooks(t *testing.T) {
	t.Parallel()
	near(t, "the lower end for 2 of 7", atLeast(2, 7), 0.066566)
	near(t, "the lower end for 0 of 7", atLeast(0, 7), 0)
	near(t, "the lower end of nothing", atLeast(0, 0), 0)
	near(t, "the chance of 2 of 2 failures on 2 of 6 devices", byChance(2, 2, 2, 6), 1.0/15)
	near(t, "the chance of 5 of 6 failures on 8 of 100 devices", byChance(5, 8, 6, 100), 4.3454e-6)
	near(t, "the chance of any", byChance(0, 8, 6, 100), 1)
	near(t, "5 where 2 are expected", poissonTail(5, 2), 0.052653)
	near(t, "something where nothing is expected", poissonTail(1, 0), 0)
	near(t, "8 of 10 heads", binomialTail(8, 10, 0.5), 0.054688)
	near(t, "more than there are", binomialTail(11, 10, 0.5), 0)
}

// Whoever looks after each device looks often: a background of 0.5 % must not be taken for a bad build by that.
// This is computed, and not simulated: the probability that a rollout ever pauses for failures.
func TestLookingOftenPausesFewGoodRollouts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate, least, most float64
		devices           int
	}{{background, 0, 0.01, 4000}, {0.03, 0.997, 1, 1000}, {0.05, 0.9, 1, 150}, {0.8, 0.999, 1, 10}} {
		if p := everPauses(c.rate, c.devices); p < c.least || p > c.most {
			t.Errorf("of rollouts on which %v of the devices fail, %.5f pause within %d devices", c.rate, p, c.devices)
		}
	}
}

func everPauses(rate float64, devices int) (paused float64) {
	alive := map[int]float64{0: 1} // probability of each number of failures, if it has not paused
	for n := 1; n <= devices; n++ {
		next := make(map[int]float64, len(alive)+1)
		for failed, p := range alive {
			for add, q := range []float64{1 - rate, rate} {
				k := failed + add
				if n < fewEnded && k >= fewFailures || k >= leastFailed && atLeast(k, n) > 0.01 {
					paused += p * q
				} else if p*q > 1e-12 {
					next[k] += p * q
				}
			}
		}
		alive = next
	}
	return paused
}
