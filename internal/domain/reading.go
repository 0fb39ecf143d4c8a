package domain

import (
	"fmt"
	"math"
	"time"
)

// ValueKind says what a value is. It is stored: add, never renumber.
type ValueKind uint8

// The kinds of values.
const (
	NumberValue ValueKind = 1
	BoolValue   ValueKind = 2
	TextValue   ValueKind = 3
)

// String is the name of a kind in the protocol; empty for an unknown one.
func (k ValueKind) String() string {
	switch k {
	case NumberValue:
		return "number"
	case BoolValue:
		return "bool"
	case TextValue:
		return "text"
	}
	return ""
}

// A Value is what a sensor measured. Only the field of its kind counts.
type Value struct {
	Kind   ValueKind
	Number float64
	Bool   bool
	Text   string
}

// Number returns v as a value.
func Number(v float64) Value { return Value{Kind: NumberValue, Number: v} }

// Bool returns v as a value.
func Bool(v bool) Value { return Value{Kind: BoolValue, Bool: v} }

// Text returns v as a value.
func Text(v string) Value { return Value{Kind: TextValue, Text: v} }

// Float returns a value as a number: true is 1, false 0, and a text no number.
func (v Value) Float() float64 {
	switch v.Kind {
	case NumberValue:
		return v.Number
	case BoolValue:
		if v.Bool {
			return 1
		}
		return 0
	}
	return math.NaN()
}

// Any returns the value as JSON has it: a float64, a bool or a string.
func (v Value) Any() any {
	switch v.Kind {
	case NumberValue:
		return v.Number
	case BoolValue:
		return v.Bool
	}
	return v.Text
}

// String is the value as people read it: a number in its shortest form, true, false or the text.
func (v Value) String() string { return fmt.Sprint(v.Any()) }

// A Reading is one value of one sensor. Unit is that of SenML (RFC 8428, section 12.1), or empty
// if the device does not tell.
type Reading struct {
	Name  string
	Unit  string
	Value Value
}

// TimeQuality says where the time of a report comes from. It is stored: add, never renumber.
type TimeQuality uint8

// Where times come from.
const (
	DeviceTime    TimeQuality = 0 // the device's clock
	AnchoredTime  TimeQuality = 1 // the device's uptime, and a time at which its clock was right
	EstimatedTime TimeQuality = 2 // the server worked it out, as the device's clock was not set, or ahead
	ReceivedTime  TimeQuality = 3 // the server's clock, when the report came: the device told none
)

// String is the name of a quality in exports.
func (q TimeQuality) String() string {
	switch q {
	case AnchoredTime:
		return "anchored"
	case EstimatedTime:
		return "estimated"
	case ReceivedTime:
		return "received"
	}
	return "device"
}

// A Report is what a device measured at one time. A device that can, numbers its reports from 0
// in each boot, and names the boot by a number that it never uses again; a report that it sends
// twice is then stored once.
type Report struct {
	At       time.Time // zero: when it was received
	Quality  TimeQuality
	Readings []Reading
	Boot     uint64 // only with HasSeq
	Seq      uint32
	HasSeq   bool
	// Old says that the report was buffered: it moves no live value, and raises no alarm.
	Old bool
}

// A Refusal says why a reading, or a whole report if Name is empty, was not stored. The device
// need not send it again: it would be refused again.
type Refusal struct {
	Name   string
	Reason RefusalReason
}

// RefusalReason says why a reading was refused. Reasons are part of the protocol and of metrics:
// add, never rename.
type RefusalReason string

// The reasons.
const (
	RefusedNotFinite  RefusalReason = "not_finite"    // NaN or infinite
	RefusedFuture     RefusalReason = "future"        // of a time that has not come
	RefusedTooOld     RefusalReason = "too_old"       // older than readings are kept
	RefusedName       RefusalReason = "bad_name"      // no name of a sensor
	RefusedUnit       RefusalReason = "bad_unit"      // too long, or no text
	RefusedText       RefusalReason = "bad_text"      // too long, or no text
	RefusedTexts      RefusalReason = "many_texts"    // too many different texts of one sensor
	RefusedUndeclared RefusalReason = "undeclared"    // a sensor that was not declared, beyond those that are learned
	RefusedKind       RefusalReason = "wrong_kind"    // a value of another kind than was declared
	RefusedTwice      RefusalReason = "twice"         // the same sensor twice in one report
	RefusedConflict   RefusalReason = "conflict"      // the number of another report
	RefusedGaps       RefusalReason = "too_many_gaps" // its number is too far from all others: there are too many gaps
)

// RefusalReasons lists every reason.
func RefusalReasons() []RefusalReason {
	return []RefusalReason{RefusedNotFinite, RefusedFuture, RefusedTooOld, RefusedName, RefusedUnit, RefusedText,
		RefusedTexts, RefusedUndeclared, RefusedKind, RefusedTwice, RefusedConflict, RefusedGaps}
}

// A ReportAck says what became of reports. All that is in it is durable: the device may forget
// what was accepted, what was there already, and what was refused.
type ReportAck struct {
	Accepted  int // reports that are new: with a number also those of which every reading was refused
	Duplicate int // reports that had been stored before
	// AckedThrough is the last number of the boot up to which there is no gap; nil: the device
	// does not number its reports, or the first is missing.
	AckedThrough *uint32
	// Missing are the first gaps of the boot, each with its first and last number.
	Missing [][2]uint32
	Refused []Refusal
}

// An Appended is a ReportAck, and which of the reports are new.
type Appended struct {
	ReportAck
	New []int // indexes, ascending
}

// Limits of readings.
const (
	MaxReadings     = 10_000 // in one request
	MaxSensorName   = 64     // bytes
	MaxReadingUnit  = 16     // bytes
	MaxReadingText  = 64     // bytes
	MaxReadingTexts = 256    // different texts of one sensor in an hour
	MaxLearned      = 64     // sensors of a device that it did not declare
	MaxSensors      = 256    // sensors of a device
	MaxMissing      = 16     // gaps in one acknowledgement
)

// CheckSensorName reports whether s can be the name of a sensor: 1 to MaxSensorName bytes of
// letters, digits and "-:./_", of which the first is a letter or a digit (RFC 8428, section 4.5.1).
func CheckSensorName(s string) bool {
	if len(s) == 0 || len(s) > MaxSensorName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '-' || c == ':' || c == '.' || c == '/' || c == '_'):
		default:
			return false
		}
	}
	return true
}

// A Series is what is known of one sensor of a device.
type Series struct {
	Name   string
	Unit   string
	Kind   ValueKind
	Last   Value // the latest value
	LastAt time.Time
}

// A Point is a value of a series.
type Point struct {
	At      time.Time
	Value   Value
	Quality TimeQuality
}

// A Bucket summarises the numbers of a series within a stretch of time that begins at At. Buckets
// without numbers do not exist. Two buckets merge into one; the mean is Sum by Count.
type Bucket struct {
	At          time.Time
	Count       int64
	First, Last float64
	Min, Max    float64
	Sum         float64
}

// Resolution is the stretch of time that a stored bucket covers; 0: single values.
type Resolution time.Duration

// The resolutions that are stored.
const (
	Raw       Resolution = 0
	PerMinute            = Resolution(time.Minute)
	PerHour              = Resolution(time.Hour)
	PerDay               = Resolution(24 * time.Hour)
)
