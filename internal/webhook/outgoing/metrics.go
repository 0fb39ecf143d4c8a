package outgoing

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
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
	failFor *prometheus.Desc
	oldest  *prometheus.Desc
	off     *prometheus.Desc
}

func newMetrics(reg prometheus.Registerer, queue Queue) *metrics {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
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
		failFor: gauge("webhook_failing_seconds",
			"For how long the receiver that takes nothing for longest has taken nothing; 0: none fails."),
		oldest: gauge("webhook_oldest_seconds", "Age of the oldest event that waits for the receiver of an outgoing webhook, "+
			"by whether the receiver is taking events at present or failing; 0: none waits.", "receiver"),
		off: gauge("webhook_receivers_off", "Outgoing webhooks that are off, by why: an admin of the room (admin), three "+
			"days of failures (failed), the receiver's 410 (gone), or whoever made it is in the room no more (left).", "why"),
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
	for _, d := range []*prometheus.Desc{m.waiting, m.late, m.failing, m.failFor, m.oldest, m.off} {
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
	tell := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	tell(m.waiting, float64(u.Waiting))
	tell(m.late, u.Late.Seconds())
	tell(m.failing, float64(u.Failing))
	tell(m.failFor, u.FailingFor.Seconds())
	tell(m.oldest, u.Oldest.Seconds(), "taking")
	tell(m.oldest, u.OldestFailed.Seconds(), "failing")
	for _, why := range domain.HookOffs {
		tell(m.off, float64(u.Off[why]), string(why))
	}
}
