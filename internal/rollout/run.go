package rollout

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

const pruneEvery = time.Hour

// Decide has rollouts go on, until ctx is done. Several nodes may do that at the same time: each decision is made once.
func (s *Service) Decide(ctx context.Context) error {
	decide, prune := time.NewTicker(s.Every), time.NewTicker(pruneEvery)
	defer decide.Stop()
	defer prune.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-decide.C:
			s.DecideAll(ctx)
		case <-prune.C:
			s.prune(ctx)
		}
	}
}

// DecideAll decides once about each rollout that there is something to decide about.
func (s *Service) DecideAll(ctx context.Context) {
	ids, err := s.Store.Undecided(ctx, s.Now())
	for _, id := range ids {
		if err == nil {
			err = s.decide(ctx, id)
		}
	}
	if err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "decide about rollouts; will try again", "err", err)
	}
}

func (s *Service) decide(ctx context.Context, id string) error {
	r, err := s.Store.Rollout(ctx, id)
	if err != nil {
		return err
	}
	rivals, err := s.Store.Live(ctx, r.Owner, r.Name)
	if err != nil {
		return err
	}
	y, err := s.rulesFor(ctx, append(rivals, r)...)
	if err != nil {
		return err
	}
	done, err := s.Store.Decide(ctx, id, y, s.Now())
	if err != nil {
		return err
	}
	s.follow(ctx, done)
	return nil
}

// follow does what follows from a decision that is stored. What is lost of it, because this process ends, others find.
func (s *Service) follow(ctx context.Context, done domain.RolloutDecided) {
	s.metrics.ended(done.Ended...)
	for _, u := range done.Offers {
		s.announce(u)
	}
	if !done.Changed() {
		return
	}
	r := done.After
	s.metrics.turned.WithLabelValues(string(r.State)).Inc()
	details := map[string]string{"state": string(r.State), "version": r.Version}
	if r.State == domain.RolloutPaused {
		details["why"] = string(r.Pause.Kind)
	}
	s.Audit.Record(ctx, domain.AuditEvent{Type: domain.AuditRollout, Actor: domain.AuditActor{Kind: "server"},
		Target: domain.AuditTarget{Kind: "rollout", ID: r.ID}, Details: details})
}

func (s *Service) prune(ctx context.Context) {
	for more := true; more; {
		var err error
		if more, err = s.Updates.PruneCrashes(ctx, s.Now().Add(-domain.CrashesKept)); err != nil {
			if ctx.Err() == nil {
				s.Log.WarnContext(ctx, "forget crashes of long ago", "err", err)
			}
			return
		}
	}
}
