package domain

import "time"

// UpdateProtocol is how a device asks for updates that does not know the server's own frames.
type UpdateProtocol string

// The protocols.
const (
	OwnProtocol  UpdateProtocol = "" // frames of the server, with signed offers
	HTTPProtocol UpdateProtocol = "http"
	DDIProtocol  UpdateProtocol = "ddi" // of hawkBit
)

// OTADevice is what the owner of a device says of it that cannot say so itself.
type OTADevice struct {
	Device     string // ids
	Owner      string
	Product    string
	Chip       string
	Revision   int               // major*100 + minor
	Link       string            // random; the signature of its link is of this, too
	Attributes map[string]string // what it says of itself over hawkBit's protocol
	Canceled   string            // number of the action whose cancellation it has confirmed last
	Created    time.Time
}

// CheckOTADevice refuses what a device cannot be.
func CheckOTADevice(o OTADevice) error {
	switch {
	case !chipNames.MatchString(o.Chip):
		return InvalidField("/chip", "name the chip as the images of the product do, such as esp32c3")
	case o.Revision < 0 || o.Revision > MaxRevision:
		return InvalidField("/revision", "a revision is 0 to %d", MaxRevision)
	}
	return nil
}

// Pulled is the update that a device which asks for updates may load. Without an id there is none.
type Pulled struct {
	Update  Update
	Release Release
	Image   FirmwareImage
}

// ErrNoOTA is the answer about a device whose owner has not said which product it is of.
func ErrNoOTA() error {
	return NotFound.Errorf(CodeNoOTA,
		"nothing is known of this device; its owner says what it is with `unhidra firmware ota-url`")
}
