package device

import "github.com/prometheus/client_golang/prometheus"

// watch registers the metrics of the devices that are connected to this process.
func (s *Service) watch(reg prometheus.Registerer) {
	s.connects = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "device_connects_total", Help: "Connections that devices opened, of any transport.",
	})
	if reg == nil {
		return
	}
	reg.MustRegister(s.connects, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "device_connected", Help: "Devices that are connected to this node, and were heard within 2.5 heartbeats.",
	}, func() float64 { return float64(s.live.count()) }))
}

// count returns how many devices are online by their connections to this process.
func (l *live) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.devices {
		if !c.silent {
			n++
		}
	}
	return n
}
