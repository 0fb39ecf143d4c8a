package manifest

import (
	"crypto/subtle"
	"fmt"
	"time"
)

// A Device is what a device knows when it gets an offer.
type Device struct {
	Root          *Root // that it trusts
	ID            string
	Chip          string
	Revision      uint16        // of its hardware
	VersionCode   uint32        // that it runs
	Floor         uint32        // lowest version code that it accepts; see Manifest.Floor
	SecureVersion uint32        // of its eFuses
	SlotSize      int64         // bytes that an image may have; 0: any number
	Nonce         string        // that it sent last
	SinceNonce    time.Duration // by a clock that nobody sets
}

// A Taken is an offer that a device may take, verified.
type Taken struct {
	Root     *Root // the device trusts it from now on
	Offer    *Offer
	Manifest *Manifest
	Image    *Image // what to install
}

// Take decides whether a device may take an offer. The error wraps a Code. The device must then compare the
// image, once it has it, by Image.Check. Take changes nothing: also after an error the device may keep
// the newest root that follows from its own (Root.Follow).
//
// A device needs no clock that is right: how old the offer is it measures from its own nonce, and all other
// times are compared with the one at which the offer says that it was issued.
func (d *Device) Take(offer, manifest *Envelope, roots []*Envelope) (*Taken, error) {
	root, err := d.Root.Follow(roots)
	if err != nil {
		return nil, err
	}
	m, err := root.Manifest(manifest)
	if err != nil {
		return nil, err
	}
	o, err := root.Offer(offer)
	if err != nil {
		return nil, err
	}
	if err := d.checkOffer(root, o); err != nil {
		return nil, err
	}
	if hash := manifest.Hash(); hash != o.ManifestSHA256 {
		return nil, fmt.Errorf("%w: it has the hash %s, and the offer names %s", WrongManifest, hash, o.ManifestSHA256)
	}
	if m.Expired(o.Issued) {
		return nil, fmt.Errorf("%w: at %s", ManifestExpired, m.NotAfter.UTC().Format(time.RFC3339))
	}
	image, err := d.choose(m)
	if err != nil {
		return nil, err
	}
	return &Taken{Root: root, Offer: o, Manifest: m, Image: image}, nil
}

// checkOffer says whether an offer with a valid signature is for this device, now.
func (d *Device) checkOffer(root *Root, o *Offer) error {
	switch {
	case o.Device != d.ID:
		return fmt.Errorf("%w: %s", WrongDevice, o.Device)
	case d.Nonce == "" || subtle.ConstantTimeCompare([]byte(o.Nonce), []byte(d.Nonce)) != 1:
		return WrongNonce
	case d.SinceNonce < 0 || d.SinceNonce > o.Expires.Sub(o.Issued):
		return fmt.Errorf("%w: it was good for %v", OfferExpired, o.Expires.Sub(o.Issued))
	case root.Expired(o.Issued):
		return fmt.Errorf("%w: at %s", RootExpired, root.Expires.UTC().Format(time.RFC3339))
	}
	return nil
}

// choose finds the image of a manifest that the device may install.
func (d *Device) choose(m *Manifest) (*Image, error) {
	image, err := m.Image(d.Chip, d.Revision)
	switch {
	case err != nil:
		return nil, err
	case m.VersionCode < d.Floor:
		return nil, fmt.Errorf("%w: %d is below %d", Downgrade, m.VersionCode, d.Floor)
	case d.VersionCode < m.MinVersion:
		return nil, fmt.Errorf("%w: %d is below %d", TooOld, d.VersionCode, m.MinVersion)
	case image.SecureVersion < d.SecureVersion:
		return nil, fmt.Errorf("%w: %d is below %d", SecureVersion, image.SecureVersion, d.SecureVersion)
	case d.SlotSize != 0 && image.Size > d.SlotSize:
		return nil, fmt.Errorf("%w: %d bytes do not fit in %d", WrongSize, image.Size, d.SlotSize)
	}
	return image, nil
}
