package rollout

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	offers  prometheus.Counter
	updates *prometheus.CounterVec
	turned  *prometheus.CounterVec
	crashes prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		offers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollout_offers_total", Help: "Offers of firmware that this node has told devices of.",
		}),
		updates: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollout_updates_total", Help: "Updates of devices whose end this node has found, by how they ended.",
		}, []string{"state"}),
		turned: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "rollout_turns_total", Help: "Times that this node has moved a rollout on, by the state that it came to.",
		}, []string{"state"}),
		crashes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "device_crashes_total", Help: "Crashes that devices have told this node of.",
		}),
	}
	for _, state := range domain.UpdateStates() {
		if !state.Open() {
			m.updates.WithLabelValues(string(state))
		}
	}
	for _, state := range domain.RolloutStates() {
		m.turned.WithLabelValues(string(state))
	}
	if reg != nil {
		reg.MustRegister(m.offers, m.updates, m.turned, m.crashes)
	}
	return m
}

// ended counts updates that have just ended.
func (m *metrics) ended(of ...domain.Update) {
	for _, u := range of {
		if !u.State.Open() && u.EndedAt.Equal(u.ChangedAt) {
			m.updates.WithLabelValues(string(u.State)).Inc()
		}
	}
}
