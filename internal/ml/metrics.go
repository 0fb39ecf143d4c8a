package ml

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	restarts *prometheus.CounterVec

	quarantined *prometheus.CounterVec
	rollbacks   *prometheus.CounterVec
	shadows     *prometheus.CounterVec
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
		quarantined: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_quarantined_total", Help: "Inputs that ended two workers of a model and are refused for a while.",
		}, of),
		rollbacks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_rollbacks_total", Help: "Versions of models that the server rolled back by itself, by rule.",
		}, []string{"model", "rule"}),
		shadows: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_shadow_requests_total",
			Help: "Requests that a version was asked as a shadow, by result: same, different, failed or dropped.",
		}, append(of, "result")),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.restarts, m.quarantined, m.rollbacks, m.shadows)
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

// A collector tells of workers and of what waits for them, when it is asked.
type collector struct{ s *Service }

var (
	readyDesc = prometheus.NewDesc("ml_workers_ready", "Workers of models that take requests.",
		[]string{"model", "version"}, nil)
	wantedDesc = prometheus.NewDesc("ml_workers", "Workers that models should have.", []string{"model", "version"}, nil)
	failedDesc = prometheus.NewDesc("ml_version_failed",
		"1 for a version of a model that ended too often or cannot be loaded.", []string{"model", "version"}, nil)
	queueDesc = prometheus.NewDesc("ml_waiting", "Requests that wait for a worker of a model; at most 256.",
		[]string{"model", "version"}, nil)
	percentDesc = prometheus.NewDesc("ml_candidate_percent", "Part of the requests of a model that its candidate answers.",
		[]string{"model", "version"}, nil)
)

// Describe is of prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{readyDesc, wantedDesc, failedDesc, queueDesc, percentDesc} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, p := range c.s.pools() {
		failed, _ := p.failure()
		for d, v := range map[*prometheus.Desc]float64{
			readyDesc: float64(p.ready()), wantedDesc: float64(len(p.slots)), queueDesc: float64(p.waiting.len()),
			failedDesc: map[bool]float64{true: 1}[failed],
		} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, p.labels()...)
		}
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for name, r := range c.s.routings {
		if r.Candidate > 0 && c.s.models[name] != nil {
			to <- prometheus.MustNewConstMetric(percentDesc, prometheus.GaugeValue, float64(r.Percent), name,
				strconv.Itoa(r.Candidate))
		}
	}
}
