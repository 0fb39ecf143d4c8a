package domain

import "time"

// MaxDeviceGroups is how many groups of devices a user may have.
const MaxDeviceGroups = 50

// MaxGroupChange is how many devices are put into a group by hand, or taken out, at once.
const MaxGroupChange = 1000

// DeviceGroup is a group of the devices of one owner. Devices that were revoked or have expired are in
// none.
type DeviceGroup struct {
	ID        string
	Owner     string
	Name      string         // in the form of a tag
	Rule      *GroupRule     // nil: its members are chosen by hand
	Settings  map[string]any // defaults of its devices; of groups made by hand alone
	CreatedAt time.Time
	Devices   int // how many are in it
}

// GroupRule says which devices are in a group: those that all of it is true of.
type GroupRule struct {
	Text  string      `json:"q,omitempty" maxLength:"64" doc:"a part of the name, the type, a serial number or the model"`
	Tag   string      `json:"tag,omitempty" maxLength:"32"`
	Type  string      `json:"type,omitempty" maxLength:"64"`
	Model string      `json:"model,omitempty" maxLength:"64" doc:"as the device tells it"`
	State DeviceState `json:"state,omitempty" enum:"active,online,asleep,offline,suspended" doc:"absent: any of them"`
}

// CheckDeviceGroup returns an error unless a group may have this name and rule.
func CheckDeviceGroup(name string, rule *GroupRule) error {
	if !deviceTags.MatchString(name) {
		return InvalidField("{group}",
			"the name of a group has 1 to 32 lower-case letters, digits, dots, hyphens or underscores")
	}
	if rule != nil && *rule == (GroupRule{}) {
		return InvalidField("/rule", "say at least one thing that the devices have in common")
	}
	return nil
}

// ErrNoDeviceGroup says that there is no such group.
func ErrNoDeviceGroup() error {
	return NotFound.Errorf(CodeNoDeviceGroup, "you have no such group of devices")
}
