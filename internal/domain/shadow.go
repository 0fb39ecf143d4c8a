package domain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Limits of the settings of a device.
const (
	MaxSettingsSize  = 8 << 10 // bytes of all that is desired, or reported, as JSON
	MaxSettingError  = 200     // characters
	maxReportedNames = 128
)

// Shadow is what is to be set on a device, and what the device says is set. A device that was never told
// anything has version 0.
type Shadow struct {
	Device     string
	Owner      string
	Version    int64          // of Desired; each change has the next one
	Desired    map[string]any // by the name of the setting: Own over Defaults
	Own        map[string]any // what its owner has set on this device
	Defaults   map[string]any // of its groups over that of its template
	ChangedAt  time.Time
	Applied    int64 // the last version that the device says it has taken
	Reported   map[string]any
	Errors     map[string]string // why the device did not take a setting
	ReportedAt time.Time
}

// Open reports whether the device has not said anything of the latest version.
func (s Shadow) Open() bool { return s.Applied < s.Version }

// SettingsReport is what a device says about its settings.
type SettingsReport struct {
	Version int64             // that it has taken, as far as Errors does not say otherwise; 0: it changed something itself
	Values  map[string]any    // nil: the device has no such setting any more
	Errors  map[string]string // by setting
}

// CheckSettings refuses what a device has not declared as it is. nil takes a setting back.
func CheckSettings(c Capabilities, change map[string]any) error {
	var wrong []Field
	if len(change) == 0 {
		return InvalidField("/settings", "name at least one setting")
	}
	for name, v := range change {
		i := slices.IndexFunc(c.Settings, func(a Arg) bool { return a.Name == name })
		detail := ""
		switch {
		case v == nil:
		case i < 0:
			detail = "the device has no such setting"
		default:
			detail = checkValue(c.Settings[i], v)
		}
		if detail != "" {
			wrong = append(wrong, Field{"/settings/" + pointerEscape(name), detail})
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(a, b Field) int { return strings.Compare(a.Pointer, b.Pointer) })
	return &Error{Kind: Invalid, Code: CodeInvalidField, Msg: "a setting does not fit: " + wrong[0].Detail, Fields: wrong}
}

// CheckSettingsReport refuses what a device cannot say about its settings.
func CheckSettingsReport(r SettingsReport) error {
	if len(r.Values) > maxReportedNames || len(r.Errors) > maxReportedNames {
		return InvalidField("/settings", "at most %d settings", maxReportedNames)
	}
	for name, v := range r.Values {
		at := "/settings/" + pointerEscape(name)
		if err := CheckCapabilityName(at, name); err != nil {
			return err
		}
		switch v := v.(type) {
		case nil, bool, float64:
		case string:
			if len(v) > MaxArgText {
				return InvalidField(at, "a text has at most %d bytes", MaxArgText)
			}
		default:
			return InvalidField(at, "a setting is a number, true, false or a text; null: it is gone")
		}
	}
	for name, text := range r.Errors {
		at := "/errors/" + pointerEscape(name)
		if err := CheckCapabilityName(at, name); err != nil {
			return err
		}
		if _, err := CheckLine(at, text, MaxSettingError, true); err != nil {
			return err
		}
	}
	return nil
}

// MergeSettings returns values with a change: nil deletes.
func MergeSettings(values, change map[string]any) (map[string]any, error) {
	merged := maps.Clone(values)
	if merged == nil {
		merged = make(map[string]any, len(change))
	}
	for name, v := range change {
		if merged[name] = v; v == nil {
			delete(merged, name)
		}
	}
	if b, err := json.Marshal(merged); err != nil || len(b) > MaxSettingsSize {
		return nil, InvalidField("/settings", "all settings together have at most %d bytes", MaxSettingsSize)
	}
	return merged, nil
}

// ErrSettingsChanged is the answer to whoever changes an earlier version than there is.
func ErrSettingsChanged(version int64) error {
	return Conflict.Errorf(CodeSettingsChanged, "%s",
		fmt.Sprintf("somebody has changed the settings meanwhile, to version %d; look at them again", version))
}

// CheckDefaults refuses what cannot be a default of settings: which values fit depends on the device. A default that
// a device has not declared, or that does not fit, is none for it. With merge, nil takes one back.
func CheckDefaults(defaults map[string]any, merge bool) error {
	for name, v := range defaults {
		at := "/settings/" + pointerEscape(name)
		if err := CheckCapabilityName(at, name); err != nil {
			return err
		}
		switch v := v.(type) {
		case bool, float64:
			continue
		case string:
			if len(v) <= MaxArgText {
				continue
			}
		case nil:
			if merge {
				continue
			}
		}
		return InvalidField(at, "a setting is a number, true, false or a text of at most %d bytes", MaxArgText)
	}
	if b, err := json.Marshal(defaults); err != nil || len(b) > MaxSettingsSize {
		return InvalidField("/settings", "all settings together have at most %d bytes", MaxSettingsSize)
	}
	return nil
}

// FittingDefaults returns those of the defaults that a device can be set to.
func FittingDefaults(c Capabilities, defaults map[string]any) map[string]any {
	fit := make(map[string]any)
	for _, a := range c.Settings {
		if v, there := defaults[a.Name]; there && checkValue(a, v) == "" {
			fit[a.Name] = v
		}
	}
	return fit
}
