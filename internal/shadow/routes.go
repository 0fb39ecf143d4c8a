package shadow

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
)

// OnDevice is the input of operations on one device.
type OnDevice struct {
	Device string `path:"device" maxLength:"64"`
}

// settings are what is to be set on a device, and what it says is set.
type settings struct {
	Version    int64             `json:"version" doc:"of desired; 0: nothing was ever set"`
	Desired    map[string]any    `json:"desired" doc:"what is to be set, by name: own over defaults"`
	Own        map[string]any    `json:"own" doc:"what was set on this device"`
	Defaults   map[string]any    `json:"defaults" doc:"of its groups over that of the template that it began with"`
	ChangedAt  *time.Time        `json:"changed_at,omitempty"`
	Applied    int64             `json:"applied" doc:"the last version that the device has taken; less than version: it was not told yet, or has not answered"`
	Reported   map[string]any    `json:"reported" doc:"what the device says is set"`
	Errors     map[string]string `json:"errors" doc:"why the device did not take a setting, by name"`
	ReportedAt *time.Time        `json:"reported_at,omitempty"`
}

type output struct{ Body settings }

func shown(s domain.Shadow, err error) (*output, error) {
	if err != nil {
		return nil, err
	}
	v := settings{Version: s.Version, Desired: s.Desired, Applied: s.Applied, Reported: s.Reported, Errors: s.Errors}
	if !s.ChangedAt.IsZero() {
		v.ChangedAt = &s.ChangedAt
	}
	if !s.ReportedAt.IsZero() {
		v.ReportedAt = &s.ReportedAt
	}
	v.Own, v.Defaults = s.Own, s.Defaults
	for _, m := range []*map[string]any{&v.Desired, &v.Own, &v.Defaults, &v.Reported} {
		if *m == nil {
			*m = map[string]any{}
		}
	}
	if v.Errors == nil {
		v.Errors = map[string]string{}
	}
	return &output{v}, nil
}

// Routes adds the module's operations to api.
func (s *Service) Routes(api huma.API) {
	op := func(id, method, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: "/devices/{device}/settings", Tags: []string{"devices"},
			Security: httpx.Bearer, Summary: summary, DefaultStatus: 200}
	}
	httpx.Register(api, op("get-device-settings", "GET", "What is to be set on a device, and what it says is set"), s.get)
	httpx.Register(api, op("change-device-settings", "PATCH", "Change what is to be set on a device"), s.patch)
}

func (s *Service) get(ctx context.Context, in *OnDevice) (*output, error) {
	return shown(s.Get(ctx, httpx.Principal(ctx), in.Device))
}

func (s *Service) patch(ctx context.Context, in *struct {
	OnDevice
	Body struct {
		Settings map[string]any `json:"settings" doc:"by name, as the device has declared them; those that are not named stay, and null takes one back"`
		Version  *int64         `json:"version,omitempty" doc:"that this changes; if there is a later one, nothing is changed; absent: whatever there is"`
	}
}) (*output, error) {
	return shown(s.Change(ctx, httpx.Principal(ctx), in.Device, in.Body.Settings, in.Body.Version))
}
