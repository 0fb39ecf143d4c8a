package rollout

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
)

type metrics struct {
	offers  prometheus.Counter
	updates *prometheus.CounterVec
	turned  *prometheus.CounterVec
	crashes prometheus.Counter
	refused prometheus.Counter
}

func newMetrics(
	reg prometheus.Registerer, tally func(context.Context) (domain.RolloutTally, error),
) *metrics {
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
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "rollout_refused_offers_total",
			Help: "Offers that devices have refused to this node, as a check has failed: each is in the audit log.",
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
		reg.MustRegister(m.offers, m.updates, m.turned, m.crashes, m.refused, newTallies(tally))
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

// tallies tell at each scrape what the store has, of all nodes.
type tallies struct {
	tally                     func(context.Context) (domain.RolloutTally, error)
	rollouts, paused, updates *prometheus.Desc
}

func newTallies(tally func(context.Context) (domain.RolloutTally, error)) *tallies {
	return &tallies{tally: tally,
		rollouts: prometheus.NewDesc("rollout_rollouts", "Rollouts of all nodes, by state.", []string{"state"}, nil),
		paused: prometheus.NewDesc("rollout_paused", "Rollouts of all nodes that are paused, by why: user, failures, lost, "+
			"revision, crashes, flapping, success (too few), release (withdrawn).", []string{"why"}, nil),
		updates: prometheus.NewDesc("rollout_devices",
			"Devices in rollouts that are running, soaking or paused, of all nodes, by the state of their update.",
			[]string{"state"}, nil)}
}

// Describe implements prometheus.Collector.
func (t *tallies) Describe(to chan<- *prometheus.Desc) {
	to <- t.rollouts
	to <- t.paused
	to <- t.updates
}

const tallyTime = 2 * time.Second // for the store to answer a scrape

// Collect implements prometheus.Collector. While the store is away it tells nothing.
func (t *tallies) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), tallyTime)
	defer cancel()
	n, err := t.tally(ctx)
	if err != nil {
		return
	}
	tell := func(d *prometheus.Desc, label string, n int) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), label)
	}
	for _, s := range domain.RolloutStates() {
		tell(t.rollouts, string(s), n.States[s])
	}
	for _, k := range domain.PauseKinds() {
		tell(t.paused, string(k), n.Paused[k])
	}
	for _, s := range domain.UpdateStates() {
		tell(t.updates, string(s), n.Updates[s])
	}
}
