package device

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// onSettings takes what is to be set, in the place of what was not set yet.
func (d *Device) onSettings(data json.RawMessage) {
	var s wire.Settings
	if err := json.Unmarshal(data, &s); err != nil {
		d.o.Log.Error("settings that are not understood", "err", err)
		return
	}
	if d.o.Set == nil {
		return
	}
	select {
	case <-d.settings:
	default:
	}
	d.settings <- s // the reader of frames alone sends
}

// set sets what is to be set, and says so, until ctx ends.
func (d *Device) set(ctx context.Context, live *client.Live) {
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-d.settings:
			err := d.insist(ctx, live, wire.TypeSettingsSet, d.apply(ctx, s), nil)
			if err != nil && ctx.Err() == nil {
				d.o.Log.ErrorContext(ctx, "the server refuses what the device says about its settings", "err", err)
			}
		}
	}
}

// apply calls Set, and returns what became of it.
func (d *Device) apply(ctx context.Context, s wire.Settings) (said wire.SettingsReport) {
	said = wire.SettingsReport{Version: s.Version, Settings: make(map[string]any), Errors: make(map[string]string)}
	refuse := func(name, text string) {
		if text == "" {
			text = "refused"
		}
		r := []rune(text)
		said.Errors[name] = string(r[:min(len(r), domain.MaxSettingError)])
	}
	defer func() {
		if r := recover(); r != nil {
			clear(said.Settings)
			for name := range s.Settings {
				refuse(name, fmt.Sprint("setting failed: ", r))
			}
		}
	}()
	refused := d.o.Set(ctx, s.Settings)
	for name, err := range refused {
		if err != nil {
			refuse(name, err.Error())
		}
	}
	for name, v := range s.Settings {
		if _, no := said.Errors[name]; !no {
			said.Settings[name] = v
		}
	}
	return said
}

// Changed tells the server what somebody has set on the device itself, by the names of settings. It fails
// without a connection.
func (d *Device) Changed(ctx context.Context, settings map[string]any) error {
	live := d.live.Load()
	if live == nil {
		return errNotRunning
	}
	return live.Request(ctx, wire.TypeSettingsSet, wire.SettingsReport{Settings: settings}, nil)
}
