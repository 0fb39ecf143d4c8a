// Package autoscale proves that nodes may come and go under load: real nodes behind a
// real nginx, started and drained by a control loop that decides as Kubernetes does.
package autoscale

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"time"
)

// tolerance is how far the ratio of a metric to its target may be from 1 before
// anything happens, by default of the kube-controller-manager.
const tolerance = 0.1

// Behavior limits how fast pods are added or removed.
type Behavior struct {
	Window time.Duration // the most cautious recommendation within it is followed
	Pods   int           // at most so many
	Period time.Duration // in so long
}

// An HPA decides how many pods there are, as a HorizontalPodAutoscaler with one metric
// of type Pods does:
// https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/#algorithm-details
type HPA struct {
	Min, Max int
	Target   float64 // average of the metric over the pods
	Up, Down Behavior

	recommended []recommendation
	changes     []change
}

type recommendation struct {
	at   time.Time
	pods int
}

type change struct {
	at time.Time
	by int
}

// Decide returns how many pods there are to be. There are replicas now, pods that are
// ending not counted, and values has the metric of those that have reported it.
func (h *HPA) Decide(now time.Time, replicas int, values []float64) int {
	pods := h.stabilize(now, replicas, h.recommend(replicas, values))
	pods = min(max(pods, h.Min), h.Max)
	if pods != replicas {
		h.changes = append(h.changes, change{now, pods - replicas})
	}
	return pods
}

// recommend is the number of pods for which the metric would be at its target. A pod
// that has not reported is taken to be idle when pods would be added, and to be at the
// target when some would be removed; with that, the direction must still be the same.
func (h *HPA) recommend(replicas int, values []float64) int {
	if len(values) == 0 {
		return replicas
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	ratio := sum / float64(len(values)) / h.Target
	missing := replicas - len(values)
	if missing == 0 {
		if math.Abs(ratio-1) <= tolerance {
			return replicas
		}
		return int(math.Ceil(ratio * float64(len(values))))
	}
	if ratio < 1 {
		sum += float64(missing) * h.Target
	}
	again := sum / float64(replicas) / h.Target
	if math.Abs(again-1) <= tolerance || (again < 1) != (ratio < 1) {
		return replicas
	}
	return int(math.Ceil(again * float64(replicas)))
}

// stabilize follows the lowest recommendation of the window upwards and the highest
// downwards, and no faster than the policies let it.
func (h *HPA) stabilize(now time.Time, replicas, recommended int) int {
	h.recommended = append(h.recommended, recommendation{now, recommended})
	up, down := recommended, recommended
	for _, r := range h.recommended {
		if now.Sub(r.at) < h.Up.Window {
			up = min(up, r.pods)
		}
		if now.Sub(r.at) < h.Down.Window {
			down = max(down, r.pods)
		}
	}
	switch {
	case up > replicas:
		return min(up, h.before(now, h.Up.Period, replicas)+h.Up.Pods)
	case down < replicas:
		return max(down, h.before(now, h.Down.Period, replicas)-h.Down.Pods)
	}
	return replicas
}

// before returns how many pods there were when the period began that ends now.
func (h *HPA) before(now time.Time, period time.Duration, replicas int) int {
	for _, c := range h.changes {
		if now.Sub(c.at) < period {
			replicas -= c.by
		}
	}
	return replicas
}

// quicker returns b with all its times divided.
func (b Behavior) quicker(by float64) Behavior {
	b.Window = time.Duration(float64(b.Window) / by)
	b.Period = time.Duration(float64(b.Period) / by)
	return b
}

const behavior = `: \{stabilizationWindowSeconds: (\d+), policies: \[\{type: Pods, value: (\d+), periodSeconds: (\d+)\}\]\}`

var behaviors = regexp.MustCompile(
	`(?s)kind: HorizontalPodAutoscaler.*?scaleDown` + behavior + `\s+scaleUp` + behavior)

// ReadBehaviors reads how fast the autoscaler of a manifest of ours may be.
func ReadBehaviors(manifest string) (up, down Behavior, err error) {
	b, err := os.ReadFile(manifest)
	if err != nil {
		return up, down, err
	}
	found := behaviors.FindSubmatch(b)
	if found == nil {
		return up, down, fmt.Errorf("%s has no autoscaler of the form that this test reads", manifest)
	}
	var n [6]int
	for i := range n {
		if n[i], err = strconv.Atoi(string(found[i+1])); err != nil {
			return up, down, err
		}
	}
	seconds := func(n int) time.Duration { return time.Duration(n) * time.Second }
	return Behavior{seconds(n[3]), n[4], seconds(n[5])}, Behavior{seconds(n[0]), n[1], seconds(n[2])}, nil
}
