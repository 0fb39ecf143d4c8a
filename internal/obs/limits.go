package obs

import "github.com/prometheus/client_golang/prometheus"

// A Decider counts what it let through and what it refused.
type Decider interface {
	Decisions() (allowed, denied uint64)
}

const (
	decisions     = "rate_limit_decisions_total"
	decisionsHelp = "What rate limits let through and refused, by rule."
)

// CountLimit registers the decisions of a limit under the name of its rule.
func CountLimit(reg prometheus.Registerer, rule string, d Decider) {
	reg.MustRegister(
		prometheus.NewCounterFunc(decided(rule, "allowed"), func() float64 { n, _ := d.Decisions(); return float64(n) }),
		prometheus.NewCounterFunc(decided(rule, "denied"), func() float64 { _, n := d.Decisions(); return float64(n) }),
	)
}

// NewDecisions returns counters for a rule that is not a Decider.
func NewDecisions(rule string) (allowed, denied prometheus.Counter) {
	return prometheus.NewCounter(prometheus.CounterOpts(decided(rule, "allowed"))),
		prometheus.NewCounter(prometheus.CounterOpts(decided(rule, "denied")))
}

func decided(rule, decision string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Name: decisions, Help: decisionsHelp,
		ConstLabels: prometheus.Labels{"rule": rule, "decision": decision}}
}
