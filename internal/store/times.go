package store

import "time"

// Millis is the stored form of t: milliseconds since 1970, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time is the time whose stored form is v.
func Time(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMilli(v).UTC()
}

// Trim cuts now to the milliseconds that are stored, so that an acknowledgement has the same
// time as a later replay.
func Trim(now time.Time) time.Time { return Time(Millis(now)) }
