package domain

import (
	"regexp"
	"slices"
	"time"
)

// Limits of firmware.
const (
	MaxProducts        = 100 // of one user
	MaxReleases        = 1000
	MaxReleaseImages   = 32
	MaxReleaseNotes    = 4000     // characters
	MaxFirmwareImage   = 64 << 20 // bytes
	MaxFirmwareELF     = 128 << 20
	MaxFirmwareUploads = 16             // of one user, that are not complete
	FirmwarePart       = 1 << 20        // bytes of an upload that are sent at a time, at most
	FirmwareUploadKept = 24 * time.Hour // since its last part
	MaxRevision        = 0xffff         // as the highest of an image: any
)

// Product is what firmware is for. Its images name it (project_name), and so do all signed documents.
type Product struct {
	ID      string
	Owner   UserRef
	Name    string // unique among the products of its owner
	Title   string
	Room    string // whose members see it, and whose owner and administrators manage it; empty: none
	Root    int    // version of the newest root; 0: there is none, and nothing can be signed
	Open    bool   // whoever knows its id may join with devices
	Code    string // by which others join with their devices; empty: there is none
	Joined  int    // devices of others that have joined
	Created time.Time
}

// ProductRight is what somebody may do with a product.
type ProductRight int

// The rights, each with those before it.
const (
	NoProductRight ProductRight = iota
	SeeProduct                  // members of its room
	ManageProduct               // owner and administrators of its room: releases and rollouts
	OwnProduct                  // its owner: keys, room, deletion
)

// RightOn returns what a member of a product's room with a role may do with it.
func (r RoomRole) RightOn() ProductRight {
	switch r {
	case Owner, Admin:
		return ManageProduct
	case NonMember:
		return NoProductRight
	}
	return SeeProduct
}

// FirmwareRoot is a signed document with the keys that a product trusts.
type FirmwareRoot struct {
	Product  string // id
	Version  int    // 1, 2, ... without gaps
	Envelope []byte // DSSE, as it was sent
	Expires  time.Time
	Added    time.Time
	AddedBy  string
}

// NewestRoot is the newest root of a product.
type NewestRoot struct {
	Product     string // id
	Name, Owner string // of the product, and the name of its owner's account
	Envelope    []byte // DSSE
}

// ReleaseState is where a release is in its life, which goes one way.
type ReleaseState string

// The states.
const (
	DraftRelease     ReleaseState = "draft"     // images may be added and taken away
	SignedRelease    ReleaseState = "signed"    // as many keys as the root demands have signed it
	ActiveRelease    ReleaseState = "active"    // rollouts may bring it to devices
	WithdrawnRelease ReleaseState = "withdrawn" // it is offered to nobody any more
)

// Release is one version of a product's firmware. From its first signature on it never changes, but for its
// state, its notes and further signatures.
type Release struct {
	ID               string
	Product          string    // id
	Version          string    // for people; unique in its product
	Code             uint32    // for devices, which take no lower one; unique in its product
	MinCode          uint32    // the lowest that may be replaced by it; 0: any
	AllowDowngradeTo uint32    // the lowest code to which devices that run it may go back; 0: they may not
	NotAfter         time.Time // devices refuse it later; zero: never
	Notes            string
	State            ReleaseState
	Manifest         []byte // DSSE envelope with the signatures so far; empty: nobody has signed it
	ManifestHash     string // SHA-256 of the signed bytes of the payload, in hex; empty as above
	Images           []FirmwareImage
	Created          time.Time
	CreatedBy        string
	Changed          time.Time // when its state last changed
}

// FirmwareImage is one file of a release, for a chip and a range of its revisions.
type FirmwareImage struct {
	Release       string
	SHA256        string // of the file, in hex, which is also its name among the files
	Size          int64
	Chip          string // such as esp32c3; of raw images what the product calls it
	RevisionMin   int    // major*100+minor
	RevisionMax   int
	SecureVersion uint32
	ELF           string // SHA-256 of the ELF file that it was made from, in hex; empty: unknown
	HasELF        bool   // that file is here
	MD5, SHA1     string // for clients that check by these, in hex; empty: not computed yet
	Info          ImageInfo
	Factory       *FactoryImage // nil: there is none
}

