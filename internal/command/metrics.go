package command

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	given  prometheus.Counter
	ended  *prometheus.CounterVec
	answer prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		given: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "command_given_total", Help: "Commands to devices that were accepted.",
		}),
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "command_ended_total", Help: "Commands to devices that ended, by their last state.",
		}, []string{"state"}),
		answer: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "command_answer_seconds",
			Help:    "Time from the acceptance of a command until its device had carried it out, or said why not.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 3600},
		}),
	}
	for _, state := range []domain.CommandState{
		domain.CommandDone, domain.CommandFailed, domain.CommandExpired, domain.CommandCancelled,
	} {
		m.ended.WithLabelValues(string(state))
	}
	if reg != nil {
		reg.MustRegister(m.given, m.ended, m.answer)
	}
	return m
}

// end counts a command that has ended now.
func (m *metrics) end(c domain.Command, now time.Time) {
	if c.State.Open() {
		return
	}
	m.ended.WithLabelValues(string(c.State)).Inc()
	if c.State == domain.CommandDone || c.State == domain.CommandFailed {
		m.answer.Observe(now.Sub(c.CreatedAt).Seconds())
	}
}
