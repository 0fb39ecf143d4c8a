package hub

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ events, gaps prometheus.Counter }

// newMetrics makes the hub's metrics and registers them with reg, if any. Their
// names are from when the gateway alone delivered; dashboards know them.
func newMetrics(reg prometheus.Registerer, h *Hub) *metrics {
	m := &metrics{
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_events_total", Help: "Events of rooms that were delivered to members on this node.",
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_gap_events_total", Help: "Events that were read from the log because the bus had lost them.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.gaps, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_rooms", Help: "Rooms with members connected to this node.",
		}, func() float64 { return float64(h.RoomCount()) }))
	}
	return m
}
