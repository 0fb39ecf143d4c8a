package wire

import "github.com/unhidra/unhidra/internal/domain"

// Settings are what is to be set on a device.
type Settings struct {
	Version  int64          `json:"version" doc:"0: nothing was ever set"`
	Settings map[string]any `json:"settings" doc:"by name: all that is set by the server; what is missing is as the device has it by itself"`
}

// SettingsReport is what a device says about its settings.
type SettingsReport struct {
	Version  int64             `json:"version,omitempty" doc:"that it has taken; absent: somebody has changed something on the device"`
	Settings map[string]any    `json:"settings,omitempty" doc:"what is set now; those that are not named stay; null: there is no such setting any more"`
	Errors   map[string]string `json:"errors,omitempty" doc:"why it did not take a setting, at most 200 characters each"`
}

// SettingsChanged says that somebody changed the settings of a device, or that it has said something of them.
type SettingsChanged struct {
	Device  string `json:"device"`
	Version int64  `json:"version"`
	Applied int64  `json:"applied" doc:"the last version that the device has taken"`
}

// FromShadow returns what is to be set.
func FromShadow(s domain.Shadow) Settings {
	if s.Desired == nil {
		s.Desired = map[string]any{}
	}
	return Settings{Version: s.Version, Settings: s.Desired}
}
