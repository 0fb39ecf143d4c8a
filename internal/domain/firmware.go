package domain

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Limits of what devices say about their firmware.
const (
	MaxFirmwareName   = 64       // bytes of a product, a version, a chip
	MinNonce          = 22       // characters: 128 bits in base64url
	MaxNonce          = 64       //
	MaxFirmwareReason = 200      // characters
	MaxFirmwareWindow = 32 << 10 // bytes of one answer to firmware.read
	MaxOfferRoots     = 8        // of one offer
	MaxCrashMessage   = 200      // characters
	MaxBacktrace      = 64       // addresses
	MaxCore           = 32 << 10 // bytes of a core dump within a crash report
	maxFeatures       = 16
)

// SlotState is what the bootloader has noted about the image that runs: the states of otadata of ESP-IDF.
type SlotState string

// The states of a slot.
const (
	SlotNew       SlotState = "new"
	SlotPending   SlotState = "pending_verify" // it runs, and the next reset takes it back unless it is confirmed
	SlotValid     SlotState = "valid"          // it has confirmed itself
	SlotInvalid   SlotState = "invalid"        // it has given itself up
	SlotAborted   SlotState = "aborted"        // it was reset before it had confirmed itself
	SlotUndefined SlotState = "undefined"      // the bootloader takes nothing back, or the image came with the device
)

var slotStates = []SlotState{SlotNew, SlotPending, SlotValid, SlotInvalid, SlotAborted, SlotUndefined}

// ResetReason is why a device started the last time.
type ResetReason string

// The reasons, by the names of ESP-IDF.
const (
	ResetUnknown   ResetReason = "unknown"
	ResetPowerOn   ResetReason = "power_on"
	ResetExternal  ResetReason = "external"
	ResetSoftware  ResetReason = "software"
	ResetPanic     ResetReason = "panic"
	ResetInterrupt ResetReason = "interrupt_watchdog"
	ResetTask      ResetReason = "task_watchdog"
	ResetWatchdog  ResetReason = "watchdog"
	ResetDeepSleep ResetReason = "deep_sleep"
	ResetBrownout  ResetReason = "brownout"
	ResetOther     ResetReason = "other"
)

var resetReasons = []ResetReason{ResetUnknown, ResetPowerOn, ResetExternal, ResetSoftware, ResetPanic, ResetInterrupt,
	ResetTask, ResetWatchdog, ResetDeepSleep, ResetBrownout, ResetOther}

// TakenBack reports whether the bootloader, or the device, gave up the image that it was to run last. Then it runs
// another one, and why it started is that image's doing.
func (s SlotState) TakenBack() bool { return s == SlotAborted || s == SlotInvalid }

// Crashed reports whether a device that starts for reason r had failed: by a panic or a watchdog.
func (r ResetReason) Crashed() bool {
	return r == ResetPanic || r == ResetInterrupt || r == ResetTask || r == ResetWatchdog
}

// FirmwareReport is what a device says about the firmware that it runs, with each connection and when that
// changes.
type FirmwareReport struct {
	Product         string // project_name of the image
	Chip            string // for example esp32c3
	Revision        uint16 // of the hardware: major*100 + minor
	Version         string
	VersionCode     uint32
	SHA256          string // of the image that runs, as hexadecimal digits
	ELFSHA256       string
	SecureVersion   uint32
	SlotState       SlotState
	ResetReason     ResetReason
	RollbackCapable bool   // its bootloader takes back what does not confirm itself
	Nonce           string // that the next offer must have
	RootVersion     int    // of the root that it trusts; 0: it has none
	Update          string // id of the update that it is in, or was in before it restarted; empty: none
	Protocol        UpdateProtocol
	Features        []string

	// What preconditions are about; nil: the device does not say.
	Battery   *int // percent
	Signal    *int // dBm
	Charging  *bool
	UTCOffset *int // seconds that its local time is ahead of UTC
}

// Has reports whether a device has a feature: the name of a format of deltas that it can apply, or
// FeatureWindows.
func (r FirmwareReport) Has(feature string) bool { return slices.Contains(r.Features, feature) }

// FeatureWindows is the feature of devices that fetch images by firmware.read, over the connection they have.
const FeatureWindows = "windows"

// FirmwareOffer tells a device of an update. Offer, Manifest and Roots are DSSE envelopes, which the device
// checks; nothing else of it is signed, nor has to be.
type FirmwareOffer struct {
	Update   string
	Offer    json.RawMessage
	Manifest json.RawMessage
	Roots    []json.RawMessage // those after the one that the device has, the oldest first
	Image    FirmwareFile      // of the images of the manifest, the one for this device
	Delta    *FirmwareDelta    // from the image that the device runs; nil: there is none
	If       FirmwareConditions
}

