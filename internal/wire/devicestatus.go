package wire

import (
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// DeviceStatuses says which devices came or went.
type DeviceStatuses struct {
	Devices []DeviceStatus `json:"devices"`
}

// DeviceStatus says whether a device is there.
type DeviceStatus struct {
	Device    string     `json:"device"`
	State     string     `json:"state" enum:"online,asleep,offline"`
	Since     time.Time  `json:"since" doc:"when it came or went"`
	Session   int64      `json:"session" doc:"number of the last time that it connected or was heard again; what has a lower one is older"`
	Reason    string     `json:"reason,omitempty" doc:"why its last connection ended; silent: nothing came for 2.5 heartbeats; unavailable: it says so itself"`
	Until     *time.Time `json:"until,omitempty" doc:"of one that is asleep: when it wants to be back; from then on it is offline"`
	DoubledAt *time.Time `json:"doubled_at,omitempty" doc:"when one of its keys was last in use at two places, within a day; for the owner"`
	Places    []string   `json:"places,omitempty" doc:"these places, as addresses"`
}

// doubledFor is for how long it is told that a key was in use at two places.
const doubledFor = 24 * time.Hour

// FromDeviceStatus returns the status of a device, for its owner or for others. One that never connected
// has none: nil.
func FromDeviceStatus(d domain.DeviceStatus, owner bool, now time.Time) *DeviceStatus {
	if d.Session == 0 {
		return nil
	}
	s := &DeviceStatus{Device: d.Device, State: string(d.State(now)), Since: d.Since, Session: d.Session, Reason: d.Reason}
	if s.State == string(domain.DeviceAsleep) {
		s.Until = &d.Away
	}
	if owner && now.Sub(d.Doubled) < doubledFor {
		s.DoubledAt, s.Places = &d.Doubled, d.Places
	}
	return s
}
