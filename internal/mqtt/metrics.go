package mqtt

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/obs"
)

type metrics struct {
	connects    *prometheus.CounterVec
	disconnects *prometheus.CounterVec
	dropped     *prometheus.CounterVec
	received    [3]prometheus.Counter // by QoS
	sent        [3]prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, s *Service) *metrics {
	counter := func(name, help, label string, values ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{label})
		for _, value := range values { // so that the first of a kind is an increase
			v.WithLabelValues(value)
		}
		return v
	}
	received := counter("mqtt_messages_received_total", "MQTT messages that clients published, by QoS.", "qos")
	sent := counter("mqtt_messages_sent_total", "MQTT messages that were sent to subscribers, by QoS.", "qos")
	m := &metrics{
		connects: counter("mqtt_connects_total", "MQTT connections by what came of them.", "result",
			"accepted", "refused", "unavailable", "limit", "gone"),
		disconnects: counter("mqtt_disconnects_total", "MQTT connections that ended, by the reason.", "reason",
			"client", "gone", "lost", "protocol", "restart", "revoked", "slow", "taken_over", "timeout", "token", "unavailable"),
		dropped: counter("mqtt_messages_dropped_total", "MQTT messages that were not passed on, by the reason.", "reason",
			"expired", "queue", "refused", "slow", "too_large", "unavailable"),
	}
	for q := range 3 {
		m.received[q] = received.WithLabelValues(strconv.Itoa(q))
		m.sent[q] = sent.WithLabelValues(strconv.Itoa(q))
	}
	if reg == nil {
		return m
	}
	obs.CountLimit(reg, "mqtt_refused_of_address", s.byAddr)
	obs.CountLimit(reg, "mqtt_connects_of_user", s.byUser)
	reg.MustRegister(m.connects, m.disconnects, m.dropped, received, sent,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "mqtt_connections", Help: "Open MQTT connections.",
		}, func() float64 { s.mu.Lock(); defer s.mu.Unlock(); return float64(len(s.conns)) }),
	)
	return m
}
