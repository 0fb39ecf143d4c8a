package wire

import (
	"encoding/json"

	"github.com/unhidra/unhidra/internal/domain"
)

// Types of frames about firmware; docs/firmware-updates.md has the whole.
const (
	TypeFirmware         = "firmware"          // FirmwareReport -> nothing; devices only
	TypeFirmwareProgress = "firmware.progress" // FirmwareProgress -> FirmwareAnswer; devices only
	TypeFirmwareRead     = "firmware.read"     // FirmwareRead -> FirmwareData; devices only
	TypeCrash            = "crash"             // CrashReport -> nothing; devices only

	TypeFirmwareOffer = "firmware.offer" // FirmwareOffer: to a device
)

// FirmwareReport is what a device says about the firmware that it runs.
type FirmwareReport struct {
	Product         string   `json:"product" maxLength:"64" doc:"project name of the image"`
	Chip            string   `json:"chip" maxLength:"64"`
	Revision        uint16   `json:"revision,omitempty" doc:"of the hardware: 100 times major, and minor"`
	Version         string   `json:"version" maxLength:"64"`
	VersionCode     uint32   `json:"version_code" doc:"grows with each release"`
	SHA256          string   `json:"sha256" doc:"of the image that runs: 64 lower-case hexadecimal digits"`
	ELFSHA256       string   `json:"elf_sha256,omitempty"`
	SecureVersion   uint32   `json:"secure_version,omitempty"`
	SlotState       string   `json:"slot_state" enum:"new,pending_verify,valid,invalid,aborted,undefined"`
	ResetReason     string   `json:"reset_reason" enum:"unknown,power_on,external,software,panic,interrupt_watchdog,task_watchdog,watchdog,deep_sleep,brownout,other"`
	RollbackCapable bool     `json:"rollback_capable,omitempty" doc:"what is not confirmed is taken back"`
	Nonce           string   `json:"nonce" minLength:"22" maxLength:"64" doc:"random, of base64url; the next offer has it"`
	RootVersion     int      `json:"root_version,omitempty" doc:"of the root that the device trusts"`
	Update          string   `json:"update,omitempty" maxLength:"64" doc:"that it is in, or was before it restarted"`
	Features        []string `json:"features,omitempty" maxItems:"16" doc:"formats of deltas; windows: by firmware.read"`
	Battery         *int     `json:"battery,omitempty" doc:"percent"`
	Signal          *int     `json:"signal,omitempty" doc:"dBm"`
	Charging        *bool    `json:"charging,omitempty"`
	UTCOffset       *int     `json:"utc_offset,omitempty" doc:"seconds that the device's local time is ahead of UTC"`
}

// FirmwareOffer tells a device of an update. The envelopes are what it checks.
type FirmwareOffer struct {
	Update   string             `json:"update"`
	Offer    json.RawMessage    `json:"offer" doc:"DSSE envelope, signed by the server for this device and its nonce"`
	Manifest json.RawMessage    `json:"manifest" doc:"DSSE envelope, signed by the keys of the product"`
	Roots    []json.RawMessage  `json:"roots,omitempty" doc:"DSSE envelopes: those after the device's, the oldest first"`
	Image    FirmwareFile       `json:"image"`
	Delta    *FirmwareDelta     `json:"delta,omitempty"`
	If       FirmwareConditions `json:"if,omitzero" doc:"what must be so; else the device answers deferred"`
}

// FirmwareFile says where an image is.
type FirmwareFile struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	URL    string `json:"url,omitempty" doc:"for GET, also of ranges; good for a short time; absent: by firmware.read"`
}

// FirmwareDelta says where the patch is that makes the image of the one that runs.
type FirmwareDelta struct {
	Format     string `json:"format"`
	BaseSHA256 string `json:"base_sha256" doc:"of the image that it is applied to"`
	SHA256     string `json:"sha256" doc:"of the patch"`
	Size       int64  `json:"size"`
	URL        string `json:"url,omitempty"`
}

// FirmwareConditions are what a device looks at before it installs an update.
type FirmwareConditions struct {
	Battery  int  `json:"battery,omitempty" doc:"percent, at least"`
	Signal   int  `json:"signal,omitempty" doc:"dBm, at least"`
	Charging bool `json:"charging,omitempty" doc:"it must be charging"`
}

// FirmwareProgress is what a device says about an update.
type FirmwareProgress struct {
	Update  string `json:"update" maxLength:"64"`
	State   string `json:"state" enum:"accepted,deferred,downloading,verified,installing,rebooting,testing,succeeded,failed,rejected"`
	Offset  int64  `json:"offset,omitempty" doc:"bytes that it has, while it is downloading"`
	Size    int64  `json:"size,omitempty" doc:"bytes of what it downloads"`
	Reason  string `json:"reason,omitempty" maxLength:"200" doc:"a name of what is wrong, and perhaps a colon and words"`
	Code    uint32 `json:"code,omitempty" doc:"number of an error of the device's own system"`
	RetryIn int    `json:"retry_in,omitempty" doc:"seconds, with deferred: after which the update may be offered again"`
}