// FactoryImage is a file with all that the flash of a board needs to begin with: bootloader, partition table and the
// image that it belongs to. It is written by a cable, and never offered to devices.
type FactoryImage struct {
	SHA256 string // of the file, in hex, which is also its name among the files
	Size   int64
	Info   ImageInfo
}

// Fits reports whether the image is for a chip of a revision.
func (i FirmwareImage) Fits(chip string, revision int) bool {
	return i.Chip == chip && i.RevisionMin <= revision && revision <= i.RevisionMax
}

// ImageFor returns the image of r for a chip of a revision.
func (r Release) ImageFor(chip string, revision int) (FirmwareImage, bool) {
	for _, i := range r.Images {
		if i.Fits(chip, revision) {
			return i, true
		}
	}
	return FirmwareImage{}, false
}

// ImageInfo is what an image says about itself.
type ImageInfo struct {
	Format        string         `json:"format" enum:"esp,raw,elf,factory" doc:"esp: of ESP-IDF; raw: of other devices"`
	Chip          string         `json:"chip,omitempty"`
	RevisionMin   int            `json:"revision_min"`
	RevisionMax   int            `json:"revision_max"`
	Project       string         `json:"project,omitempty"`
	Version       string         `json:"version,omitempty"`
	Built         string         `json:"built,omitempty" doc:"date and time, as the image has them"`
	SDK           string         `json:"sdk,omitempty"`
	SecureVersion uint32         `json:"secure_version" format:"int64"`
	ELF           string         `json:"elf_sha256,omitempty"`
	SigningKeys   []string       `json:"signing_keys,omitempty" doc:"digests of keys of Secure Boot, in hex"`
	Findings      []ImageFinding `json:"findings,omitempty"`
	MD5           string         `json:"md5,omitempty" doc:"of the file, for clients that check by it"`
	SHA1          string         `json:"sha1,omitempty" doc:"of the file, for clients that check by it"`
	FlashSize     int64          `json:"flash_size,omitempty" doc:"of a factory image: bytes of flash that it needs"`
	Parts         []FlashPart    `json:"parts,omitempty" doc:"of a factory image: what is written, and where"`
}

// FlashPart is a part of a factory image: its bytes from Offset on are written to flash at Offset. Where the file ends
// before the part does, it goes on with 0xff.
type FlashPart struct {
	Name   string `json:"name" doc:"bootloader, partition table, or the label of a partition"`
	Offset int64  `json:"offset" doc:"in the file and in flash"`
	Size   int64  `json:"size" doc:"bytes; a multiple of 4096"`
	MD5    string `json:"md5" doc:"of these bytes, for the chip to check by"`
	App    bool   `json:"app,omitempty" doc:"it is the application that is started first"`
}

// FindingLevel is how bad a finding is.
type FindingLevel string

// The levels.
const (
	InfoFinding    FindingLevel = "info"
	WarningFinding FindingLevel = "warning"
	ErrorFinding   FindingLevel = "error" // such an image is refused
)

// ImageFinding is what somebody should know about an image.
type ImageFinding struct {
	Level FindingLevel `json:"level" enum:"info,warning,error"`
	Code  string       `json:"code" doc:"stable, such as bad_checksum"`
	Text  string       `json:"text"`
	Fix   string       `json:"fix,omitempty" doc:"what to change"`
}

// Refused returns the first finding for which an image is refused.
func (i ImageInfo) Refused() (ImageFinding, bool) {
	at := slices.IndexFunc(i.Findings, func(f ImageFinding) bool { return f.Level == ErrorFinding })
	if at < 0 {
		return ImageFinding{}, false
	}
	return i.Findings[at], true
}

// ImageDelta makes an image out of another one, the base, that a device has. It is not signed: the image that
// it makes is.
type ImageDelta struct {
	Product string // id
	Base    string // SHA-256 of the image that it starts from
	Target  string // SHA-256 of the image that it makes
	Format  string // as devices name it among their features
	SHA256  string // of the delta itself; empty: it would save too little
	Size    int64
	Made    time.Time
}

// UploadKind is what is uploaded.
type UploadKind string

