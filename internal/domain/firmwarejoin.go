package domain

import (
	"regexp"
	"time"
)

// FirmwareJoin is that the owner of a device has said yes to a product of somebody else: its publisher may bring
// firmware to the device.
type FirmwareJoin struct {
	Device  string
	Product Product // with its owner, who publishes
	By      string  // the owner of the device
	Ask     bool    // about each release
	At      time.Time
}

// ProductSharing is how others may join a product with their devices. What is nil stays as it is.
type ProductSharing struct {
	Open *bool   // whoever knows its id may
	Code *string // whoever has it may; empty: there is none
}

// JoinedTo is the product of somebody else that a device has joined. The zero value: none.
type JoinedTo struct {
	Product   string // id
	Name      string
	Publisher string // its owner
	Ask       bool   // the owner of the device, about each release
}

// Publisher is the user whose rollouts reach the device: that of the product that its owner has joined, as long as it
// reports that product, or else its owner.
func (d DeviceFirmware) Publisher() string {
	if d.Joined.Product != "" && d.Joined.Name == d.Report.Product {
		return d.Joined.Publisher
	}
	return d.Owner
}

// Shared reports whether the firmware of the device comes from somebody else than its owner.
func (d DeviceFirmware) Shared() bool { return d.Publisher() != d.Owner }

// Takes reports whether the owner of a device lets a rollout change it, whatever it runs at the moment.
func (d DeviceFirmware) Takes(r Rollout) bool {
	return d.Owner == r.Owner || d.Joined.Product == r.Product
}

// FleetGroup are the devices that run one image of a product.
type FleetGroup struct {
	Version string
	Chip    string
	Devices int
	Shared  int // of these, of other owners
}

// WhyWithdrawn is why an update ends whose device its owner has taken out of the product, or given away.
const WhyWithdrawn = "withdrawn"

var joinCodes = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// ValidJoinCode reports whether s can be the code of a product.
func ValidJoinCode(s string) bool { return joinCodes.MatchString(s) }

// ErrNotJoined is the answer about a device that has joined no product.
func ErrNotJoined() error {
	return NotFound.Errorf(CodeNotJoined, "the device has joined no product of somebody else")
}
