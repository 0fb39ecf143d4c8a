package domain

import (
	"slices"
	"time"
)

// Limits of maintenance windows.
const (
	MaxMaintenance    = 100 // windows of one user
	MaxMaintenanceRun = 31 * 24 * time.Hour
	maxWeeklyRun      = 24 * time.Hour
	MaintenanceKept   = 30 * 24 * time.Hour // after the end of one that comes once
)

// DeviceScope says which devices of one owner are meant: all, or those that each of its parts fits.
type DeviceScope struct {
	Device string
	Type   string
	Tag    string
	Group  string // made by hand; it goes with nothing else
}

// Fits reports whether d, a device of the same owner, is meant.
func (s DeviceScope) Fits(d Device) bool {
	return (s.Device == "" || s.Device == d.ID) && (s.Type == "" || s.Type == d.Type) &&
		(s.Tag == "" || slices.Contains(d.Tags, s.Tag)) && (s.Group == "" || slices.Contains(d.Groups, s.Group))
}

// CheckScope refuses scopes that name a group besides something else.
func CheckScope(s DeviceScope) error {
	if s.Group != "" && s != (DeviceScope{Group: s.Group}) {
		return InvalidField("/device_group", "name either a group, or other things that the devices have in common")
	}
	return nil
}

// Maintenance is a time in which alarms of some devices are not posted. It comes once, from From to To, or each
// week on Weekdays, at Start in the zone, for Length.
type Maintenance struct {
	ID        string
	Owner     string
	Name      string
	Scope     DeviceScope
	From, To  time.Time      // zero: each week
	Weekdays  []time.Weekday // on which it begins
	Start     time.Duration  // after midnight, as clocks in the zone show it
	Length    time.Duration
	Zone      string // of the IANA database
	CreatedAt time.Time
}

// Active returns until when the window lasts, if now is within it.
func (m Maintenance) Active(now time.Time) (until time.Time, active bool) {
	if !m.To.IsZero() {
		return m.To, !now.Before(m.From) && now.Before(m.To)
	}
	zone, err := time.LoadLocation(m.Zone)
	if err != nil { // the zone is known no more: the window never comes
		return time.Time{}, false
	}
	local := now.In(zone)
	for back := range 2 { // one of yesterday may last until today
		y, month, d := local.AddDate(0, 0, -back).Date()
		begin := time.Date(y, month, d, 0, int(m.Start/time.Minute), 0, 0, zone)
		end := begin.Add(m.Length)
		if slices.Contains(m.Weekdays, begin.Weekday()) && !now.Before(begin) && now.Before(end) {
			return end.UTC(), true
		}
	}
	return time.Time{}, false
}

// CheckMaintenance refuses windows that make no sense.
func CheckMaintenance(m Maintenance, now time.Time) (Maintenance, error) {
	var err error
	if m.Name, err = CheckLine("/name", m.Name, maxCapabilityText, true); err != nil {
		return m, err
	}
	if err := CheckScope(m.Scope); err != nil {
		return m, err
	}
	once, weekly := !m.From.IsZero() || !m.To.IsZero(), len(m.Weekdays) > 0
	switch {
	case once == weekly:
		return m, InvalidField("/weekdays", "send either from and to, or weekdays, start, minutes and zone")
	case once && (!m.From.Before(m.To) || m.To.Sub(m.From) > MaxMaintenanceRun):
		return m, InvalidField("/to", "this is after from, within %d days", int(MaxMaintenanceRun/(24*time.Hour)))
	case once && !m.To.After(now):
		return m, InvalidField("/to", "this time is over already")
	case once:
		return m, nil
	}
	return checkWeekly(m)
}

func checkWeekly(m Maintenance) (Maintenance, error) {
	slices.Sort(m.Weekdays)
	m.Weekdays = slices.Compact(m.Weekdays)
	if m.Weekdays[0] < time.Sunday || m.Weekdays[len(m.Weekdays)-1] > time.Saturday {
		return m, InvalidField("/weekdays", "days are 1, which is Monday, to 7")
	}
	if m.Start < 0 || m.Start >= 24*time.Hour {
		return m, InvalidField("/start", "this is a time of day, such as 02:30")
	}
	if m.Length < time.Minute || m.Length > maxWeeklyRun {
		return m, InvalidField("/minutes", "this is 1 to %d minutes", int(maxWeeklyRun/time.Minute))
	}
	if _, err := time.LoadLocation(m.Zone); err != nil || m.Zone == "" || m.Zone == "Local" {
		return m, InvalidField("/zone", "name a time zone, such as Europe/Berlin")
	}
	return m, nil
}

// ErrNoMaintenance is the answer about a window that does not exist, or not for whoever asks.
func ErrNoMaintenance() error {
	return NotFound.Errorf(CodeNoMaintenance, "there is no such maintenance window")
}