// FirmwareFile says where an image is.
type FirmwareFile struct {
	SHA256 string
	Size   int64
	URL    string // good for a short time; empty: by firmware.read alone
}

// FirmwareDelta says where the patch is that makes an image of another.
type FirmwareDelta struct {
	FirmwareFile        // the patch
	Format       string // for example detools-heatshrink
	BaseSHA256   string // of the image that it is applied to
}

// FirmwareConditions are what a device looks at before it installs an update. Zero values ask for nothing.
type FirmwareConditions struct {
	Battery  int  // percent, at least
	Signal   int  // dBm, at least; 0: any
	Charging bool // it must be charging
}

// FirmwareStep is how far a device says that it has come with an update.
type FirmwareStep string

// The steps. The server alone decides whether an update has succeeded.
const (
	FirmwareAccepted    FirmwareStep = "accepted"
	FirmwareDeferred    FirmwareStep = "deferred" // not now
	FirmwareDownloading FirmwareStep = "downloading"
	FirmwareVerified    FirmwareStep = "verified" // the image is in flash, and is what the manifest says
	FirmwareInstalling  FirmwareStep = "installing"
	FirmwareRebooting   FirmwareStep = "rebooting"
	FirmwareTesting     FirmwareStep = "testing" // it runs the image, which is not confirmed yet
	FirmwareSucceeded   FirmwareStep = "succeeded"
	FirmwareFailed      FirmwareStep = "failed"   // it may be tried again
	FirmwareRejected    FirmwareStep = "rejected" // it must not be offered again: it failed a check
)

var firmwareSteps = []FirmwareStep{FirmwareAccepted, FirmwareDeferred, FirmwareDownloading, FirmwareVerified,
	FirmwareInstalling, FirmwareRebooting, FirmwareTesting, FirmwareSucceeded, FirmwareFailed, FirmwareRejected}

// FirmwareProgress is what a device says about an update.
type FirmwareProgress struct {
	Update string
	State  FirmwareStep
	Offset int64         // bytes that it has of Size, while it is downloading
	Size   int64         //
	Reason string        // a name of what went wrong, for example bad_signature, and words after a colon
	Code   uint32        // number of an error of the device's system, for example 0x1503 of ESP-IDF
	Wait   time.Duration // with deferred: after which it may be offered again; 0: the server decides
}

// Late reports whether the device took an offer for too old, or for one to an earlier nonce.
func (p FirmwareProgress) Late() bool {
	return slices.Contains([]string{"offer_expired", "wrong_nonce"}, p.why())
}

// Refused reports whether a check of the device failed, so that what it was brought may be forged, sent again, held
// back, cut off or damaged. Of some the device says that it failed, since it may be offered the release again.
func (p FirmwareProgress) Refused() bool {
	check := slices.Contains([]string{"bad_signature", "bad_offer", "wrong_size", "wrong_image_bytes"}, p.why())
	return p.State == FirmwareRejected || p.State == FirmwareFailed && (check || p.Late())
}

// why is the name that the reason begins with.
func (p FirmwareProgress) why() string {
	name, _, _ := strings.Cut(p.Reason, ":")
	return name
}

// FirmwareAction is what a device is to do with its update.
type FirmwareAction string

// The actions.
const (
	FirmwareContinue FirmwareAction = "continue"
	FirmwareStop     FirmwareAction = "stop" // forget the update; what is confirmed stays
)

// FirmwareAnswer is the answer to a FirmwareProgress.
type FirmwareAnswer struct {
	Action FirmwareAction
	Reason string // of stop
}

// FirmwareRead asks for a part of a file of an update: the image or the delta.
type FirmwareRead struct {
	Update string
	SHA256 string // of the file
	Offset int64
	Length int // bytes, at most MaxFirmwareWindow
}

// CrashReport is what a device says about its last crash.
type CrashReport struct {
	ELFSHA256   string // of the firmware that crashed, or its first digits
	ResetReason ResetReason
	Task        string
	PC          uint32
	Backtrace   []uint32 // the innermost first
	Message     string
	Core        []byte // a core dump; nil: none
}

