package telemetry

import (
	"cmp"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A clock makes times of uptimes of one boot of a device. It goes by anchors: moments of which both are
// known. One of them is our own: the device said its uptime when it sent the request.
type clock struct {
	anchors []anchor // ascending by uptime
}

// maxUptime is 139 years in milliseconds, far more than is true and less than what a time.Duration can have.
const maxUptime = 1 << 42

type anchor struct {
	uptime int64 // milliseconds
	at     time.Time
}

// newClock returns a clock for a request that was sent at an uptime; nil: it does not say.
func newClock(sent *int64, now time.Time) *clock {
	c := &clock{}
	if sent != nil {
		c.add(*sent, now, now)
	}
	return c
}

// add adds an anchor. One of an impossible time is left out: that clock was not right.
func (c *clock) add(uptime int64, at, now time.Time) {
	if at.Before(clocksBegin) || at.After(now.Add(maxAhead)) || uptime < 0 || uptime > maxUptime {
		return
	}
	a := anchor{uptime, at}
	i, _ := slices.BinarySearchFunc(c.anchors, a, func(x, y anchor) int { return cmp.Compare(x.uptime, y.uptime) })
	c.anchors = slices.Insert(c.anchors, i, a)
}

// timeAt returns the time of an uptime: between two anchors in proportion, since a device's clock drifts,
// and else as far from the nearest as the uptimes are apart. Without any anchor it is a time of 1970, as of
// a clock that was never set.
func (c *clock) timeAt(uptime int64) (time.Time, domain.TimeQuality) {
	uptime = min(max(uptime, -maxUptime), maxUptime) // its time is refused, as it is far away
	if len(c.anchors) == 0 {
		return time.UnixMilli(uptime).UTC(), domain.DeviceTime
	}
	i := slices.IndexFunc(c.anchors, func(a anchor) bool { return a.uptime >= uptime })
	switch {
	case i < 0:
		i = len(c.anchors) - 1
	case i > 0:
		from, to := c.anchors[i-1], c.anchors[i]
		part := float64(uptime-from.uptime) / float64(to.uptime-from.uptime)
		return from.at.Add(time.Duration(part * float64(to.at.Sub(from.at)))).UTC(), domain.AnchoredTime
	}
	a := c.anchors[i]
	return a.at.Add(time.Duration(uptime-a.uptime) * time.Millisecond).UTC(), domain.AnchoredTime
}
