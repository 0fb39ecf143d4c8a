package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
)

// A Manifest describes a release: its images, and which devices may take them. It is signed offline by
// release keys. Patches are not in it: what they make is.
type Manifest struct {
	Type        string    `json:"type"` // manifest
	Product     string    `json:"product"`
	Version     string    `json:"version"`      // for people
	VersionCode uint32    `json:"version_code"` // grows with each release
	Created     time.Time `json:"created"`
	NotAfter    time.Time `json:"not_after,omitzero"`        // devices that are offered it later refuse it
	MinVersion  uint32    `json:"min_version_code,omitzero"` // devices below it need another release first
	// AllowDowngradeTo is the lowest version code to which a device may go back once it runs this release. 0:
	// it may not go back.
	AllowDowngradeTo uint32  `json:"allow_downgrade_to,omitzero"`
	Images           []Image `json:"images"`
}

// An Image is one file of a release, for a chip and a range of hardware revisions.
type Image struct {
	Chip          string  `json:"chip"`                   // such as esp32c3, in lower case
	RevisionMin   uint16  `json:"revision_min,omitzero"`  // of the hardware: major*100 + minor
	RevisionMax   *uint16 `json:"revision_max,omitempty"` // nil: no limit
	Size          int64   `json:"size"`
	SHA256        string  `json:"sha256"`                  // of the file, in hexadecimal
	ELFSHA256     string  `json:"elf_sha256,omitzero"`     // of the ELF file that it was made of
	SecureVersion uint32  `json:"secure_version,omitzero"` // against anti-rollback
}

// MaxImageSize is the largest image, in bytes.
const MaxImageSize = 1 << 30

// Seal makes an envelope of a manifest, without signatures.
func (m *Manifest) Seal() (*Envelope, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return seal(ManifestType, m)
}

// ReadManifest reads a manifest whose signatures are not verified; Root.Manifest verifies them.
func ReadManifest(e *Envelope) (*Manifest, error) {
	m := &Manifest{}
	if err := e.open(ManifestType, m); err != nil {
		return nil, err
	}
	return m, m.check()
}

// Expired reports whether the manifest has ended at t.
func (m *Manifest) Expired(t time.Time) bool { return !m.NotAfter.IsZero() && t.After(m.NotAfter) }

// Floor is the lowest version code that a device accepts once it runs this release, and has confirmed it.
func (m *Manifest) Floor() uint32 {
	if m.AllowDowngradeTo != 0 {
		return m.AllowDowngradeTo
	}
	return m.VersionCode
}

// Image finds the image for a chip and a hardware revision.
func (m *Manifest) Image(chip string, revision uint16) (*Image, error) {
	code := WrongChip
	for i := range m.Images {
		switch image := &m.Images[i]; {
		case image.Chip != chip:
		case image.Covers(revision):
			return image, nil
		default:
			code = WrongRevision
		}
	}
	return nil, fmt.Errorf("%w: %.32s, revision %d", code, chip, revision)
}

// Covers reports whether the image is for a hardware revision.
func (i *Image) Covers(revision uint16) bool { return i.RevisionMin <= revision && revision <= i.max() }

func (i *Image) max() uint16 {
	if i.RevisionMax == nil {
		return math.MaxUint16
	}
	return *i.RevisionMax
}

// Check says whether a file's size and SHA-256 are those of the image.
func (i *Image) Check(size int64, sum [sha256.Size]byte) error {
	if size != i.Size {
		return fmt.Errorf("%w: %d bytes instead of %d", WrongSize, size, i.Size)
	}
	if hex.EncodeToString(sum[:]) != i.SHA256 {
		return fmt.Errorf("%w: its SHA-256 is %x", WrongImage, sum)
	}
	return nil
}

// check says what is wrong with a manifest, apart from its signatures.
func (m *Manifest) check() error {
	problem := productProblem(m.Product)
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case m.Type != "manifest":
		problem = errors.New(`type must be "manifest"`)
	case m.Version == "" || len(m.Version) > maxVersion || strings.ContainsFunc(m.Version, unprintable):
		problem = fmt.Errorf("version must have 1 to %d bytes, all of them printable", maxVersion)
	case m.VersionCode == 0:
		problem = errors.New("version_code must be 1 or more")
	case m.Created.IsZero():
		problem = errors.New("created is missing")
	case !m.NotAfter.IsZero() && m.NotAfter.Before(m.Created):
		problem = errors.New("not_after is before created")
	case m.MinVersion > m.VersionCode:
		problem = errors.New("min_version_code is above version_code")
	case m.AllowDowngradeTo > m.VersionCode:
		problem = errors.New("allow_downgrade_to is above version_code")
	case len(m.Images) < 1 || len(m.Images) > MaxImages:
		problem = fmt.Errorf("images must be 1 to %d", MaxImages)
	}
	for i := range m.Images {
		if problem == nil {
			problem = m.checkImage(i)
		}
	}
	if problem != nil {
		return fmt.Errorf("%w: %w", BadDocument, problem)
	}
	return nil
}

const (
	maxVersion = 64
	maxChip    = 32
)

func (m *Manifest) checkImage(n int) error {
	i := &m.Images[n]
	outside := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("._-", r)
	}
	switch {
	case i.Chip == "" || len(i.Chip) > maxChip || strings.ContainsFunc(i.Chip, outside):
		return fmt.Errorf("chip must have 1 to %d of a-z, 0-9, dots, hyphens and underscores", maxChip)
	case i.RevisionMin > i.max():
		return errors.New("revision_min is above revision_max")
	case i.Size < 1 || i.Size > MaxImageSize:
		return fmt.Errorf("size must be 1 to %d", MaxImageSize)
	case !isHash(i.SHA256) || i.ELFSHA256 != "" && !isHash(i.ELFSHA256):
		return errors.New("sha256 and elf_sha256 must have 64 hexadecimal digits in lower case")
	}
	for _, other := range m.Images[:n] {
		if other.Chip == i.Chip && other.RevisionMin <= i.max() && i.RevisionMin <= other.max() {
			return fmt.Errorf("two images are for %s and the same hardware revision", i.Chip)
		}
	}
	return nil
}

func isHash(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == sha256.Size && hex.EncodeToString(b) == s
}
