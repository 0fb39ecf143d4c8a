package domain_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestReportsOfFirmwareAreCheckedFieldByField(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	good := domain.FirmwareReport{Product: "lamp", Chip: "esp32c3", Version: "1.2.0", VersionCode: 3, SHA256: hash,
		SlotState: domain.SlotValid, ResetReason: domain.ResetPowerOn, Nonce: strings.Repeat("n", domain.MinNonce)}
	if err := domain.CheckFirmwareReport(good); err != nil {
		t.Fatal(err)
	}
	high := 101
	for at, spoil := range map[string]func(*domain.FirmwareReport){
		"/product":      func(r *domain.FirmwareReport) { r.Product = "" },
		"/chip":         func(r *domain.FirmwareReport) { r.Chip = strings.Repeat("c", 65) },
		"/version":      func(r *domain.FirmwareReport) { r.Version = "1\n2" },
		"/update":       func(r *domain.FirmwareReport) { r.Update = "upd_1\n" },
		"/sha256":       func(r *domain.FirmwareReport) { r.SHA256 = strings.ToUpper(hash) },
		"/elf_sha256":   func(r *domain.FirmwareReport) { r.ELFSHA256 = "12" },
		"/slot_state":   func(r *domain.FirmwareReport) { r.SlotState = "good" },
		"/reset_reason": func(r *domain.FirmwareReport) { r.ResetReason = "" },
		"/nonce":        func(r *domain.FirmwareReport) { r.Nonce = "short" },
		"/battery":      func(r *domain.FirmwareReport) { r.Battery = &high },
		"/features":     func(r *domain.FirmwareReport) { r.Features = make([]string, 17) },
	} {
		bad := good
		spoil(&bad)
		if got := pointerOf(t, domain.CheckFirmwareReport(bad)); got != at {
			t.Errorf("a report whose %s is wrong is refused for %q", at, got)
		}
	}
}

func TestWhatDevicesSayOfUpdatesIsChecked(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	for at, err := range map[string]error{
		"/state":  domain.CheckFirmwareProgress(domain.FirmwareProgress{Update: "u", State: "rolled_back"}),
		"/offset": domain.CheckFirmwareProgress(domain.FirmwareProgress{Update: "u", State: "downloading", Offset: 2, Size: 1}),
		"/update": domain.CheckFirmwareRead(domain.FirmwareRead{SHA256: hash, Length: 1}),
		"/length": domain.CheckFirmwareRead(domain.FirmwareRead{Update: "u", SHA256: hash, Length: 32<<10 + 1}),
		"/task":   domain.CheckCrashReport(domain.CrashReport{ELFSHA256: hash, ResetReason: domain.ResetPanic, Task: " main"}),
		"/sha256": domain.CheckFirmwareRead(domain.FirmwareRead{Update: "u", SHA256: "../x", Length: 1}),
		"/backtrace": domain.CheckCrashReport(domain.CrashReport{ELFSHA256: hash, ResetReason: domain.ResetPanic,
			Backtrace: make([]uint32, 65)}),
		"/elf_sha256": domain.CheckCrashReport(domain.CrashReport{ELFSHA256: "zz", ResetReason: domain.ResetPanic}),
	} {
		if got := pointerOf(t, err); got != at {
			t.Errorf("what is wrong with %s is refused for %q", at, got)
		}
	}
}

func TestNamesOfFirmwareAreTakenAsTheyAreKept(t *testing.T) {
	t.Parallel()
	hash := strings.Repeat("0a", 32)
	for _, product := range []string{"lamp\n", "\tlamp", " lamp", "lamp\x00", "la\rmp"} {
		report := domain.FirmwareReport{Product: product, Chip: "esp32c3", Version: "1", SHA256: hash,
			SlotState: domain.SlotValid, ResetReason: domain.ResetPowerOn, Nonce: strings.Repeat("n", domain.MinNonce)}
		if got := pointerOf(t, domain.CheckFirmwareReport(report)); got != "/product" {
			t.Errorf("the product %q is refused for %q", product, got)
		}
	}
}

// Files are read from where they may have something: no offset is passed on that overflows with what is added to it.
func TestOffsetsAreWithinWhatAnImageMayHave(t *testing.T) {
	t.Parallel()
	read := domain.FirmwareRead{Update: "u", SHA256: strings.Repeat("0a", 32), Length: 1}
	for offset, want := range map[int64]string{0: "", domain.MaxFirmwareImage: "", domain.MaxFirmwareImage + 1: "/offset",
		1 << 62: "/offset", math.MaxInt64: "/offset", -1: "/offset"} {
		read.Offset = offset
		err := domain.CheckFirmwareRead(read)
		if got := pointerOf(t, err); got != want || want == "" && err != nil {
			t.Errorf("the offset %d is refused for %q: %v", offset, got, err)
		}
	}
}

// pointerOf returns which field an error is about; empty: there is none.
func pointerOf(t *testing.T, err error) string {
	t.Helper()
	var e *domain.Error
	if !errors.As(err, &e) || len(e.Fields) != 1 {
		return ""
	}
	return e.Fields[0].Pointer
}
