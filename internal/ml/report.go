package ml

import (
	"context"
	"fmt"

	"github.com/unhidra/unhidra/internal/domain"
)

// mostProblems bounds the versions that are named to administrators.
const mostProblems = 20

// CheckHealth tells administrators which versions do not run, as a failure if no other version answers in its place,
// and which have drifted.
func (s *Service) CheckHealth(_ context.Context, r *domain.HealthReport) error {
	if s.isAway() {
		r.Fail("models_away", "")
	}
	ready := map[string]bool{}
	var failed []*pool
	for _, p := range s.pools() {
		ready[p.manifest.Name] = ready[p.manifest.Name] || p.ready() > 0
		if is, _ := p.failure(); is && len(failed) < mostProblems {
			failed = append(failed, p)
		}
	}
	for _, p := range failed {
		which := fmt.Sprintf("%s %d", p.manifest.Name, p.manifest.Version)
		if ready[p.manifest.Name] {
			r.Warn("model_failed", which)
		} else {
			r.Fail("model_failed", which)
		}
	}
	drifted := 0
	for _, p := range s.pools() {
		if what := p.drift.worst(); what != "" && !p.unloaded && drifted < mostProblems {
			r.Warn("model_drift", fmt.Sprintf("%s %d: %s", p.manifest.Name, p.manifest.Version, what))
			drifted++
		}
	}
	return nil
}
