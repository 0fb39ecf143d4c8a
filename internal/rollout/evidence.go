package rollout

import (
	"cmp"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// How much evidence a rollout needs to pause by itself. docs/rollouts.md says how often that is wrong.
const (
	fewEnded     = 10 // of fewer devices, two failures are enough
	fewFailures  = 2
	leastFailed  = 4    // of more
	leastLost    = 2    // devices that did not come back
	lostWeight   = 2    // the share of these that is borne, in shares of failures
	leastOfGroup = 3    // on one revision of the hardware
	groupShare   = 0.10 // that fails there at least
	notByChance  = 0.01 // a revision alone pauses a rollout if it stands out less probably than this by chance
	leastCrashes = 5
	crashDevices = 2     // that the crashes are of, at least
	crashChance  = 0.001 // the same for crashes, which are looked at over and over
)

// evidence says why a rollout is to pause; the zero value: for no reason.
func evidence(r domain.Rollout, c domain.RolloutCounts) domain.RolloutPause {
	all := sum(c.Ended)
	worst, chance := standsOut(c.Ended)
	p := pauseFor(domain.PausedFailures, all, c)
	borne := r.Plan.Judge.Failures
	switch {
	case all.lost >= leastLost && atLeast(all.lost, all.n) > lostWeight*borne:
		p.Kind, p.Failed, p.AtLeast = domain.PausedLost, all.lost, atLeast(all.lost, all.n)
	case worst.failed >= leastOfGroup && chance <= notByChance &&
		atLeast(worst.failed, worst.n) > max(groupShare, borne):
		p = pauseFor(domain.PausedRevision, worst, c)
	case all.n < fewEnded && all.failed >= fewFailures && float64(all.failed) > borne*float64(all.n):
	case all.failed >= leastFailed && p.AtLeast > borne:
	default:
		if p := crashes(r, c.Health); p.Kind != "" {
			return p
		}
		return flapping(r, c.Health.Flapping)
	}
	p.Reason = mostGiven(c.Ended, p)
	return p
}

func pauseFor(kind domain.PauseKind, o outcome, c domain.RolloutCounts) domain.RolloutPause {
	p := domain.RolloutPause{Kind: kind, Failed: o.failed, Of: o.n, AtLeast: atLeast(o.failed, o.n)}
	worst, chance := standsOut(c.Ended)
	if worst.failed > 0 {
		p.Revision, p.Chance = &worst.hardware, chance
	}
	return p
}

// tooFew says why a rollout whose stage was watched for long enough does not go on; the zero value: it does. A
// single device stops nothing.
func tooFew(r domain.Rollout, c domain.RolloutCounts) domain.RolloutPause {
	all := sum(c.Ended)
	rejected := 0
	for _, g := range c.Ended {
		if g.State == domain.UpdateRejected {
			rejected += g.Count
		}
	}
	good, n := all.n-all.failed, all.n+rejected
	if n-good < fewFailures || float64(good) >= r.Plan.Judge.Success*float64(n) {
		return domain.RolloutPause{}
	}
	p := pauseFor(domain.PausedSuccess, all, c)
	p.Failed, p.Of = n-good, n
	p.Reason = mostGiven(c.Ended, p)
	return p
}

// crashes says whether devices crash more often than they did: more often than is borne in any case, and more
// than CrashRatio times as often as the same devices did before, neither by chance.
func crashes(r domain.Rollout, h domain.RolloutHealth) domain.RolloutPause {
	hours, before := h.Ran.Hours(), h.RanBefore.Hours()
	j := r.Plan.Judge
	if h.Crashes < leastCrashes || h.Devices < crashDevices || poissonTail(h.Crashes, j.Crashes*hours) > crashChance {
		return domain.RolloutPause{}
	}
	// Of all crashes, this share would be with the release if it were CrashRatio times as bad.
	share := j.CrashRatio * hours / (j.CrashRatio*hours + before)
	if before > 0 && binomialTail(h.Crashes, h.Crashes+h.CrashesBefore, share) > crashChance {
		return domain.RolloutPause{}
	}
	return domain.RolloutPause{Kind: domain.PausedCrashes, Failed: h.Devices, Of: h.Crashes,
		Before: perHour(h.CrashesBefore, h.RanBefore), After: perHour(h.Crashes, h.Ran)}
}

func perHour(n int, in time.Duration) float64 {
	if in <= 0 {
		return 0
	}
	return float64(n) / in.Hours()
}

// outcome counts how some devices ended.
type outcome struct {
	hardware        domain.HardwareRevision
	n, failed, lost int
}

func (o *outcome) add(g domain.EndedGroup) {
	switch {
	case g.State.Failure():
		o.failed += g.Count
	case g.State != domain.UpdateSucceeded:
		return // rejected, canceled: it never ran
	}
	o.n += g.Count
	if g.State == domain.UpdateLost {
		o.lost += g.Count
	}
}

func sum(ended []domain.EndedGroup) (all outcome) {
	for _, g := range ended {
		all.add(g)
	}
	return all
}

// standsOut returns the revision of the hardware on which devices fail most remarkably more often than on others,
// and how probable that is by chance; the zero value: nothing has failed.
func standsOut(ended []domain.EndedGroup) (worst outcome, chance float64) {
	all, by := sum(ended), make(map[domain.HardwareRevision]*outcome)
	for _, g := range ended {
		if by[g.Hardware] == nil {
			by[g.Hardware] = &outcome{hardware: g.Hardware}
		}
		by[g.Hardware].add(g)
	}
	chance = 1
	for _, o := range by {
		if o.failed == 0 {
			continue
		}
		// As many revisions as there are could stand out by chance (Bonferroni).
		p := min(1, float64(len(by))*byChance(o.failed, o.n, all.failed, all.n))
		before := cmp.Or(cmp.Compare(p, chance), cmp.Compare(worst.failed, o.failed),
			cmp.Compare(o.hardware.Chip, worst.hardware.Chip), cmp.Compare(o.hardware.Revision, worst.hardware.Revision))
		if worst.failed == 0 || before < 0 {
			worst, chance = *o, p
		}
	}
	return worst, chance
}

// mostGiven is the reason that most of the failed devices gave.
func mostGiven(ended []domain.EndedGroup, p domain.RolloutPause) (reason string) {
	counts := make(map[string]int)
	for _, g := range ended {
		if !g.State.Failure() && g.State != domain.UpdateRejected || g.Why == "" ||
			p.Kind == domain.PausedRevision && g.Hardware != *p.Revision ||
			p.Kind == domain.PausedLost && g.State != domain.UpdateLost {
			continue
		}
		counts[g.Why] += g.Count
		if n := counts[g.Why]; n > counts[reason] || n == counts[reason] && g.Why < reason {
			reason = g.Why
		}
	}
	return reason
}
