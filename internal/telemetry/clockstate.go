package telemetry

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// clockLate is how old the newest report of a request may be that is not marked as old: what was
// measured has to be sent as well.
const clockLate = time.Minute

// What a request tells about the clock of its device.
const (
	clockRight  = "right"
	clockAhead  = "ahead"
	clockBehind = "behind"
	clockUnset  = "unset" // it has not been set since the device started
)

// clockOf says what the times of reports tell about the clock of their device; "" is nothing: they have
// no times, or were buffered.
func clockOf(reports []domain.Report, now time.Time) string {
	var newest time.Time
	for _, r := range reports {
		switch {
		case r.At.IsZero() || r.Quality != domain.DeviceTime: // of no clock, as by the device's uptime
		case r.At.Before(clocksBegin):
			return clockUnset
		case r.At.After(now.Add(clockJitter)):
			return clockAhead
		case !r.Old && r.At.After(newest):
			newest = r.At
		}
	}
	switch {
	case newest.IsZero():
		return ""
	case now.Sub(newest) > clockLate:
		return clockBehind
	}
	return clockRight
}
