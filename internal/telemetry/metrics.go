package telemetry

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	readings, accepted, duplicates, unacknowledged prometheus.Counter
	forwarded, forwardRefused, forwardFailures     prometheus.Counter
	refused, clocks                                *prometheus.CounterVec
	commit                                         prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		readings:   counter("telemetry_readings_total", "Values of devices that were stored."),
		accepted:   counter("telemetry_reports_total", "Reports of devices that were stored."),
		duplicates: counter("telemetry_duplicate_reports_total", "Reports that devices sent although they were stored."),
		unacknowledged: counter("telemetry_unacknowledged_reports_total",
			"Reports that were not taken, and must be sent again: too many, or no room or database for them."),
		forwarded: counter("telemetry_forwarded_total", "Values that the receiver of remote write has taken."),
		forwardRefused: counter("telemetry_forward_refused_total",
			"Values that the receiver of remote write will never take: too old for it, or it has another one of that time."),
		forwardFailures: counter("telemetry_forward_failures_total",
			"Requests of remote write that failed and are repeated."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "telemetry_refused_readings_total",
			Help: "Values of devices that were refused for good, by reason."}, []string{"reason"}),
		clocks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "telemetry_clocks_total",
			Help: "Requests of devices whose reports tell something about their clock, by what it is: right (within a minute), " +
				"ahead, behind, unset since the device started."}, []string{"clock"}),
		commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "telemetry_commit_seconds",
			Help:    "Time until the reports of a request were durable.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
	}
	for _, reason := range domain.RefusalReasons() {
		m.refused.WithLabelValues(string(reason))
	}
	for _, clock := range []string{clockRight, clockAhead, clockBehind, clockUnset} {
		m.clocks.WithLabelValues(clock)
	}
	if reg != nil {
		reg.MustRegister(m.readings, m.accepted, m.duplicates, m.unacknowledged, m.refused, m.clocks, m.commit,
			m.forwarded, m.forwardRefused, m.forwardFailures)
	}
	return m
}
