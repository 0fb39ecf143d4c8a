package domain

import "time"

// Limits of rollouts.
const (
	MaxRollouts      = 500 // of one product
	MaxRolloutStages = 10
	MaxExclusions    = 200 // of one kind
	MaxUpdateWindows = 7
	MaxRolloutNote   = 500
	MaxCrashes       = 50 // that are kept of one device
	CrashesKept      = 90 * 24 * time.Hour
)

// RolloutState is where a rollout is.
type RolloutState string

// The states of rollouts. What is not final may be aborted.
const (
	RolloutAwaiting  RolloutState = "awaiting_approval" // by somebody else than who made it
	RolloutScheduled RolloutState = "scheduled"         // it begins when its time comes
	RolloutRunning   RolloutState = "running"           // offers are made to the devices of a stage
	RolloutSoaking   RolloutState = "soaking"           // the stage is complete enough, and is watched
	RolloutPaused    RolloutState = "paused"            // by somebody, or by itself: no offers are made
	RolloutCompleted RolloutState = "completed"         // all devices that were there have it; later ones still get it
	RolloutAborted   RolloutState = "aborted"
	RolloutReverting RolloutState = "reverting" // another rollout takes it back
	RolloutReverted  RolloutState = "reverted"
)

// RolloutStates returns all states, in the order of a rollout's life.
func RolloutStates() []RolloutState {
	return []RolloutState{RolloutAwaiting, RolloutScheduled, RolloutRunning, RolloutSoaking, RolloutPaused,
		RolloutCompleted, RolloutAborted, RolloutReverting, RolloutReverted}
}

// Offers reports whether devices are offered the release in state s.
func (s RolloutState) Offers() bool {
	return s == RolloutRunning || s == RolloutSoaking || s == RolloutCompleted
}

// Final reports whether a rollout in state s makes no offers ever again.
func (s RolloutState) Final() bool {
	return s == RolloutAborted || s == RolloutReverting || s == RolloutReverted
}

// HardwareRevision is a revision of a chip.
type HardwareRevision struct {
	Chip     string `json:"chip" maxLength:"32"`
	Revision int    `json:"revision" minimum:"0" maximum:"65535" doc:"major*100 + minor"`
}

// Rollout brings a release to devices.
type Rollout struct {
	ID        string
	Product   string // id
	Name      string // of the product, as devices report it
	Release   string // id
	Owner     string // of the product
	Posts     string // id of the room that it is told to; empty: none
	Line      int64  // number of its line in the room; 0: none
	Plan      RolloutPlan
	Note      string
	Salt      string // of the buckets
	Code      uint32 // version_code of the release
	Version   string // of the release
	Reverts   string // id of the rollout that it takes back; empty: none
	State     RolloutState
	Stage     int       // that is open, from 0
	Devices   int       // that are meant, when the stage was opened
	StageAt   time.Time // when it was opened
	SoakAt    time.Time // when it was complete enough; zero: it is not
	Forgiven  time.Time // what ended before is not held against the release; zero: nothing
	Pause     RolloutPause
	Scanned   string // id of the last device that was looked at for an offer
	Room      int    // offers that may be made before it is judged again
	Idle      bool   // when the scan came to its end, no device of the open stage waited
	CreatedBy UserRef
	CreatedAt time.Time
	Approved  UserRef // zero: by nobody
	StartedAt time.Time
	Judged    time.Time // when the server last decided about it
	Revision  int64     // counts changes
}

// RolloutCounts are what a rollout is judged by. Devices that it leaves out by now are not in them.
type RolloutCounts struct {
	States    map[UpdateState]int // how many updates are in each
	Unheard   int                 // offered longer than OfferPatience ago: they hold up nobody
	Lately    int                 // offers within a minute
	Contacted int                 // in the stage that is open: devices that have, or had, an offer
	Reported  int                 // of these: that have ended it
	Ended     []EndedGroup        // since Forgiven
	Health    RolloutHealth
}

// OfferPatience is for how long an offer without an answer holds up others.
const OfferPatience = 10 * time.Minute

// RolloutLine is a rollout as the line of a room shows it.
type RolloutLine struct {
	ID        string        `json:"id"`
	Product   string        `json:"product" doc:"its name"`
	Version   string        `json:"version"`
	State     RolloutState  `json:"state" enum:"awaiting_approval,scheduled,running,soaking,paused,completed,aborted,reverting,reverted"`
	Stage     int           `json:"stage" doc:"that is open, from 1"`
	Stages    int           `json:"stages" doc:"how many there are"`
	Percent   float64       `json:"percent" doc:"of the devices, in this stage"`
	Devices   int           `json:"devices" doc:"that are meant; 0: they have not been counted"`
	Succeeded int           `json:"succeeded"`
	Failed    int           `json:"failed"`
	Pause     *RolloutPause `json:"pause,omitempty" doc:"why it is paused"`
	Itself    bool          `json:"itself,omitempty" doc:"it went on, or paused, by itself"`
	Note      string        `json:"note,omitempty" doc:"of the actor"`
}

