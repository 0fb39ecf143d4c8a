package domain

import (
	"strings"
	"time"
)

// A device key reads dk_, the key's id, _, the secret and a checksum.
const (
	DeviceKeyPrefix = "dk_"
	deviceKeyLength = len(DeviceKeyPrefix) + 10 + 1 + 32 + 6
)

// Limits of devices.
const (
	MaxDeviceName = 64                  // characters
	MaxDeviceKeys = 2                   // that are good at the same time
	KeyOverlap    = 24 * time.Hour      // that an old key stays good beside a new one, if nothing else is said
	MaxOverlap    = 30 * 24 * time.Hour // that it may
)

// LooksLikeDeviceKey reports whether s has the form of a device key, so that it
// is not taken for an access token. It does not say that it is one.
func LooksLikeDeviceKey(s string) bool {
	return len(s) == deviceKeyLength && strings.HasPrefix(s, DeviceKeyPrefix)
}

// Device is a machine that belongs to a user: a member of rooms in its own
// right, with keys that open a WebSocket and nothing else. Its id is also that
// of the user who stands for it in rooms (Kind KindDevice), and their username.
type Device struct {
	ID        string
	Owner     UserRef
	Name      string
	CreatedAt time.Time
	Expires   time.Time // zero: never
	RevokedAt time.Time // zero: it is not
	LastUsed  time.Time // when one of its keys last opened a connection, to the minute; zero: never
	LastIP    string
	Keys      []DeviceKey // newest first; those revoked or expired long ago are not in it
}

// Ended reports whether d cannot connect any more, whatever its keys.
func (d Device) Ended(now time.Time) bool {
	return !d.RevokedAt.IsZero() || !d.Expires.IsZero() && !now.Before(d.Expires)
}

// DeviceKey is one key of a device, without its secret, which nobody has but the
// device.
type DeviceKey struct {
	ID        string // the public part, which stands in the key
	Device    string
	CreatedAt time.Time
	Expires   time.Time // zero: with the device
	RevokedAt time.Time // zero: it is not
	LastUsed  time.Time
	LastIP    string
}

// Ended reports whether k is of no use any more.
func (k DeviceKey) Ended(now time.Time) bool {
	return !k.RevokedAt.IsZero() || !k.Expires.IsZero() && !now.Before(k.Expires)
}

// DeviceSecret is what the store knows of a key's secret.
type DeviceSecret struct {
	Hash   []byte // HMAC-SHA256 of the whole key
	Pepper int    // version of the key that Hash was made under
}

// DeviceLogin is all that must be known to let a device in by a key.
type DeviceLogin struct {
	Device Device // without Keys
	Key    DeviceKey
	Secret DeviceSecret
	Barred bool // the owner is disabled
}

// Until returns when a connection of this login ends; zero: not by time.
func (l DeviceLogin) Until() time.Time {
	end := l.Key.Expires
	if e := l.Device.Expires; !e.IsZero() && (end.IsZero() || e.Before(end)) {
		end = e
	}
	return end
}

// DescribedDevice is a device with what it last said about itself.
type DescribedDevice struct {
	Device
	Capabilities Capabilities
	DescribedAt  time.Time // zero: it has said nothing
}

// DeviceChange is a change to a device: nil leaves a value as it is.
type DeviceChange struct {
	Name    *string
	Expires *time.Time // the zero time: never
}

// DeviceUse says that a key opened a connection.
type DeviceUse struct {
	Key string
	At  time.Time
	IP  string
}

// DeviceEnd tells that a device's key is of no use any more, or, without a key,
// the whole device.
type DeviceEnd struct {
	Device, Key string
	Reason      string
}
