package rollout

import (
	"math"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// When a device flaps: it connects so often within an hour that this is improbable even if it connected twice as
// often as it usually does, or once an hour.
const (
	lately     = time.Hour
	usually    = 7 * 24 * time.Hour
	flapRatio  = 2
	flapBorne  = 1 // an hour
	flapChance = 0.001
)

// Connected counts the connections of a device since the last one that is counted, up to the one with the number
// session.
func Connected(c domain.ConnectRate, session int64, now time.Time) domain.ConnectRate {
	if c.At.IsZero() { // how many there were before says nothing of when
		c.Session, c.At = session, now
		return c
	}
	passed := max(now.Sub(c.At), 0)
	c.Lately *= math.Exp(-passed.Hours() / lately.Hours())
	c.Usually *= math.Exp(-passed.Hours() / usually.Hours())
	c.At = now
	more := float64(max(session-c.Session, 0))
	c.Session = session
	if more == 0 {
		return c
	}
	c.Lately += more
	if poissonTail(int(c.Lately), max(flapRatio*c.Usually, flapBorne)) <= flapChance {
		c.Flapped = now
	}
	c.Usually += more / usually.Hours()
	return c
}

// flapping says whether devices with the release flap, and did not before: more of them than are borne besides twice
// the share of those without it, and not by chance. So what a network does to all of them pauses nothing.
func flapping(r domain.Rollout, f domain.Flapping) domain.RolloutPause {
	if !f.Suspect(r.Plan.Judge) || f.WithoutOf == 0 {
		return domain.RolloutPause{}
	}
	low, without := atLeast(f.With, f.WithOf), float64(f.Without)/float64(f.WithoutOf)
	if low <= r.Plan.Judge.Flapping+flapRatio*without ||
		byChance(f.With, f.WithOf, f.With+f.Without, f.WithOf+f.WithoutOf) > crashChance {
		return domain.RolloutPause{}
	}
	return domain.RolloutPause{Kind: domain.PausedFlapping, Failed: f.With, Of: f.WithOf, AtLeast: low, Without: without}
}
