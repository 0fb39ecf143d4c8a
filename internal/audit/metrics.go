package audit

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the metrics of the log.
type metrics struct {
	reg      prometheus.Registerer
	records  prometheus.Counter
	dropped  prometheus.Counter
	failures prometheus.Counter
	seconds  prometheus.Histogram
	lag      *prometheus.GaugeVec
	lagTime  *prometheus.GaugeVec
	sent     *prometheus.CounterVec
	retries  *prometheus.CounterVec
	missed   *prometheus.CounterVec
}

// newMetrics registers the metrics of a log with reg, which may be nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	sink := []string{"sink"}
	m := &metrics{
		reg: reg,
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_records_total",
			Help: "Records added to the audit log by this node."}),
		dropped: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_dropped_total",
			Help: "Events that could not be recorded. Anything but 0 is a gap."}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "audit_write_failures_total",
			Help: "Failed commits of the audit log. They are retried."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "audit_commit_seconds",
			Help: "Time of a commit of the audit log.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "audit_sink_lag_records",
			Help: "Records that a receiver has not been sent yet."}, sink),
		lagTime: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "audit_sink_lag_seconds",
			Help: "Age of the oldest record that a receiver has not been sent yet."}, sink),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "audit_sink_sent_total",
			Help: "Records that a receiver has taken."}, sink),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "audit_sink_failures_total",
			Help: "Failed attempts to send records to a receiver."}, sink),
		missed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "audit_sink_dropped_total",
			Help: "Records that were deleted for their age before a receiver could be sent them."}, sink),
	}
	if reg != nil {
		reg.MustRegister(m.records, m.dropped, m.failures, m.seconds, m.lag, m.lagTime, m.sent, m.retries, m.missed)
	}
	return m
}

// watch registers the metrics that are read from the log when they are collected.
func (m *metrics) watch(s *Service) {
	for _, sink := range s.Sinks {
		m.missed.WithLabelValues(sink.Name())
		m.retries.WithLabelValues(sink.Name())
	}
	if m.reg != nil {
		m.reg.MustRegister(prometheus.NewGaugeFunc(
			prometheus.GaugeOpts{Name: "audit_queue_depth", Help: "Events that wait to be committed."},
			func() float64 { return float64(s.waiting.Load()) }))
	}
}
