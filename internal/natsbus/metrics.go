package natsbus

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	published, received, reconnects prometheus.Counter
	lost                            *prometheus.CounterVec
	full, unsent, slow              prometheus.Counter // labels of lost
}

func newMetrics() metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	lost := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "bus_lost_total",
		Help: "Messages that did not go out, because the queue to the NATS server was full (queue_full) or no server was " +
			"there (away), and times that NATS delivered faster than this node took it (slow). The log fills the gaps.",
	}, []string{"because"})
	return metrics{
		published:  counter("bus_published_total", "Messages that were sent to the NATS server."),
		received:   counter("bus_received_total", "Messages of other nodes that came from the NATS server."),
		reconnects: counter("bus_reconnects_total", "Times that the connection to a NATS server came back."),
		lost:       lost,
		full:       lost.WithLabelValues("queue_full"),
		unsent:     lost.WithLabelValues("away"),
		slow:       lost.WithLabelValues("slow"),
	}
}

func (b *Bus) register(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	reg.MustRegister(
		b.metrics.published, b.metrics.received, b.metrics.reconnects, b.metrics.lost,
		gauge("bus_connected", "1 while a NATS server is connected, 0 while none is.", func() float64 {
			if b.nc.IsConnected() {
				return 1
			}
			return 0
		}),
		gauge("bus_queue_length", "Messages that wait to be written to the NATS server.",
			func() float64 { return float64(b.out.waiting()) }),
		gauge("bus_inbound_length", "Messages from the NATS server that wait to be handed on in this node.",
			func() float64 { return float64(len(b.in)) }),
	)
}
