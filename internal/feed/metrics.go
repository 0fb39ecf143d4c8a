package feed

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A Lag says how far a consumer is behind.
type Lag struct {
	Consumer string
	// Oldest is when the oldest entry was committed that the consumer has not had; zero
	// if it has had all.
	Oldest      time.Time
	DeadLetters int64 // entries that are set aside
}

// Metrics count what consumers do. They are an Observer.
type Metrics struct {
	lags        func(ctx context.Context) ([]Lag, error)
	lag         *prometheus.Desc
	deadLetters *prometheus.Desc
	handled     *prometheus.CounterVec
	failures    *prometheus.CounterVec
}

const lagTime = 2 * time.Second // for the store to answer a scrape

// NewMetrics registers the metrics of a feed with reg. Each scrape asks lags,
// which also knows of consumers that nobody runs.
func NewMetrics(reg prometheus.Registerer, lags func(ctx context.Context) ([]Lag, error)) *Metrics {
	label := []string{"consumer"}
	m := &Metrics{
		lags: lags,
		lag: prometheus.NewDesc("feed_lag_seconds",
			"Age of the oldest event that a consumer of the feed has not had.", label, nil),
		deadLetters: prometheus.NewDesc("feed_set_aside",
			"Events that a consumer of the feed could not handle, and that wait for an operator.", label, nil),
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "feed_handled_total",
			Help: "Events that a consumer of the feed has handled."}, label),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "feed_failures_total",
			Help: "Failed attempts of a consumer of the feed."}, label),
	}
	reg.MustRegister(m, m.handled, m.failures)
	return m
}

// Describe implements prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.lag
	to <- m.deadLetters
}

// Collect implements prometheus.Collector. While the store is away it tells nothing.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), lagTime)
	defer cancel()
	lags, err := m.lags(ctx)
	if err != nil {
		return
	}
	for _, l := range lags {
		age := 0.0
		if !l.Oldest.IsZero() {
			age = max(0, time.Since(l.Oldest).Seconds())
		}
		to <- prometheus.MustNewConstMetric(m.lag, prometheus.GaugeValue, age, l.Consumer)
		to <- prometheus.MustNewConstMetric(m.deadLetters, prometheus.GaugeValue, float64(l.DeadLetters), l.Consumer)
	}
}

// Handled counts entries.
func (m *Metrics) Handled(consumer string, n int) {
	m.handled.WithLabelValues(consumer).Add(float64(n))
}

// Failed counts a failure.
func (m *Metrics) Failed(consumer string) { m.failures.WithLabelValues(consumer).Inc() }
