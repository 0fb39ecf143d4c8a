package espimage

import (
	"fmt"
	"slices"

	"github.com/unhidra/unhidra/internal/domain"
)

func (i *Image) find(level domain.FindingLevel, code, fix, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	i.Findings = append(i.Findings, domain.ImageFinding{Level: level, Code: code, Text: text, Fix: fix})
}

func (i *Image) refuse(code, fix, format string, args ...any) {
	i.find(domain.ErrorFinding, code, fix, format, args...)
}

func (i *Image) warn(code, fix, format string, args ...any) {
	i.find(domain.WarningFinding, code, fix, format, args...)
}

// Refused reports whether a finding makes the image useless.
func (i *Image) Refused() bool {
	return slices.ContainsFunc(i.Findings, func(f domain.ImageFinding) bool { return f.Level == domain.ErrorFinding })
}

// Expected is what an image must be. Zero fields demand nothing.
type Expected struct {
	Product       string // its project
	Chip          string
	SecureVersion uint32   // the lowest
	SlotSize      int64    // bytes, the most
	Keys          []string // digests of Secure Boot keys, in hexadecimal, one of which must have signed
}

// Expect adds findings about what an image is not.
func (i *Image) Expect(want Expected) {
	if want.Chip != "" && i.Chip != "" && i.Chip != want.Chip {
		i.refuse("wrong_chip", "Choose the image for "+chipTitle(want.Chip)+", or build it with `idf.py set-target "+
			want.Chip+"`.", "it is for %s, not %s", chipTitle(i.Chip), chipTitle(want.Chip))
	}
	if want.Product != "" && i.Project != "" && i.Project != want.Product {
		i.refuse("wrong_project", "Choose the image of this product, or set project("+want.Product+
			") in its CMakeLists.txt.", "it is of the project %q, and the product is %q", i.Project, want.Product)
	}
	if want.SlotSize != 0 && i.Size > want.SlotSize {
		i.refuse("too_large", "Make it smaller, or give the devices a larger partition.",
			"it has %d bytes, and the devices' partition has %d", i.Size, want.SlotSize)
	}
	switch {
	case i.SecureVersion < want.SecureVersion:
		i.refuse("low_secure_version", fmt.Sprintf("Set CONFIG_BOOTLOADER_APP_SECURE_VERSION to %d.", want.SecureVersion),
			"its secure version is %d, and devices that have %d refuse it for ever", i.SecureVersion, want.SecureVersion)
	case i.SecureVersion > want.SecureVersion:
		i.warn("high_secure_version", "Ship this firmware with the old secure version first, and raise it in a release "+
			"of its own.", "its secure version is %d: once a device has confirmed it, it never goes back to one below, "+
			"and %d is what devices have", i.SecureVersion, want.SecureVersion)
	}
	if len(want.Keys) > 0 {
		i.expectKeys(want.Keys)
	}
}

func (i *Image) expectKeys(keys []string) {
	for _, s := range i.Signatures {
		if s.Valid && slices.ContainsFunc(keys, func(k string) bool { return sameDigest(k, s.KeyDigest) }) {
			return
		}
	}
	if len(i.Signatures) == 0 {
		i.refuse("not_signed", "Sign it with `espsecure sign-data --version 2`.",
			"it has no signature of Secure Boot, which the product demands")
		return
	}
	i.refuse("foreign_key", "Sign it with a key of the product.", "no key of the product has signed it")
}

// sameDigest compares digests of keys. ESP32-C2 keeps the first 16 bytes only.
func sameDigest(known, digest string) bool {
	return known == digest || len(known) == 32 && len(digest) == 64 && known == digest[:32]
}
