package ml

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	restarts *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	of := []string{"model", "version"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_requests_total", Help: "Requests to models, by outcome: ok, invalid, unavailable or internal.",
		}, append(of, "outcome")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ml_request_duration_seconds", Help: "Time that a request to a model takes, with its time in the queue.",
			Buckets: []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30},
		}, of),
		restarts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_worker_deaths_total", Help: "Workers of models that ended, or were ended, without being asked.",
		}, of),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.restarts)
	}
	return m
}

func (m *metrics) count(p *pool, err error) {
	outcome := "ok"
	if err != nil {
		outcome = string(domain.KindOf(err))
	}
	m.requests.WithLabelValues(append(p.labels(), outcome)...).Inc()
}

func (m *metrics) took(p *pool, d time.Duration) {
	m.seconds.WithLabelValues(p.labels()...).Observe(d.Seconds())
}
