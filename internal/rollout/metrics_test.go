package rollout

import (
	"maps"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// gauges returns the samples of a metric with one label that are not 0.
func gauges(t *testing.T, reg *prometheus.Registry, name string) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if v := m.GetGauge().GetValue(); f.GetName() == name && v != 0 {
				found[m.GetLabel()[0].GetValue()] = v
			}
		}
	}
	return found
}

// An operator sees how many rollouts there are, why some are paused, and where the devices in them are.
func TestMetricsCountRolloutsAndTheirDevices(t *testing.T) {
	t.Parallel()
	testkit.EachStore(t, func(t *testing.T, db *all.Store) {
		f := newFleet(t, db, 25)
		reg := prometheus.NewRegistry()
		newMetrics(reg, db.Rollouts.Tally)
		expect := func(name string, want map[string]float64) {
			t.Helper()
			if got := gauges(t, reg, name); !maps.Equal(got, want) {
				t.Errorf("%s: %v", name, got)
			}
		}
		expect("rollout_rollouts", nil)
		for _, l := range f.devices {
			l.breaks = func(*lamp) bool { return true }
		}
		r := f.until(f.begin(quick()), domain.RolloutPaused)
		expect("rollout_rollouts", map[string]float64{"paused": 1})
		expect("rollout_paused", map[string]float64{string(r.Pause.Kind): 1})
		if r.Pause.Kind == domain.PausedByUser || gauges(t, reg, "rollout_devices")["rolled_back"] < 2 {
			t.Errorf("it is paused by %s, with devices %v", r.Pause.Kind, gauges(t, reg, "rollout_devices"))
		}
		if _, err := f.s.Do(t.Context(), f.who(1), r.ID, Order{Action: Abort}); err != nil {
			t.Fatal(err)
		}
		expect("rollout_rollouts", map[string]float64{"aborted": 1})
		expect("rollout_paused", nil)
		expect("rollout_devices", nil)
	})
}
