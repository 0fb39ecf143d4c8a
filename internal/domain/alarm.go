package domain

import (
	"math"
	"slices"
	"time"
)

// Limits of alarms.
const (
	MaxAlarmRules   = 32 // of one device alone
	MaxGroupRules   = 32 // of one user, for several devices
	MaxAlarmNote    = 500
	MaxAlarmWindow  = 24 * time.Hour
	MaxAlarmSnooze  = 30 * 24 * time.Hour
	AlarmLag        = 5 * time.Minute // older readings are history, and raise nothing
	AlarmFlaps      = 4               // episodes of a rule in AlarmFlapWindow; the next one flaps
	AlarmFlapWindow = time.Hour
	AlarmFlapQuiet  = 10 * time.Minute // that one which flaps must be quiet before it is over
	AlarmKept       = 365 * 24 * time.Hour
	minAlarmSilence = 10 * time.Second
	minEscalation   = time.Minute
)

// AlarmKind is what a rule looks at.
type AlarmKind string

// The kinds of rules.
const (
	ThresholdAlarm AlarmKind = "threshold" // a value above or below a limit
	RateAlarm      AlarmKind = "rate"      // the change of a value within a window
	AbsenceAlarm   AlarmKind = "absence"   // no readings for some time
	AnomalyAlarm   AlarmKind = "anomaly"   // a value unlike those before it
)

// AlarmSeverity is how bad it is.
type AlarmSeverity string

// The severities.
const (
	InfoAlarm     AlarmSeverity = "info"
	WarningAlarm  AlarmSeverity = "warning"
	CriticalAlarm AlarmSeverity = "critical"
)

// AlarmSeverities returns all severities, the least first.
func AlarmSeverities() []AlarmSeverity {
	return []AlarmSeverity{InfoAlarm, WarningAlarm, CriticalAlarm}
}

// AlarmRule says when a device raises an alarm.
type AlarmRule struct {
	ID           string
	Device       string
	Group        string // id of the rule for several devices that it comes from; empty: it is of this device alone
	Name         string
	Kind         AlarmKind
	Severity     AlarmSeverity
	Sensor       string        // empty for absence
	Above, Below *float64      // limits of the value, of its change, or of its score; nil: none
	Hysteresis   float64       // how far behind the limit the value must be for the alarm to be over
	For          time.Duration // for how long the value must be there; of absence: for how long nothing came
	Window       time.Duration // of a rate: over which the change is looked at
	Room         string        // where it is posted; empty: nowhere
	Escalation   Escalation
	Disabled     bool
	SnoozedUntil time.Time // it is not posted before
	CreatedBy    string
	CreatedAt    time.Time
	ChangedAt    time.Time
}

// A ScopedRule is a rule for all devices of its creator that a scope fits, also for those that come later. Each of
// them has a rule of its own, which follows this one.
type ScopedRule struct {
	AlarmRule // Device is empty
	Scope     DeviceScope
	Devices   int // that have it
}

// For is the rule that a device has of g.
func (g ScopedRule) For(device string) AlarmRule {
	r := g.AlarmRule
	r.ID, r.Device, r.Group = NewID(AlarmRulePrefix), device, g.ID
	return r
}

// Escalation is what happens with an alarm that nobody has acknowledged for some time.
type Escalation struct {
	After time.Duration // after it was raised; 0: nothing happens
	Room  string        // where it is posted then; empty: in the rule's room again
	User  string        // a member of that room who is mentioned; empty: nobody
}

// Breaches reports whether a value is beyond a limit of r, and which; over reports whether it is
// far enough behind all limits for an alarm to end.
func (r AlarmRule) Breaches(v float64) (limit float64, breach, over bool) {
	switch {
	case r.Above != nil && v > *r.Above:
		return *r.Above, true, false
	case r.Below != nil && v < *r.Below:
		return *r.Below, true, false
	}
	over = (r.Above == nil || v <= *r.Above-r.Hysteresis) && (r.Below == nil || v >= *r.Below+r.Hysteresis)
	return 0, false, over
}

