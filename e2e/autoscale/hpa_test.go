package autoscale

import (
	"slices"
	"testing"
	"time"
)

const manifest = "../../deploy/kubernetes/overlays/cluster/unhidra.yaml"

func each(n int, value float64) (values []float64) {
	for range n {
		values = append(values, value)
	}
	return values
}

// The number of pods is that for which the average meets the target, as the page of
// Kubernetes on the algorithm has it.
func TestRecommendation(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		pods   int
		values []float64
		want   int
	}{
		{"at the target", 3, each(3, 100), 3},
		{"twice the target", 3, each(3, 200), 6},
		{"half of the target", 4, each(4, 50), 2},
		{"rounded up", 3, each(3, 134), 5},
		{"within the tolerance above", 3, each(3, 109), 3},
		{"within the tolerance below", 3, each(3, 91), 3},
		{"beyond the tolerance", 3, each(3, 112), 4},
		{"by the average, however uneven", 3, []float64{290, 5, 5}, 3},
		{"no pod has reported", 3, nil, 3},
		{"one that has not reported is idle when pods are added", 4, each(3, 200), 6},
		{"and at its target when some are removed", 4, each(3, 20), 2},
		{"one that has not reported turns nothing around", 4, each(3, 120), 4},
		{"no load", 5, each(5, 0), 0},
	} {
		h := &HPA{Target: 100}
		if got := h.recommend(c.pods, c.values); got != c.want {
			t.Errorf("%s: %d pods, want %d", c.name, got, c.want)
		}
	}
}

// Pods are added and removed as the windows and policies of the chart let them be,
// and there are never fewer than the minimum.
func TestBehavior(t *testing.T) {
	t.Parallel()
	up, down, err := ReadBehaviors(manifest)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Behavior{30 * time.Second, 2, time.Minute}); up != want {
		t.Errorf("up %v, want %v", up, want)
	}
	if want := (Behavior{10 * time.Minute, 1, 5 * time.Minute}); down != want {
		t.Errorf("down %v, want %v", down, want)
	}
	h := &HPA{Min: 3, Max: 8, Target: 100, Up: up, Down: down}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	pods := 3
	type step struct{ second, pods int }
	var steps []step
	for second := 0; second <= 4000; second += 15 {
		load := 300.0 // of all pods
		switch {
		case second >= 600:
			load = 10
		case second >= 60 && second != 300: // a moment's dip
			load = 2000
		}
		next := h.Decide(start.Add(time.Duration(second)*time.Second), pods, each(pods, load/float64(pods)))
		if next != pods {
			steps = append(steps, step{second, next})
		}
		pods = next
	}
	// The last high recommendation is that of second 585.
	want := []step{{75, 5}, {135, 7}, {195, 8}, {1185, 7}, {1485, 6}, {1785, 5}, {2085, 4}, {2385, 3}}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}
