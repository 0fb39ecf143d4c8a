package gateway

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/obs"
)

type metrics struct {
	handshakes  *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	delivery    prometheus.Histogram
	requests    decisions // of one connection
}

// decisions count what a limit let through and refused.
type decisions struct{ allowed, denied prometheus.Counter }

func (d decisions) count(allowed bool) {
	if allowed {
		d.allowed.Inc()
		return
	}
	d.denied.Inc()
}

// reasons are those for which connections end; alerts tell them apart.
var reasons = []string{
	"age", "client", "error", "gone", "lost", "malformed", "protocol", "rate", "renewed", "restart", "revoked", "slow",
	"timeout", "token",
}

// newMetrics makes the gateway's metrics and registers them with reg, if any.
func newMetrics(reg prometheus.Registerer, g *Service) *metrics {
	m := &metrics{
		handshakes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_handshakes_total", Help: "WebSocket handshakes by the HTTP status that answered them.",
		}, []string{"code"}),
		disconnects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_disconnects_total", Help: "Connections that ended, by the reason.",
		}, []string{"reason"}),
		delivery: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "gateway_message_delivery_duration_seconds",
			Help:    "Time from an event's acceptance to its being written to members' sockets, once per event and 64 members.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
	}
	for _, why := range reasons { // so that the first of a kind is an increase
		m.disconnects.WithLabelValues(why)
	}
	m.requests.allowed, m.requests.denied = obs.NewDecisions("requests_of_connection")
	g.flushers.delivered = func(s float64, traceID string) { obs.Observe(m.delivery, s, traceID) }
	if reg == nil {
		return m
	}
	obs.CountLimit(reg, "handshakes_of_address", g.byAddr)
	obs.CountLimit(reg, "handshakes_of_user", g.byUser)
	obs.CountLimit(reg, "messages_of_user", g.messages)
	obs.CountLimit(reg, "requests_of_user", g.requests)
	obs.CountLimit(reg, "requests_of_devices", g.deviceRequests)
	obs.CountLimit(reg, "typing_of_user", g.typing)
	reg.MustRegister(m.handshakes, m.disconnects, m.delivery, m.requests.allowed, m.requests.denied,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_connections", Help: "Open WebSocket connections.",
		}, func() float64 { return float64(g.conns.count.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_send_queue_bytes", Help: "Bytes queued for writing to connections.",
		}, func() float64 { return float64(g.queued()) }),
	)
	return m
}

func (g *Service) queued() int {
	n := 0
	for _, c := range g.allConns() {
		n += c.size()
	}
	return n
}