// CheckAlarmRule refuses rules that make no sense.
func CheckAlarmRule(r AlarmRule) (AlarmRule, error) {
	var err error
	if r.Name, err = CheckLine("/name", r.Name, maxCapabilityText, true); err != nil {
		return r, err
	}
	if r.Severity == "" {
		r.Severity = WarningAlarm
	}
	if !slices.Contains(AlarmSeverities(), r.Severity) {
		return r, InvalidField("/severity", "a severity is info, warning or critical")
	}
	if r.Room != "" && !ValidID(RoomPrefix, r.Room) {
		return r, InvalidField("/room", "this is the id of a room")
	}
	if r.For < 0 || r.For > MaxAlarmWindow {
		return r, InvalidField("/for", "this is 0 to %d seconds", int(MaxAlarmWindow/time.Second))
	}
	if err := checkEscalation(r); err != nil {
		return r, err
	}
	switch r.Kind {
	case AbsenceAlarm:
		return checkAbsence(r)
	case AnomalyAlarm:
		return r, checkAnomaly(r)
	}
	return r, checkLimits(r)
}

func checkEscalation(r AlarmRule) error {
	e := r.Escalation
	switch {
	case e == (Escalation{}):
		return nil
	case e.After < minEscalation || e.After > MaxAlarmWindow:
		return InvalidField("/escalate/after", "this is %d to %d seconds", int(minEscalation/time.Second),
			int(MaxAlarmWindow/time.Second))
	case e.Room == "" && e.User == "":
		return InvalidField("/escalate", "name a room, or somebody in the room that the alarm is posted to")
	case e.Room != "" && !ValidID(RoomPrefix, e.Room):
		return InvalidField("/escalate/room", "this is the id of a room")
	case e.User != "" && !ValidID(UserPrefix, e.User):
		return InvalidField("/escalate/user", "this is the id of a user")
	case e.Room == "" && r.Room == "":
		return InvalidField("/escalate/room", "name a room, since the alarm is posted to none")
	}
	return nil
}

func checkAbsence(r AlarmRule) (AlarmRule, error) {
	switch {
	case r.For != 0 && r.For < minAlarmSilence:
		return r, InvalidField("/for", "silence is at least %d seconds, or absent: 2.5 heartbeats",
			int(minAlarmSilence/time.Second))
	case r.Sensor != "":
		return r, InvalidField("/sensor", "absence is about the whole device")
	case r.Above != nil || r.Below != nil || r.Window != 0 || r.Hysteresis != 0:
		return r, InvalidField("/kind", "a rule about absence has for, and no limits")
	}
	return r, nil
}

// Scores of anomalies that a rule may ask for: below the least, ordinary readings are odd.
const (
	minAnomaly = 3
	maxAnomaly = 100
)

func checkAnomaly(r AlarmRule) error {
	switch {
	case !CheckSensorName(r.Sensor):
		return InvalidField("/sensor", "name the sensor")
	case r.Above == nil || math.IsNaN(*r.Above) || *r.Above < minAnomaly || *r.Above > maxAnomaly:
		return InvalidField("/above", "a score is from %d to %d; 6 is a good one to begin with", minAnomaly, maxAnomaly)
	case r.Below != nil || r.Window != 0 || r.Hysteresis != 0:
		return InvalidField("/kind", "a rule about anomalies has above and for, and nothing else")
	}
	return nil
}

func checkLimits(r AlarmRule) error {
	switch {
	case r.Kind != ThresholdAlarm && r.Kind != RateAlarm:
		return InvalidField("/kind", "a kind is threshold, rate, absence or anomaly")
	case !CheckSensorName(r.Sensor):
		return InvalidField("/sensor", "name the sensor")
	case r.Above == nil && r.Below == nil:
		return InvalidField("/above", "set above, below or both")
	case bad(r.Above) || bad(r.Below):
		return InvalidField("/above", "a limit is between -1e15 and 1e15")
	case math.IsNaN(r.Hysteresis) || r.Hysteresis < 0 || r.Hysteresis > maxBound:
		return InvalidField("/hysteresis", "this is 0 or more")
	case r.Above != nil && r.Below != nil && *r.Below+r.Hysteresis > *r.Above-r.Hysteresis:
		return InvalidField("/hysteresis", "between below and above there must be a value at which the alarm is over")
	case r.Kind == RateAlarm && (r.Window < time.Second || r.Window > MaxAlarmWindow):
		return InvalidField("/window", "the change is looked at over 1 to %d seconds", int(MaxAlarmWindow/time.Second))
	case r.Kind == ThresholdAlarm && r.Window != 0:
		return InvalidField("/window", "only a rate has a window")
	}
	return nil
}

