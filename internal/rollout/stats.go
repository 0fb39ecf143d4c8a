package rollout

import "math"

// certain is the quantile of the normal distribution for a one-sided certainty of 99 %.
const certain = 2.326

// atLeast is the lower end of the Wilson score interval (E. B. Wilson, 1927): with 99 % certainty, at least this
// share of all devices fails if failed of n have. It is 0 without devices.
func atLeast(failed, n int) float64 {
	if n == 0 {
		return 0
	}
	const z = certain
	p, m := float64(failed)/float64(n), float64(n)
	low := (p + z*z/(2*m) - z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))) / (1 + z*z/m)
	return max(low, 0)
}

// byChance is the probability that at least k of the failed ones are in a group, if n devices ended, failed of
// them failed, and the group has size of them, chosen by chance: Fisher's exact test, one-sided.
func byChance(k, size, failed, n int) float64 {
	p := 0.0
	for i := k; i <= min(size, failed); i++ {
		if n-size >= failed-i {
			p += math.Exp(choose(size, i) + choose(n-size, failed-i) - choose(n, failed))
		}
	}
	return min(p, 1)
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int) float64 { return lfact(n) - lfact(k) - lfact(n-k) }

func lfact(n int) float64 {
	l, _ := math.Lgamma(float64(n) + 1)
	return l
}

// poissonTail is the probability of k or more events where mean are expected.
func poissonTail(k int, mean float64) float64 {
	if k <= 0 {
		return 1
	}
	if mean <= 0 {
		return 0
	}
	below := 0.0
	for i := range k {
		below += math.Exp(float64(i)*math.Log(mean) - mean - lfact(i))
	}
	return max(1-below, 0)
}

// binomialTail is the probability of k or more of n events of which each happens with probability p.
func binomialTail(k, n int, p float64) float64 {
	switch {
	case k <= 0 || p >= 1:
		return 1
	case p <= 0 || k > n:
		return 0
	}
	sum := 0.0
	for i := k; i <= n; i++ {
		sum += math.Exp(choose(n, i) + float64(i)*math.Log(p) + float64(n-i)*math.Log1p(-p))
	}
	return min(sum, 1)
}