// Told returns r as a room shows it.
func (r Rollout) Told(c RolloutCounts, itself bool, note string) *RolloutLine {
	l := &RolloutLine{ID: r.ID, Product: r.Name, Version: r.Version, State: r.State, Stage: r.Stage + 1,
		Stages: len(r.Plan.Stages), Devices: r.Devices, Succeeded: c.States[UpdateSucceeded], Itself: itself, Note: note}
	if r.Stage < len(r.Plan.Stages) {
		l.Percent = r.Plan.Stages[r.Stage].Percent
	}
	for s, n := range c.States {
		if s.Failure() {
			l.Failed += n
		}
	}
	if r.State == RolloutPaused {
		pause := r.Pause
		l.Pause = &pause
	}
	return l
}

// RolloutEntry is an entry of the log of a rollout.
type RolloutEntry struct {
	Rollout string
	Seq     int64
	At      time.Time
	By      UserRef // who did it; zero: it went on by itself
	What    string  // such as stage, paused or excluded
	Stage   int
	State   RolloutState
	Details RolloutPause // of paused
	Note    string
}

// EndedGroup counts updates that ended in the same way, for the same reason, on one revision of the hardware.
type EndedGroup struct {
	Hardware HardwareRevision
	State    UpdateState
	Why      string // name of a reason, or of a reset
	Count    int
}

// RolloutHealth compares devices that run the release with the same devices before, and with those that do not run it.
type RolloutHealth struct {
	Crashes       int           // with the release
	Devices       int           // that these are of
	Ran           time.Duration // of all devices together
	CrashesBefore int
	RanBefore     time.Duration
	Flapping      Flapping
}

// Flapping counts devices that have connected more often within an hour than they usually do, of all that were there
// for some time.
type Flapping struct {
	With, WithOf       int // the release
	Without, WithoutOf int // zero unless those with it are Suspect
}

// Suspect reports whether so many devices with the release flap that those without it are to be looked at.
func (f Flapping) Suspect(j RolloutJudge) bool {
	return f.With >= FewFlap && float64(f.With) > j.Flapping*float64(f.WithOf)
}

// What is known of devices that flap.
const (
	FewFlap    = 3                // devices at least that a rollout is judged by
	FlapWithin = time.Hour        // ago
	FlapAfter  = 15 * time.Minute // for which a device has run what it runs, unless it flaps before
)

// LikelyChance is the greatest Chance of a RolloutPause with which its Revision is worth a look.
const LikelyChance = 0.2

// PauseKind is why a rollout is paused.
type PauseKind string

// The kinds.
const (
	PausedByUser   PauseKind = "user"
	PausedFailures PauseKind = "failures" // too many devices failed
	PausedLost     PauseKind = "lost"     // devices do not come back
	PausedRevision PauseKind = "revision" // it fails on one revision of the hardware
	PausedCrashes  PauseKind = "crashes"  // devices crash more often than before
	PausedFlapping PauseKind = "flapping" // devices lose their connections more often than before, and than others
	PausedSuccess  PauseKind = "success"  // too few have succeeded for the next stage
	PausedRelease  PauseKind = "release"  // the release was withdrawn
)

// PauseKinds returns all kinds.
func PauseKinds() []PauseKind {
	return []PauseKind{PausedByUser, PausedFailures, PausedLost, PausedRevision, PausedCrashes, PausedFlapping,
		PausedSuccess, PausedRelease}
}

// RolloutTally counts the rollouts of all owners.
type RolloutTally struct {
	States  map[RolloutState]int
	Paused  map[PauseKind]int   // by why they are
	Updates map[UpdateState]int // devices of those that are running, soaking or paused
}

// RolloutPause says why a rollout is paused, and on what evidence. The zero value says that it is not.
type RolloutPause struct {
	Kind     PauseKind         `json:"kind"`
	At       time.Time         `json:"at"`
	Failed   int               `json:"failed" doc:"devices"`
	Of       int               `json:"of" doc:"devices that had ended it, or run it, or crashes after it"`
	AtLeast  float64           `json:"at_least,omitempty" doc:"share of devices that fail, or flap, with 99 % certainty"`
	Revision *HardwareRevision `json:"revision,omitempty" doc:"that stands out the most"`
	Chance   float64           `json:"chance,omitempty" doc:"probability that one would stand out as much by chance"`
	Reason   string            `json:"reason,omitempty" doc:"that most of the devices gave, or why they restarted"`
	Before   float64           `json:"before,omitempty" doc:"crashes per hour of a device before it"`
	After    float64           `json:"after,omitempty" doc:"and with it"`
	Without  float64           `json:"without,omitempty" doc:"share of the devices without it that flap"`
}

// ErrReverted is the answer to whoever takes back a rollout that somebody has taken back.
func ErrReverted() error {
	return Conflict.Errorf(CodeRolloutState, "the rollout is taken back already")
}

// ErrNoRollout is the answer about a rollout that does not exist, or not for whoever asks.
func ErrNoRollout() error { return NotFound.Errorf(CodeNoRollout, "there is no such rollout") }