func bad(limit *float64) bool {
	return limit != nil && (math.IsNaN(*limit) || math.Abs(*limit) > maxBound)
}

// Alarm is one episode of a rule: from the moment that it was raised until it is over. A rule has
// at most one that is not over.
type Alarm struct {
	ID           string
	Rule         string
	Device       string
	Name         string // of the rule, when it was raised
	Kind         AlarmKind
	Severity     AlarmSeverity
	Sensor       string
	Value        *float64 // that raised it; nil: of absence
	Limit        *float64
	Room         string // that it was posted to; empty: none
	Seq          int64  // of its line in the room
	RaisedAt     time.Time
	ClearedAt    time.Time // zero: it is not over
	Acknowledged UserRef   // zero: by nobody
	AckedAt      time.Time
	SnoozedUntil time.Time
	Note         string
	Flapping     bool
	Due          time.Time // when it is posted, if it is held, or else escalates; zero: never
	Maintenance  string    // name of the window in which it was raised; empty: in none
	HeldUntil    time.Time // it was not posted before, as a window lasted; zero: it was, or never is
	EscalatedAt  time.Time
	EscalatedTo  string // room that it escalated to; empty: none
	EscalatedSeq int64  // of its line there
}

// Rooms returns the rooms in which the alarm has a line.
func (a Alarm) Rooms() (rooms []string) {
	for _, room := range []string{a.Room, a.EscalatedTo} {
		if room != "" && !slices.Contains(rooms, room) {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// AlarmLine is an alarm as the lines of a room show it.
type AlarmLine struct {
	ID           string        `json:"id"`
	Rule         string        `json:"rule"`
	Name         string        `json:"name"`
	Kind         AlarmKind     `json:"kind"`
	Severity     AlarmSeverity `json:"severity"`
	Sensor       string        `json:"sensor,omitempty"`
	Value        *float64      `json:"value,omitempty"`
	Limit        *float64      `json:"limit,omitempty"`
	RaisedAt     time.Time     `json:"raised_at"`
	ClearedAt    *time.Time    `json:"cleared_at,omitempty"`
	Acknowledged string        `json:"acknowledged,omitempty"` // id of who did
	AckedAt      *time.Time    `json:"acked_at,omitempty"`
	SnoozedUntil *time.Time    `json:"snoozed_until,omitempty"`
	EscalatedAt  *time.Time    `json:"escalated_at,omitempty"`
	Maintenance  string        `json:"maintenance,omitempty"` // name of the window in which it was raised
	Note         string        `json:"note,omitempty"`
	Flapping     bool          `json:"flapping,omitempty"`
}

// Line returns a as a room shows it.
func (a Alarm) Line() *AlarmLine {
	opt := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	return &AlarmLine{
		ID: a.ID, Rule: a.Rule, Name: a.Name, Kind: a.Kind, Severity: a.Severity, Sensor: a.Sensor, Value: a.Value,
		Limit: a.Limit, RaisedAt: a.RaisedAt, ClearedAt: opt(a.ClearedAt), Acknowledged: a.Acknowledged.ID,
		AckedAt: opt(a.AckedAt), SnoozedUntil: opt(a.SnoozedUntil), EscalatedAt: opt(a.EscalatedAt),
		Maintenance: a.Maintenance, Note: a.Note, Flapping: a.Flapping,
	}
}

// AlarmChange is what somebody does about an alarm; nil leaves a value as it is.
type AlarmChange struct {
	Acknowledge bool
	SnoozeUntil *time.Time // the zero time ends a snooze
	Note        *string
}

// ErrNoAlarm is the answer about an alarm that does not exist, or not for whoever asks.
func ErrNoAlarm() error { return NotFound.Errorf(CodeNoAlarm, "there is no such alarm") }

// ErrNoAlarmRule is the answer about a rule that does not exist, or not for whoever asks.
func ErrNoAlarmRule() error { return NotFound.Errorf(CodeNoAlarmRule, "there is no such rule") }
