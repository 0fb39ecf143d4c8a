package discovery

import (
	"slices"
	"testing"
)

func TestTasmotaSaysItsVersionAndIsToldToLoad(t *testing.T) {
	t.Parallel()
	const config = `{"mac":"A0","sw":"14.4.1","t":"pump","ft":"home/%topic%/%prefix%/","tp":["cmnd","stat","tele"]}`
	l, ok := TasmotaLoader("tasmota/discovery/A0/config", []byte(config))
	if !ok || l.Version != "14.4.1" {
		t.Fatalf("%+v, %v", l, ok)
	}
	want := []Publication{{"home/pump/cmnd/OtaUrl", "https://x/y", false}, {"home/pump/cmnd/Upgrade", "1", false}}
	if got := l.Load("https://x/y"); !slices.Equal(got, want) {
		t.Errorf("it is told %+v", got)
	}
	for payload, want := range map[string]string{
		`{"Upgrade":"Failed HTTP error: connection refused"}`: "HTTP error: connection refused",
		`Failed Not Enough space`:                             "Not Enough space", // of before version 7
		`{"Upgrade":"Failed"}`:                                "",
	} {
		if why, failed := l.Failed("home/pump/stat/UPGRADE", payload); !failed || why != want {
			t.Errorf("%s: %q, %v", payload, why, failed)
		}
	}
	for _, payload := range []string{`{"Upgrade":"Successful. Restarting"}`, `Successful. Restarting`, ``, `[1]`} {
		if why, failed := l.Failed("home/pump/stat/UPGRADE", payload); failed {
			t.Errorf("%s is a failure: %q", payload, why)
		}
	}
	if _, failed := l.Failed("home/pump/stat/RESULT", `{"Upgrade":"Failed"}`); failed {
		t.Error("another topic tells of a failure")
	}
	for topic, payload := range map[string]string{
		"tasmota/discovery/A0/sensors":      config,
		"homeassistant/sensor/x/config":     config,
		"tasmota/discovery/A0/config":       `{"sw":"1"}`,
		"tasmota/discovery/A0/config/other": config,
	} {
		if _, ok := TasmotaLoader(topic, []byte(payload)); ok {
			t.Errorf("%s %s is an announcement of Tasmota", topic, payload)
		}
	}
}

func TestESPHomeSaysTheVersionOfItsProject(t *testing.T) {
	t.Parallel()
	for firmware, want := range map[string]string{
		"2.4.0 (ESPHome 2026.10.1)":            "2.4.0",
		"2026.10.1 (config hash 0x0a0b0c0d)":   "", // of ESPHome itself
		"2024.6.0 (Jun 20 2024, 12:00:00)":     "",
		"":                                     "",
		"two words (ESPHome 2026.10.1)":        "",
		"v2.4.0-rc1+5 (ESPHome 2026.11.0-dev)": "v2.4.0-rc1+5",
	} {
		l, ok := ESPHomeLoader([]*Entity{{Device: Device{Firmware: firmware}}})
		if l.Version != want || ok != (want != "") || l.Load("https://x/y") != nil {
			t.Errorf("%q: %+v, %v", firmware, l, ok)
		}
	}
	behind := []*Entity{{Device: Device{Firmware: "2.4.0 (ESPHome 2026.10.1)", Via: "bridge"}}}
	if l, ok := ESPHomeLoader(behind); ok {
		t.Errorf("what is behind a bridge is taken for the bridge: %+v", l)
	}
}
