package domain

import "time"

// DeviceStatus is whether a device is there, as far as its connections say.
type DeviceStatus struct {
	Device  string
	Owner   string
	Session int64 // number of the last time that it connected, or was heard again; 0: it never was
	Online  bool
	Since   time.Time
	Away    time.Time // when it wants to be back; zero: it did not say
	Reason  string    // why it is not
	Doubled time.Time // when one of its keys was last seen at two places; zero: never
	Places  []string  // these, as addresses
}

// The states of devices that may connect, beside DeviceActive.
const (
	DeviceOnline  DeviceState = "online"
	DeviceAsleep  DeviceState = "asleep" // it said when it wants to be back
	DeviceOffline DeviceState = "offline"
)

// State says whether the device is there. One that never connected is offline.
func (s DeviceStatus) State(now time.Time) DeviceState {
	switch {
	case s.Online:
		return DeviceOnline
	case s.Away.After(now):
		return DeviceAsleep
	}
	return DeviceOffline
}

// DeviceLink is a connection of a device that is open.
type DeviceLink struct {
	ID     string // later ones sort later
	Device string
	Key    string // id
	Addr   string
	Opened time.Time
}

// LinkChange says that a link is open, or has ended.
type LinkChange struct {
	DeviceLink
	Ended  time.Time // zero: it is open
	Due    time.Time // of the last link of a device that ends: when it is offline if it does not come back
	Reason string    // why it ended
}

// LinkRivals says that a key has opened a link while others of it were open from other addresses.
type LinkRivals struct {
	DeviceLink
	Others []string // addresses
}
