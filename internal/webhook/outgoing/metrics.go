package outgoing

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// What became of attempts to deliver.
const (
	resultDelivered = "delivered"
	resultFailed    = "failed"  // no answer, or one that says to try again
	resultRefused   = "refused" // the receiver does not want it
	resultGone      = "gone"    // the receiver has ended
	resultDropped   = "dropped" // it waited for too long, or its event was deleted
)

// What became of slash commands; of one whose answer cannot be used, resultRefused.
const (
	resultAnswered = "answered" // to who wrote it
	resultPosted   = "posted"   // to the room
	resultLate     = "late"     // no answer in time
	resultAway     = "away"     // the receiver cannot be reached
)

type metrics struct {
	queue   Queue
	sent    *prometheus.CounterVec
	took    prometheus.Histogram
	delay   prometheus.Histogram
	asked   *prometheus.CounterVec
	waited  prometheus.Histogram
	waiting *prometheus.Desc
	late    *prometheus.Desc
	failing *prometheus.Desc
	off     *prometheus.Desc
}

func newMetrics(reg prometheus.Registerer, queue Queue) *metrics {
	gauge := func(name, help string) *prometheus.Desc { return prometheus.NewDesc(name, help, nil, nil) }
	m := &metrics{
		queue: queue,
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "webhook_deliveries_total",
			Help: "Attempts to deliver to receivers of outgoing webhooks, by what became of them."}, []string{"result"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "webhook_delivery_seconds",
			Help:    "Time that a receiver of an outgoing webhook took for one delivery.",
			Buckets: []float64{.005, .02, .1, .5, 1, 3, 8, 15}}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "webhook_delay_seconds",
			Help:    "Time from an event until the receiver of an outgoing webhook took it.",
			Buckets: []float64{.05, .2, 1, 5, 30, 300, 3600, 21600, 86400}}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "webhook_commands_total",
			Help: "Slash commands that receivers were asked for, by what became of them."}, []string{"result"}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "webhook_command_seconds",
			Help:    "Time that a receiver of a slash command took for its first answer.",
			Buckets: []float64{.005, .02, .1, .3, 1, 2, 3}}),
		waiting: gauge("webhook_deliveries_waiting", "Deliveries of outgoing webhooks that wait."),
		late:    gauge("webhook_late_seconds", "How long the outgoing webhook that is due for longest has been so."),
		failing: gauge("webhook_receivers_failing", "Outgoing webhooks whose receivers take nothing at present."),
		off:     gauge("webhook_receivers_off", "Outgoing webhooks that were switched off because their receivers failed."),
	}
	for _, result := range []string{resultDelivered, resultFailed, resultRefused, resultGone, resultDropped} {
		m.sent.WithLabelValues(result)
	}
	for _, result := range []string{resultAnswered, resultPosted, resultLate, resultAway, resultRefused} {
		m.asked.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.sent, m.took, m.delay, m.asked, m.waited, m)
	}
	return m
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.waiting, m.late, m.failing, m.off} {
		to <- d
	}
}

// Collect implements prometheus.Collector. While the store is away it tells nothing.
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), cleanup)
	defer cancel()
	u, err := m.queue.HookUsage(ctx, time.Now())
	if err != nil {
		return
	}
	for d, v := range map[*prometheus.Desc]float64{m.waiting: float64(u.Waiting), m.late: u.Late.Seconds(),
		m.failing: float64(u.Failing), m.off: float64(u.Off)} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
}