// The kinds of uploads.
const (
	ImageUpload UploadKind = "image" // that says itself what it is
	RawUpload   UploadKind = "raw"   // an image of which the server knows only what the sender says
	ELFUpload   UploadKind = "elf"
	// FactoryUpload is a flash from its beginning, with bootloader, partition table and application.
	FactoryUpload UploadKind = "factory"
)

// UploadKinds lists all kinds.
func UploadKinds() []UploadKind {
	return []UploadKind{ImageUpload, RawUpload, ELFUpload, FactoryUpload}
}

// FirmwareUpload is a file that arrives in parts.
type FirmwareUpload struct {
	ID       string
	Product  string // id
	By       string // who sends it
	Kind     UploadKind
	Size     int64      // of the whole file
	Received int64      // bytes from its beginning that are here
	SHA256   string     // as announced, and checked at the end
	Info     *ImageInfo // of an image that is complete; else nil
	Created  time.Time
	Changed  time.Time
}

var (
	productNames = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$`)
	chipNames    = regexp.MustCompile(`^[a-z0-9._-]{1,32}$`)
	hexHash      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	versionForm  = regexp.MustCompile(`^[!-~]{1,32}$`)
)

// CheckProduct returns p as it is kept.
func CheckProduct(p Product) (Product, error) {
	if !productNames.MatchString(p.Name) {
		return p, InvalidField("/name", "the name of a product is the project name of its images: 1 to 31 letters, "+
			"digits, dots, hyphens or underscores, the first a letter or digit")
	}
	var err error
	if p.Title, err = CheckLine("/title", p.Title, 64, false); err != nil {
		return p, err
	}
	if p.Room != "" && !ValidID(RoomPrefix, p.Room) {
		return p, InvalidField("/room", "this is the id of a room")
	}
	return p, nil
}

// CheckRelease returns r, without images, as it is kept.
func CheckRelease(r Release) (Release, error) {
	switch {
	case !versionForm.MatchString(r.Version):
		return r, InvalidField("/version", "a version has 1 to 32 printable characters without spaces, such as 2.4.1")
	case r.Code == 0:
		return r, InvalidField("/version_code", "give a number above 0, higher than those of all releases before")
	case r.MinCode > r.Code:
		return r, InvalidField("/min_version_code", "this is at most the release's own version_code")
	case r.AllowDowngradeTo > r.Code:
		return r, InvalidField("/allow_downgrade_to", "this is at most the release's own version_code")
	}
	var err error
	r.Notes, err = CheckProse("/notes", r.Notes, MaxReleaseNotes)
	return r, err
}

// CheckImage refuses an image whose chip or revisions make no sense.
func CheckImage(i FirmwareImage) error {
	switch {
	case !chipNames.MatchString(i.Chip):
		return InvalidField("/chip", "name the chip in 1 to 32 lower-case letters, digits, dots, hyphens or underscores")
	case i.RevisionMin < 0 || i.RevisionMax > MaxRevision || i.RevisionMin > i.RevisionMax:
		return InvalidField("/revision_min", "revisions are 0 to %d, the lowest first", MaxRevision)
	}
	return nil
}

// ValidSHA256 reports whether s is a SHA-256 in lower-case hex.
func ValidSHA256(s string) bool { return hexHash.MatchString(s) }

// Allow returns nil if a right is enough for what needs another one. Whoever has none is not told that the product
// exists.
func (r ProductRight) Allow(need ProductRight) error {
	switch {
	case r == NoProductRight:
		return ErrNoProduct()
	case r >= need:
		return nil
	case need == OwnProduct:
		return Forbidden.Errorf(CodeNotYourProduct, "only the owner of the product may do this")
	}
	return Forbidden.Errorf(CodeNotYourProduct,
		"only the owner of the product, and the owner and administrators of its room, may do this")
}

// ErrNoProduct is the answer about a product that is not there, or that the caller may not see.
func ErrNoProduct() error {
	return NotFound.Errorf(CodeNoProduct, "there is no such product, or you may not see it")
}

// ErrNoRelease is the answer about a release that is not there, or that the caller may not see.
func ErrNoRelease() error {
	return NotFound.Errorf(CodeNoRelease, "there is no such release, or you may not see it")
}