// CheckFirmwareReport refuses what a device cannot say about its firmware.
func CheckFirmwareReport(r FirmwareReport) error {
	for _, name := range []struct {
		at, value string
		required  bool
	}{{"/product", r.Product, true}, {"/chip", r.Chip, true}, {"/version", r.Version, true}, {"/update", r.Update, false}} {
		if err := checkName(name.at, name.value, name.required); err != nil {
			return err
		}
	}
	if err := checkSHA256("/sha256", r.SHA256, true); err != nil {
		return err
	}
	if err := checkSHA256("/elf_sha256", r.ELFSHA256, false); err != nil {
		return err
	}
	switch {
	case !slices.Contains(slotStates, r.SlotState):
		return InvalidField("/slot_state", "this is one of %s", joined(slotStates))
	case !slices.Contains(resetReasons, r.ResetReason):
		return InvalidField("/reset_reason", "this is one of %s", joined(resetReasons))
	case r.RootVersion < 0:
		return InvalidField("/root_version", "this is not negative; 0: the device trusts no root")
	case r.Battery != nil && (*r.Battery < 0 || *r.Battery > 100):
		return InvalidField("/battery", "this is percent, 0 to 100")
	case r.Signal != nil && (*r.Signal < -200 || *r.Signal > 100):
		return InvalidField("/signal", "this is dBm, -200 to 100")
	case r.UTCOffset != nil && (*r.UTCOffset < -18*3600 || *r.UTCOffset > 18*3600):
		return InvalidField("/utc_offset", "this is seconds, at most 18 hours either way")
	case len(r.Features) > maxFeatures:
		return InvalidField("/features", "a device has at most %d features", maxFeatures)
	}
	for _, f := range r.Features {
		if err := checkName("/features", f, true); err != nil {
			return err
		}
	}
	return checkNonce(r.Nonce)
}

// checkName refuses what is no name, or is not written as it is kept: with blanks or line breaks around it.
func checkName(pointer, s string, required bool) error {
	kept, err := CheckLine(pointer, s, MaxFirmwareName, required)
	if err == nil && kept != s {
		err = InvalidField(pointer, "remove the blanks and line breaks around it")
	}
	return err
}

func checkNonce(s string) error {
	inBase64url := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
	}
	if len(s) < MinNonce || len(s) > MaxNonce ||
		strings.ContainsFunc(s, func(c rune) bool { return !inBase64url(c) }) {
		return InvalidField("/nonce", "a nonce is random: %d to %d characters of base64url", MinNonce, MaxNonce)
	}
	return nil
}

func checkSHA256(pointer, s string, required bool) error {
	if s == "" && !required {
		return nil
	}
	if len(s) != 64 || !isHex(s) {
		return InvalidField(pointer, "a SHA-256 is 64 lower-case hexadecimal digits")
	}
	return nil
}

func isHex(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return (c < '0' || c > '9') && (c < 'a' || c > 'f') })
}

func joined[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = string(n)
	}
	return strings.Join(texts, ", ")
}

// CheckFirmwareProgress refuses what a device cannot say about an update.
func CheckFirmwareProgress(p FirmwareProgress) error {
	if err := checkName("/update", p.Update, true); err != nil {
		return err
	}
	switch {
	case !slices.Contains(firmwareSteps, p.State):
		return InvalidField("/state", "this is one of %s", joined(firmwareSteps))
	case p.Offset < 0 || p.Size < 0 || p.Offset > p.Size:
		return InvalidField("/offset", "offset is 0 to size")
	case p.Wait < 0 || p.Wait > MaxCommandExpiry*31:
		return InvalidField("/retry_in", "a device defers an update by at most 31 days")
	}
	_, err := CheckLine("/reason", p.Reason, MaxFirmwareReason, false)
	return err
}

// CheckFirmwareRead refuses a part of a file that nobody can be given.
func CheckFirmwareRead(r FirmwareRead) error {
	if err := checkName("/update", r.Update, true); err != nil {
		return err
	}
	switch {
	case r.Offset < 0 || r.Offset > MaxFirmwareImage:
		return InvalidField("/offset", "an offset is 0 to %d, which is as large as an image may be", MaxFirmwareImage)
	case r.Length < 1 || r.Length > MaxFirmwareWindow:
		return InvalidField("/length", "ask for 1 to %d bytes", MaxFirmwareWindow)
	}
	return checkSHA256("/sha256", r.SHA256, true)
}

// CheckCrashReport refuses what a device cannot say about a crash.
func CheckCrashReport(r CrashReport) error {
	switch {
	case len(r.ELFSHA256) < 8 || len(r.ELFSHA256) > 64 || !isHex(r.ELFSHA256):
		return InvalidField("/elf_sha256", "this is the first 8 to 64 hexadecimal digits, lower-case, of the ELF's SHA-256")
	case !slices.Contains(resetReasons, r.ResetReason):
		return InvalidField("/reset_reason", "this is one of %s", joined(resetReasons))
	case len(r.Backtrace) > MaxBacktrace:
		return InvalidField("/backtrace", "a backtrace has at most %d addresses", MaxBacktrace)
	case len(r.Core) > MaxCore:
		return InvalidField("/core", "a core dump has at most %d bytes here", MaxCore)
	}
	if err := checkName("/task", r.Task, false); err != nil {
		return err
	}
	_, err := CheckLine("/message", r.Message, MaxCrashMessage, false)
	return err
}
