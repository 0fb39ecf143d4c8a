package domain

import (
	"fmt"
	"slices"
)

// MaxDeviceTemplates is how many templates a user may have.
const MaxDeviceTemplates = 50

// DeviceTemplate is what a new device of an owner begins with. What is changed in it later changes no
// device, but for the defaults of settings.
type DeviceTemplate struct {
	Type   string   `json:"type,omitempty" maxLength:"64"`
	Tags   []string `json:"tags,omitempty" maxItems:"32"`
	Groups []string `json:"groups,omitempty" maxItems:"50" doc:"made by hand, that it is put into; one that there is not is made"`
	// Of the settings of devices that have begun with it, also of what is changed later.
	Settings map[string]any `json:"settings,omitempty" doc:"defaults of settings, also for devices that have begun with it before"`
	// Until the device describes itself.
	Capabilities *Capabilities `json:"capabilities,omitempty" doc:"what the device can do, until it says so itself"`
}

// Over returns t, with what below says where t says nothing.
func (t DeviceTemplate) Over(below DeviceTemplate) DeviceTemplate {
	if t.Type == "" {
		t.Type = below.Type
	}
	if len(t.Tags) == 0 {
		t.Tags = below.Tags
	}
	if len(t.Groups) == 0 {
		t.Groups = below.Groups
	}
	if t.Capabilities == nil {
		t.Capabilities = below.Capabilities
	}
	return t
}

// Fill puts the type and the tags of t into what is said of a new device, where that has none.
func (t DeviceTemplate) Fill(c *DeviceChange) {
	if c.Type == nil || *c.Type == "" {
		c.Type = &t.Type
	}
	if c.Tags == nil || len(*c.Tags) == 0 {
		tags := slices.Clone(t.Tags)
		c.Tags = &tags
	}
}

// NamedTemplate is a template of an owner.
type NamedTemplate struct {
	Owner, Name string // Name has the form of a tag
	DeviceTemplate
}

// CheckDeviceTemplate returns t as it is kept.
func CheckDeviceTemplate(t NamedTemplate) (NamedTemplate, error) {
	if !deviceTags.MatchString(t.Name) {
		return t, InvalidField("{template}",
			"the name of a template has 1 to 32 lower-case letters, digits, dots, hyphens or underscores")
	}
	c, err := CheckDeviceChange(DeviceChange{Type: &t.Type, Tags: &t.Tags})
	if err != nil {
		return t, err
	}
	t.Type, t.Tags = *c.Type, *c.Tags
	if err := CheckDefaults(t.Settings, false); err != nil {
		return t, err
	}
	for i, name := range t.Groups {
		if err := CheckDeviceGroup(name, nil); err != nil {
			return t, InvalidField(fmt.Sprintf("/groups/%d", i), "a group has the form of a tag")
		}
	}
	if t.Capabilities != nil {
		return t, CheckCapabilities("/capabilities", *t.Capabilities)
	}
	return t, nil
}

// ErrNoDeviceTemplate says that there is no such template.
func ErrNoDeviceTemplate() error {
	return NotFound.Errorf(CodeNoTemplate, "you have no such template of devices")
}
