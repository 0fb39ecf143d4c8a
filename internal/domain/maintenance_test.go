package domain

import (
	"testing"
	"time"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAMaintenanceWindowIsActive(t *testing.T) {
	t.Parallel()
	once := Maintenance{From: at(t, "2026-03-01T10:00:00Z"), To: at(t, "2026-03-01T12:00:00Z")}
	nightly := Maintenance{Weekdays: []time.Weekday{time.Saturday}, Start: 23 * time.Hour, Length: 4 * time.Hour,
		Zone: "Europe/Berlin"}
	for _, c := range []struct {
		name  string
		m     Maintenance
		now   string
		until string // empty: it is not active
	}{
		{"before", once, "2026-03-01T09:59:59Z", ""},
		{"within", once, "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"},
		{"after", once, "2026-03-01T12:00:00Z", ""},
		{"weekly, before", nightly, "2026-03-07T21:59:59Z", ""}, // a Saturday, one hour from UTC
		{"weekly, begun", nightly, "2026-03-07T22:00:00Z", "2026-03-08T02:00:00Z"},
		{"weekly, the day after", nightly, "2026-03-08T01:30:00Z", "2026-03-08T02:00:00Z"},
		{"weekly, over", nightly, "2026-03-08T02:00:00Z", ""},
		{"another day", nightly, "2026-03-08T22:30:00Z", ""},
		// In this night clocks go from 02:00 to 03:00: it lasts as long as ever.
		{"in the night of the change", nightly, "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"},
		{"in summer", nightly, "2026-06-06T21:00:00Z", "2026-06-07T01:00:00Z"},
	} {
		until, active := c.m.Active(at(t, c.now))
		if active != (c.until != "") || active && !until.Equal(at(t, c.until)) {
			t.Errorf("%s: until %v, %v; want %s", c.name, until, active, c.until)
		}
	}
}

func TestAMaintenanceWindowIsChecked(t *testing.T) {
	t.Parallel()
	now := at(t, "2026-03-01T10:00:00Z")
	once := Maintenance{Name: "Pump", From: now, To: now.Add(time.Hour)}
	weekly := Maintenance{Name: "Night", Weekdays: []time.Weekday{1, 1}, Length: time.Hour, Zone: "Europe/Berlin"}
	for _, good := range []Maintenance{once, weekly} {
		if _, err := CheckMaintenance(good, now); err != nil {
			t.Errorf("%s: %v", good.Name, err)
		}
	}
	for name, change := range map[string]func(once, weekly *Maintenance){
		"no name":       func(once, weekly *Maintenance) { once.Name, weekly.Name = "", "" },
		"turned around": func(once, _ *Maintenance) { once.To = once.From.Add(-time.Hour) },
		"over":          func(once, _ *Maintenance) { once.From, once.To = now.Add(-2*time.Hour), now },
		"too long":      func(once, _ *Maintenance) { once.To = now.Add(32 * 24 * time.Hour) },
		"both":          func(once, _ *Maintenance) { once.Weekdays = []time.Weekday{1} },
		"no time":       func(once, _ *Maintenance) { once.From, once.To = time.Time{}, time.Time{} },
		"no such day":   func(_, weekly *Maintenance) { weekly.Weekdays = []time.Weekday{7} },
		"a long day":    func(_, weekly *Maintenance) { weekly.Length = 25 * time.Hour },
		"late":          func(_, weekly *Maintenance) { weekly.Start = 24 * time.Hour },
		"no zone":       func(_, weekly *Maintenance) { weekly.Zone = "" },
		"nowhere":       func(_, weekly *Maintenance) { weekly.Zone = "Europe/Atlantis" },
	} {
		o, w := once, weekly
		change(&o, &w)
		_, first := CheckMaintenance(o, now)
		_, second := CheckMaintenance(w, now)
		if first == nil && second == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestAScopeFitsDevices(t *testing.T) {
	t.Parallel()
	d := Device{ID: "dev_1", Type: "pump", Tags: []string{"garden", "wet"}}
	for scope, want := range map[DeviceScope]bool{
		{}:                             true,
		{Device: "dev_1"}:              true,
		{Device: "dev_2"}:              false,
		{Type: "pump"}:                 true,
		{Type: "pump", Tag: "dry"}:     false,
		{Type: "pump", Tag: "wet"}:     true,
		{Tag: "gard"}:                  false,
		{Device: "dev_1", Type: "fan"}: false,
	} {
		if scope.Fits(d) != want {
			t.Errorf("%+v", scope)
		}
	}
}
