package rollout

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Judge decides how a rollout goes on, of what has become of its devices so far. It is a function of what the
// store has, and changes nothing: whoever calls it again with the same values gets the same decision. waiting says
// whether devices of the open stage that are there have not been offered the release yet.
func Judge(r domain.Rollout, c domain.RolloutCounts, waiting bool, now time.Time) domain.Rollout {
	if r.State == domain.RolloutScheduled && (r.Plan.StartAt == nil || !now.Before(*r.Plan.StartAt)) {
		r.State, r.StartedAt, r.Stage, r.StageAt = domain.RolloutRunning, now, 0, now
	}
	if r.State == domain.RolloutPaused {
		return sharpened(r, c)
	}
	if !r.State.Offers() {
		return r
	}
	if p := evidence(r, c); p.Kind != "" {
		return paused(r, p, now)
	}
	if r.State == domain.RolloutRunning && completeEnough(r, c, waiting) {
		r.State, r.SoakAt = domain.RolloutSoaking, now
	}
	if r.State == domain.RolloutSoaking && !now.Before(r.SoakAt.Add(soak(r))) {
		if p := tooFew(r, c); p.Kind != "" {
			return paused(r, p, now)
		}
		return next(r, c, waiting, now)
	}
	return r
}

func paused(r domain.Rollout, p domain.RolloutPause, now time.Time) domain.Rollout {
	p.At = now
	r.State, r.Pause = domain.RolloutPaused, p
	return r
}

// sharpened takes what is known better by now of a rollout that has paused by itself: devices that were in the
// middle of it have ended.
func sharpened(r domain.Rollout, c domain.RolloutCounts) domain.Rollout {
	if p := evidence(r, c); p.Kind != "" && r.Pause.Kind != domain.PausedByUser &&
		r.Pause.Kind != domain.PausedRelease {
		p.At = r.Pause.At
		r.Pause = p
	}
	return r
}

func soak(r domain.Rollout) time.Duration { return domain.Seconds(r.Plan.Stages[r.Stage].Soak) }

// next opens the next stage. After the last one the rollout is complete, as soon as nobody is in the middle of it.
func next(r domain.Rollout, c domain.RolloutCounts, waiting bool, now time.Time) domain.Rollout {
	if r.Stage+1 < len(r.Plan.Stages) {
		r.State, r.SoakAt = domain.RolloutRunning, time.Time{}
		r.Stage, r.StageAt = r.Stage+1, now
		return r
	}
	if !waiting && active(c) == c.Unheard {
		r.State = domain.RolloutCompleted
	}
	return r
}

// completeEnough reports whether the open stage need only be watched: all devices that are there were offered the
// release, and four of five of those that were have ended it, as many as a judgement needs. If the stage has no more
// devices, one is enough: the next stage begins with few as well.
func completeEnough(r domain.Rollout, c domain.RolloutCounts, waiting bool) bool {
	ended := succeeded(c) + failures(c) + c.States[domain.UpdateRejected] + c.States[domain.UpdateUnconfirmed]
	enough := ended >= r.Plan.Judge.Samples || ended > 0 && c.Reported == c.Contacted
	return !waiting && enough && 5*c.Reported >= 4*c.Contacted
}

func succeeded(c domain.RolloutCounts) int { return c.States[domain.UpdateSucceeded] }

func failures(c domain.RolloutCounts) (n int) {
	for s, count := range c.States {
		if s.Failure() {
			n += count
		}
	}
	return n
}

// active counts the devices that have the offer, and are not done with it.
func active(c domain.RolloutCounts) (n int) {
	for s, count := range c.States {
		if s.Active() {
			n += count
		}
	}
	return n
}

// Room is how many devices may be offered the release now. As many try it at the same time as have shown that it
// works: each success allows Growth more.
func Room(r domain.Rollout, c domain.RolloutCounts) int {
	if !r.State.Offers() {
		return 0
	}
	good := 0
	for _, g := range c.Ended {
		if g.State == domain.UpdateSucceeded {
			good += g.Count
		}
	}
	l := r.Plan.Limits
	trying := active(c) - c.Unheard
	fetching := c.States[domain.UpdateOffered] - c.Unheard + c.States[domain.UpdateAccepted] +
		c.States[domain.UpdateDownloading]
	return max(0, min(l.Begin+int(l.Growth*float64(good))-trying, l.Downloads-fetching, l.PerMinute-c.Lately))
}
