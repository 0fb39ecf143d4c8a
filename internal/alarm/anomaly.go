package alarm

import (
	"math"
	"slices"
)

const (
	usualMost  = 256  // values that one is compared with
	usualLeast = 32   // before so many nothing is odd
	renewEvery = 8    // values after which the median is taken anew
	scoreMost  = 1000 // where the values before were all the same
	// madToDeviation makes of the median absolute deviation the standard deviation of a normal distribution.
	madToDeviation = 1.4826
	// meanToDeviation does so of the mean absolute deviation.
	meanToDeviation = 1.2533
)

// usual knows the last values of a sensor, and what is usual among them.
type usual struct {
	values []float64 // a ring, once there are usualMost
	next   int
	since  int // values since the median was taken

	median, spread float64 // spread is as a standard deviation, and not moved by outliers
}

// score returns how many times its usual spread v is away from the usual (the robust z-score: by median and
// median absolute deviation), and the value on v's side that has the score limit. Then v is one of the last
// values itself: what stays becomes usual, after half of usualMost.
func (u *usual) score(v, limit float64) (score, border float64) {
	if len(u.values) >= usualLeast {
		if u.since == 0 {
			u.renew()
		}
		u.since = (u.since + 1) % renewEvery
		score, border = u.of(v, limit)
	}
	if len(u.values) < usualMost {
		u.values = append(u.values, v)
	} else {
		u.values[u.next] = v
		u.next = (u.next + 1) % usualMost
	}
	return score, border
}

func (u *usual) of(v, limit float64) (score, border float64) {
	away := math.Abs(v - u.median)
	border = u.median + math.Copysign(limit*u.spread, v-u.median)
	switch {
	case away == 0:
		return 0, border
	case u.spread == 0:
		return scoreMost, border
	}
	return min(away/u.spread, scoreMost), border
}

func (u *usual) renew() {
	sorted := slices.Sorted(slices.Values(u.values))
	u.median = middle(sorted)
	sum := 0.0
	for i, v := range sorted {
		sorted[i] = math.Abs(v - u.median)
		sum += sorted[i]
	}
	slices.Sort(sorted)
	u.spread = middle(sorted) * madToDeviation
	if u.spread == 0 { // more than half are the same
		u.spread = sum / float64(len(sorted)) * meanToDeviation
	}
}

// middle is the median of sorted values.
func middle(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
