package hub

import "github.com/prometheus/client_golang/prometheus"

type metrics struct{ events, gaps, resets prometheus.Counter }

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
		resets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_resets_total",
			Help: "Rooms whose members here had to load them again, because events that they needed were purged or restored.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.events, m.gaps, m.resets, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_rooms_behind", Help: "Rooms with members here that wait for events to be read from the log.",
		}, func() float64 { return float64(h.reads.len()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_rooms", Help: "Rooms with members connected to this node.",
		}, func() float64 { return float64(h.RoomCount()) }))
	}
	return m
}
