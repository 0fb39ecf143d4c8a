package obs

import "github.com/prometheus/client_golang/prometheus"

// Queue is a place where work waits, and which has an end: what happens there
// when it is full is in docs/architecture.md.
type Queue struct {
	Name  string
	Limit int
	Depth func() int
	// Full tells how often it was full since the start.
	Full func() int64
}

// WatchQueues registers what waits in each of qs.
func WatchQueues(reg prometheus.Registerer, qs ...Queue) {
	for _, q := range qs {
		name := prometheus.Labels{"queue": q.Name}
		reg.MustRegister(
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "queue_depth",
				Help: "Entries that wait in a queue of this process.", ConstLabels: name},
				func() float64 { return float64(q.Depth()) }),
			prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "queue_limit", Help: "Capacity of a queue of this process.",
				ConstLabels: name},
				func() float64 { return float64(q.Limit) }),
			prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "queue_full_total",
				Help: "Entries that were refused or dropped because a queue was full, or the wait too long.", ConstLabels: name},
				func() float64 { return float64(q.Full()) }),
		)
	}
}
