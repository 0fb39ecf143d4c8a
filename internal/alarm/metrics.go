package alarm

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	raised  *prometheus.CounterVec
	cleared prometheus.Counter
	delay   prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		raised: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "alarm_raised_total", Help: "Alarms that this node raised, by severity.",
		}, []string{"severity"}),
		cleared: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "alarm_cleared_total", Help: "Alarms whose end this node found.",
		}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "alarm_delay_seconds",
			Help:    "Time from the storing of a report until it was judged by the rules of its device.",
			Buckets: []float64{.001, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300},
		}),
	}
	for _, severity := range domain.AlarmSeverities() {
		m.raised.WithLabelValues(string(severity))
	}
	if reg != nil {
		reg.MustRegister(m.raised, m.cleared, m.delay)
	}
	return m
}
