package domain

import (
	"slices"
	"strings"
	"time"
)

// UpdateState is where a device is in a rollout. A device that was not offered the release has no update.
type UpdateState string

// The states of updates.
const (
	UpdateConsent     UpdateState = "consent"  // the owner of the device is asked first
	UpdateDeferred    UpdateState = "deferred" // not before a time: the device said so, or it is tried again then
	UpdateOffered     UpdateState = "offered"
	UpdateAccepted    UpdateState = "accepted"
	UpdateDownloading UpdateState = "downloading"
	UpdateVerified    UpdateState = "verified"
	UpdateInstalling  UpdateState = "installing"
	UpdateRebooting   UpdateState = "rebooting"
	UpdateTesting     UpdateState = "testing" // the device runs it, and must go on to do so for a time
	UpdateSucceeded   UpdateState = "succeeded"
	UpdateUnconfirmed UpdateState = "unconfirmed" // the device has loaded it, and never says what it runs
	UpdateFailed      UpdateState = "failed"      // the device said why
	UpdateRolledBack  UpdateState = "rolled_back"
	UpdateTimedOut    UpdateState = "timed_out"
	UpdateLost        UpdateState = "lost"     // it restarted, and was not heard of again
	UpdateRejected    UpdateState = "rejected" // by the device, for good
	UpdateCanceled    UpdateState = "canceled"
	UpdateSuperseded  UpdateState = "superseded" // by a newer release
)

var updateStates = []UpdateState{UpdateConsent, UpdateDeferred, UpdateOffered, UpdateAccepted, UpdateDownloading,
	UpdateVerified, UpdateInstalling, UpdateRebooting, UpdateTesting, UpdateSucceeded, UpdateUnconfirmed, UpdateFailed,
	UpdateRolledBack, UpdateTimedOut, UpdateLost, UpdateRejected, UpdateCanceled, UpdateSuperseded}

// UpdateStates returns all states, in the order of an update's life.
func UpdateStates() []UpdateState { return slices.Clone(updateStates) }

func (s UpdateState) rank() int { return slices.Index(updateStates, s) }

// After reports whether s comes later in an update's life than before.
func (s UpdateState) After(before UpdateState) bool { return s.rank() > before.rank() }

// Open reports whether more is expected of an update.
func (s UpdateState) Open() bool { return s.rank() <= UpdateTesting.rank() }

// Active reports whether the device has the offer, and is not done with it.
func (s UpdateState) Active() bool { return s.Open() && s.rank() >= UpdateOffered.rank() }

// Stoppable reports whether the device can still be told not to install it.
func (s UpdateState) Stoppable() bool { return s.rank() <= UpdateVerified.rank() }

// Failure reports whether s counts against the release.
func (s UpdateState) Failure() bool {
	return s == UpdateFailed || s == UpdateRolledBack || s == UpdateTimedOut || s == UpdateLost
}

// Update is one device in one rollout.
type Update struct {
	ID        string
	Rollout   string
	Device    string
	Version   string `json:"-"` // that it brings, as the rollout has it
	State     UpdateState
	Stage     int // that it was offered in
	Tries     int // that failed before it was installed
	Rollbacks int
	Offset    int64 // bytes of Size that the device has
	Size      int64
	Reason    string // name of what went wrong, and words after a colon
	Code      uint32 // number of an error of the device's system
	Reset     ResetReason
	Crashed   int // times while it was tested
	Hardware  HardwareRevision
	From      string // version that it ran before
	FromSHA   string
	FromCode  uint32
	Image     string // SHA-256 of the image for it
	ELF       string
	Agreed    bool // its owner has said yes
	Shared    bool // it is of another owner than the product: the publisher is not told which device it is
	Excluded  bool // what becomes of it is not held against the release
	Protocol  UpdateProtocol
	OfferedAt time.Time
	TestedAt  time.Time // since when it runs the image without a crash
	EndedAt   time.Time // when it ended last; zero: it is open
	ChangedAt time.Time
	Due       time.Time     // when something is to be decided without the device; zero: never
	Crashes   int           // of the firmware before, in the time Ran
	Ran       time.Duration // that the firmware before was watched
}

// Why is the name of what went wrong: why the device restarted, or else its reason.
func (u Update) Why() string {
	if u.Reset != "" {
		return string(u.Reset)
	}
	name, _, _ := strings.Cut(u.Reason, ":")
	return name
}

// DeviceFirmware is what a device last said of its firmware, with what is known of it since.
type DeviceFirmware struct {
	Device  string
	Owner   string
	Joined  JoinedTo
	Report  FirmwareReport
	At      time.Time // of the report
	NonceAt time.Time // when this nonce was first told
	Since   time.Time // when it was first seen with this image
	Crashes int       // since then
	Rate    ConnectRate
	Online  bool
	Session int64    // number of its last connection, as in its status
	Type    string   // not of a device that is shared, and the same
	Tags    []string // with its tags
}

// ConnectRate says how often a device connects. A connection counts less the longer ago it was.
type ConnectRate struct {
	Session int64     // number of the last one that is counted
	At      time.Time // when it was
	Lately  float64   // within about an hour, with the image that it runs
	Usually float64   // an hour, over about a week, with whatever it ran
	Flapped time.Time `json:"-"` // when it connected last more often than it usually does; zero: not with this image
}

// Crash is one crash of a device.
type Crash struct {
	ID        string
	Device    string
	Product   string // project name
	Version   string
	At        time.Time
	Signature string // the same for crashes at the same place
	CrashReport
}

// CrashGroup are the crashes at one place.
type CrashGroup struct {
	Signature string
	Count     int
	Devices   int
	First     time.Time
	Last      time.Time
	Example   Crash // the last one
}

// ErrNoUpdate is the answer about an update that does not exist, or not for whoever asks.
func ErrNoUpdate() error { return NotFound.Errorf(CodeNoUpdate, "there is no such update") }