// FirmwareAnswer tells a device whether to go on with an update.
type FirmwareAnswer struct {
	Action string `json:"action" enum:"continue,stop"`
	Reason string `json:"reason,omitempty" doc:"why it is to stop"`
}

// FirmwareRead asks for a part of a file of an update.
type FirmwareRead struct {
	Update string `json:"update" maxLength:"64"`
	SHA256 string `json:"sha256" doc:"of the image or of the patch"`
	Offset int64  `json:"offset"`
	Length int    `json:"length" minimum:"1" maximum:"32768"`
}

// FirmwareData is that part. Less than was asked for is there only at the end of the file.
type FirmwareData struct {
	Offset int64  `json:"offset"`
	Data   []byte `json:"data" doc:"base64"`
}

// CrashReport is what a device says about its last crash.
type CrashReport struct {
	ELFSHA256   string   `json:"elf_sha256" doc:"of the firmware that crashed: the first 8 to 64 digits"`
	ResetReason string   `json:"reset_reason"`
	Task        string   `json:"task,omitempty" maxLength:"64"`
	PC          uint32   `json:"pc,omitempty"`
	Backtrace   []uint32 `json:"backtrace,omitempty" maxItems:"64" doc:"addresses, the innermost first"`
	Message     string   `json:"message,omitempty" maxLength:"200"`
	Core        []byte   `json:"core,omitempty" doc:"a core dump of at most 32 KiB, in base64; it may hold secrets"`
}

// Checked returns what the device says, or why it cannot say that.
func (r FirmwareReport) Checked() (domain.FirmwareReport, error) {
	d := domain.FirmwareReport{
		Product: r.Product, Chip: r.Chip, Revision: r.Revision, Version: r.Version, VersionCode: r.VersionCode,
		SHA256: r.SHA256, ELFSHA256: r.ELFSHA256, SecureVersion: r.SecureVersion,
		SlotState: domain.SlotState(r.SlotState), ResetReason: domain.ResetReason(r.ResetReason),
		RollbackCapable: r.RollbackCapable, Nonce: r.Nonce, RootVersion: r.RootVersion, Update: r.Update,
		Features: r.Features, Battery: r.Battery, Signal: r.Signal, Charging: r.Charging, UTCOffset: r.UTCOffset,
	}
	return d, domain.CheckFirmwareReport(d)
}

// Checked returns what the device says, or why it cannot say that.
func (p FirmwareProgress) Checked() (domain.FirmwareProgress, error) {
	d := domain.FirmwareProgress{Update: p.Update, State: domain.FirmwareStep(p.State), Offset: p.Offset, Size: p.Size,
		Reason: p.Reason, Code: p.Code, Wait: domain.Seconds(p.RetryIn)}
	return d, domain.CheckFirmwareProgress(d)
}

// Checked returns what the device asks for, or why nobody can.
func (r FirmwareRead) Checked() (domain.FirmwareRead, error) {
	d := domain.FirmwareRead(r)
	return d, domain.CheckFirmwareRead(d)
}

// Checked returns what the device says, or why it cannot say that.
func (r CrashReport) Checked() (domain.CrashReport, error) {
	d := domain.CrashReport{ELFSHA256: r.ELFSHA256, ResetReason: domain.ResetReason(r.ResetReason), Task: r.Task, PC: r.PC,
		Backtrace: r.Backtrace, Message: r.Message, Core: r.Core}
	return d, domain.CheckCrashReport(d)
}

// FromFirmwareOffer returns an offer as a device gets it.
func FromFirmwareOffer(o domain.FirmwareOffer) FirmwareOffer {
	w := FirmwareOffer{Update: o.Update, Offer: o.Offer, Manifest: o.Manifest, Roots: o.Roots,
		Image: FirmwareFile(o.Image), If: FirmwareConditions(o.If)}
	if d := o.Delta; d != nil {
		w.Delta = &FirmwareDelta{Format: d.Format, BaseSHA256: d.BaseSHA256, SHA256: d.SHA256, Size: d.Size, URL: d.URL}
	}
	return w
}

// FromFirmwareAnswer returns an answer as a device gets it.
func FromFirmwareAnswer(a domain.FirmwareAnswer) FirmwareAnswer {
	return FirmwareAnswer{Action: string(a.Action), Reason: a.Reason}
}
