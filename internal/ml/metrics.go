package ml

import (
	"math"
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
	chunks      *prometheus.CounterVec
	cancelled   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	of := []string{"model", "version"}
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_requests_total", Help: "Requests to models, by outcome: ok, invalid, unavailable or internal.",
		}, append(of, "outcome")),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "ml_request_duration_seconds", Help: "Time that a request to a model takes, with its time in the queue; " +
				"of a stream, to its first chunk.",
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
		chunks: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_stream_chunks_total", Help: "Chunks of answers that models gave in streams.",
		}, of),
		cancelled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ml_streams_cancelled_total",
			Help: "Streams of models that whoever asked left before their end; ml_requests_total has them as ok.",
		}, of),
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.seconds, m.restarts, m.quarantined, m.rollbacks, m.shadows, m.chunks, m.cancelled)
	}
	return m
}

// begin has the series of a version be there before anything happens: what appears with its first failure looks as
// if there had been none.
func (m *metrics) begin(p *pool) {
	for _, outcome := range []domain.Kind{outcomeOK, domain.Invalid, domain.Unavailable, domain.Internal} {
		m.requests.WithLabelValues(append(p.labels(), string(outcome))...)
	}
	for _, result := range []string{"same", "different", "failed", "dropped"} {
		m.shadows.WithLabelValues(append(p.labels(), result)...)
	}
	for _, rule := range []string{ruleDeaths, ruleFailed, ruleErrors, ruleLatency} {
		m.rollbacks.WithLabelValues(p.manifest.Name, rule)
	}
	m.seconds.WithLabelValues(p.labels()...)
	m.restarts.WithLabelValues(p.labels()...)
	m.quarantined.WithLabelValues(p.labels()...)
	m.chunks.WithLabelValues(p.labels()...)
	m.cancelled.WithLabelValues(p.labels()...)
}

// outcomeOK stands beside the kinds of errors.
const outcomeOK domain.Kind = "ok"

func (m *metrics) count(p *pool, err error) {
	outcome := outcomeOK
	if err != nil {
		outcome = domain.KindOf(err)
	}
	m.requests.WithLabelValues(append(p.labels(), string(outcome))...).Inc()
}

func (m *metrics) took(p *pool, d time.Duration) {
	m.seconds.WithLabelValues(p.labels()...).Observe(d.Seconds())
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
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
	memoryDesc = prometheus.NewDesc("ml_memory_bytes",
		"Memory that the workers of a model take, all together; 0: the system does not say.",
		[]string{"model", "version"}, nil)
	roomDesc = prometheus.NewDesc("ml_memory_limit_bytes",
		"Memory that the workers of a model may take, all together; one that takes more than its part is replaced.",
		[]string{"model", "version"}, nil)
	awayDesc  = prometheus.NewDesc("ml_away", "1 if models are on and none can run, as without Python.", nil, nil)
	driftDesc = prometheus.NewDesc("ml_drift",
		"How far what a model is asked or answers is from what it was (population stability index: below 0.1 little, from "+
			"0.25 much); NaN: there is not enough to say.", []string{"model", "version", "what"}, nil)
	percentDesc = prometheus.NewDesc("ml_candidate_percent", "Part of the requests of a model that its candidate answers.",
		[]string{"model", "version"}, nil)
)

// Describe is of prometheus.Collector.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		readyDesc, wantedDesc, failedDesc, queueDesc, memoryDesc, roomDesc, awayDesc, percentDesc, driftDesc,
	} {
		to <- d
	}
}

// Collect is of prometheus.Collector.
func (c collector) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(awayDesc, prometheus.GaugeValue, oneIf(c.s.isAway()))
	for _, p := range c.s.pools() {
		failed, _ := p.failure()
		for d, v := range map[*prometheus.Desc]float64{
			readyDesc: float64(p.ready()), wantedDesc: float64(len(p.slots)), queueDesc: float64(p.waiting.len()),
			failedDesc: oneIf(failed), memoryDesc: float64(p.memory()), roomDesc: float64(len(p.slots)) * float64(p.room()),
		} {
			to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, p.labels()...)
		}
		for _, v := range p.drift.views() {
			index := math.NaN()
			if v.Index != nil {
				index = *v.Index
			}
			to <- prometheus.MustNewConstMetric(driftDesc, prometheus.GaugeValue, index, append(p.labels(), v.what())...)
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
