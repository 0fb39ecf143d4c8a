package notify

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	decided *prometheus.CounterVec
	sent    *prometheus.CounterVec
	delay   prometheus.Histogram
}

// What became of attempts to send a push.
const (
	resultSent    = "sent"
	resultGone    = "gone"    // the subscription has ended
	resultRefused = "refused" // the push service took it not, for a reason that a retry may not change
	resultFailed  = "failed"  // it did not answer, or had too much to do
	resultDropped = "dropped" // it waited for too long
)

// decidedReasons are all for which somebody is told of a message or a report, in the order in which they are looked at.
func decidedReasons() []domain.NotifyReason {
	return []domain.NotifyReason{domain.NotifiedDirect, domain.NotifiedMention, domain.NotifiedThread, domain.NotifiedRoom,
		domain.NotifiedKeyword, domain.NotifiedAll, domain.NotifiedReport}
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		decided: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "notifications_total", Help: "Messages and reports that somebody is told of, by the reason.",
		}, []string{"reason"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "push_sends_total", Help: "Attempts to send a push, by what became of them.",
		}, []string{"result"}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "push_delay_seconds",
			Help:    "Time from the decision to tell somebody until a push service took the push.",
			Buckets: []float64{.01, .05, .1, .5, 1, 5, 30, 120, 600, 3600, 28800},
		}),
	}
	for _, reason := range decidedReasons() {
		m.decided.WithLabelValues(string(reason))
	}
	for _, result := range []string{resultSent, resultGone, resultRefused, resultFailed, resultDropped} {
		m.sent.WithLabelValues(result)
	}
	if reg != nil {
		reg.MustRegister(m.decided, m.sent, m.delay)
	}
	return m
}

// watchWaiting registers how many pushes wait in the store.
func (s *Service) watchWaiting() {
	if s.Metrics == nil {
		return
	}
	s.Metrics.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "push_waiting", Help: "Pushes that wait: for a push service, or until their user may be disturbed.",
	}, func() float64 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := s.Store.Waiting(ctx)
		if err != nil {
			return -1
		}
		return float64(n)
	}))
}
