package ota

import (
	"cmp"
	"context"
	"net/http"
	"regexp"
	"strings"

	"github.com/unhidra/unhidra/internal/domain"
)

// told is what a device says of itself with a request.
type told struct {
	version string // empty: it does not say
	md5     string // of the image that it runs; empty: it does not say
	family  string // of its chip, such as esp32; empty: it does not say
}

// Headers of the clients of Arduino and Tasmota begin so.
const (
	of8266 = "X-Esp8266-"
	of32   = "X-Esp32-"
)

// tells returns what the headers of a request, or its URL, say of the device.
func tells(r *http.Request) told {
	h, t := r.Header, told{}
	t.version = clean(cmp.Or(h.Get("X-Firmware-Version"), h.Get(of8266+"Version"), h.Get(of32+"Version"),
		r.URL.Query().Get("version")))
	if sum := strings.ToLower(cmp.Or(h.Get(of8266+"Sketch-Md5"), h.Get(of32+"Sketch-Md5"))); md5Form.MatchString(sum) {
		t.md5 = sum
	}
	switch agent := h.Get("User-Agent"); {
	case strings.HasPrefix(agent, "ESP8266-http-Update"), h.Get(of8266+"Sta-Mac") != "":
		t.family = "esp8266"
	case strings.HasPrefix(agent, "ESP32-http-Update"), h.Get(of32+"Sta-Mac") != "":
		t.family = "esp32"
	}
	return t
}

var (
	md5Form = regexp.MustCompile(`^[0-9a-f]{32}$`)
	numbers = regexp.MustCompile(`[0-9]+(\.[0-9]+)+`)
)

// clean returns what of a version can be one.
func clean(version string) string {
	version = strings.Map(func(c rune) rune {
		if c < '!' || c > '~' {
			return -1
		}
		return c
	}, version)
	return version[:min(len(version), domain.MaxFirmwareName)]
}

// report is what is known of the firmware of a device when it asks: what it says now, or else said last. Its image is
// known if it is of a release.
func (s *Service) report(
	ctx context.Context, c caller, t told, by domain.UpdateProtocol,
) (f domain.FirmwareReport, err error) {
	v, err := s.Products.ProductByID(ctx, c.Product)
	if err != nil {
		return f, err
	}
	f = domain.FirmwareReport{Product: v.Name, Chip: c.Chip, Revision: uint16(c.Revision), //nolint:gosec // checked
		SlotState: domain.SlotUndefined, ResetReason: domain.ResetUnknown, Protocol: by}
	if t.version == "" && t.md5 == "" {
		last, known, err := s.Fleet.Firmware(ctx, c.Device)
		if err != nil || !known || last.Report.Product != f.Product {
			return f, err
		}
		l := last.Report
		f.Version, f.VersionCode, f.SHA256, f.ELFSHA256, f.SecureVersion = l.Version, l.VersionCode, l.SHA256, l.ELFSHA256,
			l.SecureVersion
		return f, nil
	}
	f.Version = t.version
	r, known, err := s.Store.Runs(ctx, c.Product, t.version, t.md5)
	// Tasmota says tasmota-14.4.1, or 14.4.1(tasmota).
	if bare := numbers.FindString(t.version); err == nil && !known && bare != "" && bare != t.version {
		r, known, err = s.Store.Runs(ctx, c.Product, bare, "")
	}
	if err != nil || !known {
		return f, err
	}
	f.Version = r.Version
	if image, ok := r.ImageFor(c.Chip, c.Revision); ok {
		f.VersionCode, f.SHA256, f.ELFSHA256, f.SecureVersion = r.Code, image.SHA256, image.ELF, image.SecureVersion
	}
	return f, nil
}

// fits returns an error if a device says that its chip is of another family than its owner says.
func (t told) fits(c caller) error {
	if t.family == "" || t.family == "esp32" && strings.HasPrefix(c.Chip, t.family) || c.Chip == t.family {
		return nil
	}
	return domain.NotFound.Errorf(domain.CodeNoImage,
		"the device says that it is an %s, and its owner that it is an %s; register it anew with the right chip", t.family,
		c.Chip)
}
