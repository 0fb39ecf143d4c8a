package domain

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A device key reads dk_, the key's id, _, the secret and a checksum.
const (
	DeviceKeyPrefix = "dk_"
	deviceKeyLength = len(DeviceKeyPrefix) + 10 + 1 + 32 + 6
)

// ErrKeyResting is the cause of the refusal of a device key whose secret is right: it may open again, when its
// device is no longer suspended.
var ErrKeyResting = errors.New("the device key opens nothing now")

// Limits of devices.
const (
	MaxDeviceName  = 64 // characters
	MaxDeviceNotes = 2000
	MaxDeviceTags  = 32
	MaxConnections = 100 // ended ones that are kept of a device
	MaxAway        = 31 * 24 * time.Hour
	MaxDeviceKeys  = 2                   // that are good at the same time
	MaxDeviceCerts = 4                   // the same
	KeyOverlap     = 24 * time.Hour      // that an old key stays good beside a new one, if nothing else is said
	MaxOverlap     = 30 * 24 * time.Hour // that it may
)

// LooksLikeDeviceKey reports whether s has the form of a device key, so that it
// is not taken for an access token. It does not say that it is one.
func LooksLikeDeviceKey(s string) bool {
	return len(s) == deviceKeyLength && strings.HasPrefix(s, DeviceKeyPrefix)
}

// Device is a machine that belongs to a user: a member of rooms in its own
// right, with keys that open connections and nothing else. Its id is also that
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
	Type      string   // the owner's word for what it is
	Serial    string   // as the owner knows it; the device may tell one as well
	Notes     string   // of the owner
	Tags      []string // of the owner, sorted
	Groups    []string // made by hand that it is in, where they are asked for
	Access    DeviceAccess
	Bridge    string    // id of the device that speaks for it; empty: it does so itself
	Received  time.Time // when its owner got it from another; zero: they registered it
	Suspended time.Time // since when it may not connect; zero: it may
	AwayUntil time.Time // when it wants to be back; zero: it is not away
	Away      string    // why
	Status    DeviceStatus
	Keys      []DeviceKey // newest first; those revoked or expired long ago are not in it
}

// Ended reports whether d cannot connect any more, whatever its keys.
func (d Device) Ended(now time.Time) bool {
	return !d.RevokedAt.IsZero() || !d.Expires.IsZero() && !now.Before(d.Expires)
}

// KeyKnown reports whether a former owner of d may know a key that it is let in by.
func (d Device) KeyKnown(now time.Time) bool {
	return slices.ContainsFunc(d.Keys, func(k DeviceKey) bool { return !k.Ended(now) && k.CreatedAt.Before(d.Received) })
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

// CertificatePrefix starts the ids of certificates, which are among the keys of a device.
const CertificatePrefix = "crt_"

// Certificate reports whether k is one, and not a key that stands in a file.
func (k DeviceKey) Certificate() bool { return strings.HasPrefix(k.ID, CertificatePrefix) }

// DeviceSecret is what the store knows of a key's secret.
type DeviceSecret struct {
	Hash   []byte // HMAC-SHA256 of the whole key
	Pepper int    // version of the key that Hash was made under
}

// DeviceAccess is what the key of a device may do by MQTT beside speaking for the device. It is decided when the
// device is registered.
type DeviceAccess string

// The kinds of access. The empty one is that of a device which speaks for itself alone.
const (
	// AccessController is that of a program which sees and commands all devices of its owner, such as
	// Home Assistant or Node-RED.
	AccessController DeviceAccess = "controller"
	// AccessBridge is that of a program that speaks for many devices, such as zigbee2mqtt. What it announces
	// are devices of their own.
	AccessBridge DeviceAccess = "bridge"
)

// BridgeChild is a device that a bridge speaks for. It has no key.
type BridgeChild struct {
	Bridge string
	Key    string // what the bridge calls it
	ID     string
	Out    bool // it is revoked or suspended: what is said of it is ignored
}

// Limits of bridges.
const (
	MaxBridgeChildren = 1000
	MaxBridgeKey      = 128 // bytes
)

// CheckDeviceAccess refuses what is no kind of access.
func CheckDeviceAccess(pointer string, a DeviceAccess) error {
	if a != "" && a != AccessController && a != AccessBridge {
		return InvalidField(pointer, "access is controller or bridge, or absent")
	}
	return nil
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
	Type    *string
	Serial  *string
	Notes   *string
	Tags    *[]string
	Suspend *bool
}

// CheckDeviceChange returns c as it is kept, but for the name, which package names checks.
func CheckDeviceChange(c DeviceChange) (DeviceChange, error) {
	var err error
	if c.Type != nil {
		if *c.Type, err = CheckLine("/type", *c.Type, MaxDeviceName, false); err != nil {
			return c, err
		}
	}
	if c.Serial != nil {
		if *c.Serial, err = CheckLine("/serial", *c.Serial, MaxDeviceName, false); err != nil {
			return c, err
		}
	}
	if c.Notes != nil {
		if *c.Notes, err = CheckProse("/notes", *c.Notes, MaxDeviceNotes); err != nil {
			return c, err
		}
	}
	if c.Tags != nil {
		tags := slices.Clone(*c.Tags)
		for i, tag := range tags {
			if !deviceTags.MatchString(tag) {
				return c, InvalidField(fmt.Sprintf("/tags/%d", i),
					"a tag has 1 to 32 lower-case letters, digits, dots, hyphens or underscores")
			}
		}
		slices.Sort(tags)
		tags = slices.Compact(tags)
		if len(tags) > MaxDeviceTags {
			return c, InvalidField("/tags", "a device has at most %d tags", MaxDeviceTags)
		}
		c.Tags = &tags
	}
	return c, nil
}

var deviceTags = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// DeviceQuery says which devices to list; the zero value says all.
type DeviceQuery struct {
	Owner     string // empty: everybody's
	Text      string // part of the name, or of the type, a serial number or the model
	Tag, Type string
	Model     string // as the device tells it
	Product   string // of its firmware, as the device reports it
	State     DeviceState
	Group     string // of Owner: then all that can still connect
}

// KeyTally counts devices with keys that are good.
type KeyTally struct {
	Devices   int
	Keys      int // of these, certificates included
	Connected int // devices of the same choice that are connected, with a good key or without
}

// DeviceState is whether a device may connect.
type DeviceState string

// The states of devices.
const (
	DeviceActive    DeviceState = "active"
	DeviceSuspended DeviceState = "suspended"
	DeviceEnded     DeviceState = "ended" // revoked or expired
)

// DeviceConnection is a connection of a device that has ended.
type DeviceConnection struct {
	ID             string // later ones sort later
	Device         string
	Key            string // id
	Addr           string
	Opened, Closed time.Time
	Reason         string // why it ended
}

// AwayReset is why a device goes away that forgets its key: it was reset to how it was made.
const AwayReset = "reset"

// CheckAway returns when a device is back that says it is away for some time.
func CheckAway(reason string, backIn time.Duration, now time.Time) (time.Time, error) {
	switch reason {
	case "sleep", "update", "restart", "off":
	default:
		return now, InvalidField("/reason", "a reason is sleep, update, restart, off or reset")
	}
	if backIn < 0 || backIn > MaxAway {
		return now, InvalidField("/back_in", "a device is back within %d seconds", int(MaxAway/time.Second))
	}
	return now.Add(backIn), nil
}

// Seconds is n seconds. What a time.Duration cannot have is the longest that it can.
func Seconds(n int) time.Duration {
	const most = int(math.MaxInt64 / int64(time.Second))
	return time.Duration(min(max(n, -most), most)) * time.Second
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
