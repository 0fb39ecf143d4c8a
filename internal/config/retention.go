package config

import "errors"

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
