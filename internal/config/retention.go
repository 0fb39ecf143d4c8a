package config

import (
	"errors"
	"fmt"
)

// Retention says how long messages are kept, until administrators say otherwise.
type Retention struct {
	Days, Lines      int // of rooms that chose nothing; 0: for good, and all
	MinDays, MaxDays int // bounds on what rooms may choose; 0: none
}

func (r Retention) complete() error {
	if r.MaxDays > 0 && r.MinDays > r.MaxDays {
		return errors.New("UNHIDRA_RETENTION_MIN_DAYS is longer than UNHIDRA_RETENTION_MAX_DAYS")
	}
	return nil
}

// Readings says for how many days readings of devices are kept; 0: for ever.
type Readings struct {
	Days, MinutesDays, HoursDays, DaysDays int // single ones, and what sums up each minute, hour and day
}

// RemoteWrite says where readings are forwarded to.
type RemoteWrite struct {
	URL   string // empty: nowhere
	User  string
	Token Secret
}

// complete refuses to keep what is finer for longer than what is coarser: charts would have holes.
func (r Readings) complete() error {
	finer, name := r.Days, "UNHIDRA_READINGS_DAYS"
	for _, c := range []struct {
		name string
		days int
	}{
		{"UNHIDRA_READINGS_MINUTES_DAYS", r.MinutesDays}, {"UNHIDRA_READINGS_HOURS_DAYS", r.HoursDays},
		{"UNHIDRA_READINGS_DAYS_DAYS", r.DaysDays},
	} {
		if c.days != 0 && (finer == 0 || c.days < finer) {
			return fmt.Errorf("%s must not be shorter than %s", c.name, name)
		}
		finer, name = c.days, c.name
	}
	return nil
}
