package manifest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Offer brings a manifest to one device. The server signs it with its offer key, in answer to a report of
// the device that brought the nonce.
type Offer struct {
	Type           string    `json:"type"` // offer
	Product        string    `json:"product"`
	Device         string    `json:"device"` // its id
	Nonce          string    `json:"nonce"`  // that the device chose: 128 bits or more at random
	ManifestSHA256 string    `json:"manifest_sha256"`
	Rollout        string    `json:"rollout"`
	Update         string    `json:"update"`
	Issued         time.Time `json:"issued"`
	Expires        time.Time `json:"expires"` // at most MaxOffer after Issued
}

// MaxOffer is how long an offer may be good for.
const MaxOffer = 24 * time.Hour

const (
	minNonce = 22 // characters of base64url: 128 bits
	maxNonce = 64
	maxID    = 64 // bytes
)

// isNonce reports whether s is a nonce: hexadecimal or base64url.
func isNonce(s string) bool {
	outside := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	return len(s) >= minNonce && len(s) <= maxNonce && !strings.ContainsFunc(s, outside)
}

// Seal makes an envelope of an offer, without signatures.
func (o *Offer) Seal() (*Envelope, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return seal(OfferType, o)
}

func readOffer(e *Envelope) (*Offer, error) {
	o := &Offer{}
	if err := e.open(OfferType, o); err != nil {
		return nil, err
	}
	return o, o.check()
}

// check says what is wrong with an offer, apart from its signatures.
func (o *Offer) check() error {
	problem := productProblem(o.Product)
	switch {
	case o.Type != "offer":
		problem = errors.New(`type must be "offer"`)
	case o.Device == "" || strings.TrimSpace(o.Device) != o.Device:
		problem = errors.New("device is missing")
	case len(o.Device) > maxID || len(o.Rollout) > maxID || len(o.Update) > maxID:
		problem = fmt.Errorf("device, rollout and update may have %d bytes", maxID)
	case !isNonce(o.Nonce):
		problem = fmt.Errorf("nonce must have %d to %d characters of base64url", minNonce, maxNonce)
	case !isHash(o.ManifestSHA256):
		problem = errors.New("manifest_sha256 must have 64 hexadecimal digits in lower case")
	case o.Issued.IsZero() || !o.Expires.After(o.Issued) || o.Expires.Sub(o.Issued) > MaxOffer:
		problem = fmt.Errorf("expires must be after issued, by at most %v", MaxOffer)
	}
	if problem != nil {
		return fmt.Errorf("%w: %w", BadDocument, problem)
	}
	return nil
}
