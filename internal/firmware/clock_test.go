package firmware

import (
	"context"
	"crypto"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

type anyProducts interface{ Products } // to embed, beside methods of that name

// A lampShelf has one product with one root.
type lampShelf struct {
	anyProducts
	root []byte
}

func (l *lampShelf) ProductByID(context.Context, string) (domain.Product, error) {
	return domain.Product{ID: "prd_lamp", Name: "lamp", Root: 1}, nil
}

func (l *lampShelf) Roots(context.Context, string, int) ([]domain.FirmwareRoot, error) {
	return []domain.FirmwareRoot{{Product: "prd_lamp", Version: 1, Envelope: l.root}}, nil
}

// seal signs a document.
func seal(t *testing.T, d interface {
	Seal() (*manifest.Envelope, error)
}, key crypto.Signer) (e *manifest.Envelope, b []byte) {
	t.Helper()
	e, err := d.Seal()
	if err == nil {
		err = e.Sign(key)
	}
	if err == nil {
		b, err = e.Bytes()
	}
	if err != nil {
		t.Fatal(err)
	}
	return e, b
}

// A server whose clock is wrong by a year makes good offers still, since devices look at no clock but their own, if
// nothing ends or begins in that year. If something does, it makes none, and says why: no device is offered what it
// would refuse for good. With the right time it goes on.
func TestAServerWhoseClockIsAYearOffOffersNothingThatDevicesRefuse(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var keys [3]crypto.Signer // of roots, releases, offers
	for i := range keys {
		var err error
		if keys[i], err = manifest.Generate(manifest.P256); err != nil {
			t.Fatal(err)
		}
	}
	described := func(i int, from, to time.Time) []manifest.Key {
		k, err := manifest.NewKey(keys[i].Public())
		if err != nil {
			t.Fatal(err)
		}
		k.NotBefore, k.NotAfter = from, to
		return []manifest.Key{k}
	}
	var never time.Time
	month, ago := now.AddDate(0, 1, 0), now.AddDate(0, -1, 0)
	for name, c := range map[string]struct {
		root, manifest, key, since time.Time // when they end, and since when the server's key is good
		refused                    map[int]domain.Code
	}{
		"nothing ends": {never, never, never, never, nil},
		"the root ends": {month, never, never, never,
			map[int]domain.Code{1: domain.CodeNoRoot}},
		"the release ends": {never, month, never, never,
			map[int]domain.Code{1: domain.CodeNotSigned}},
		"the server's key begins and ends": {never, never, month, ago,
			map[int]domain.Code{-1: domain.CodeNoRoot, 1: domain.CodeNoRoot}},
	} {
		root := &manifest.Root{Type: "root", Product: "lamp", Version: 1, Expires: c.root, RootThreshold: 1,
			RootKeys: described(0, never, never), ReleaseKeys: described(1, never, never), ReleaseThreshold: 1,
			OfferKeys: described(2, c.since, c.key)}
		first, rootDoc := seal(t, root, keys[0])
		trusted, err := manifest.FirstRoot(first)
		if err != nil {
			t.Fatal(name, err)
		}
		release, releaseDoc := seal(t, &manifest.Manifest{Type: "manifest", Product: "lamp", Version: "2", VersionCode: 2,
			Created: now, NotAfter: c.manifest, Images: []manifest.Image{{SHA256: imageHash, Size: 5, Chip: "esp32c3"}}},
			keys[1])
		s, clock := serving(t, Deps{OfferKey: keys[2], Products: &lampShelf{root: rootDoc}})
		s.offerKey = described(2, never, never)[0]
		device := manifest.Device{Root: trusted, ID: "dev_1", Chip: "esp32c3", VersionCode: 1, SlotSize: 1 << 20,
			Nonce: strings.Repeat("5e", 16), SinceNonce: time.Minute}
		for _, years := range []int{-1, 0, 1, 0} {
			what := fmt.Sprintf("%s, and the clock is wrong by %d years", name, years)
			*clock = now.AddDate(years, 0, 0)
			o, err := s.Offer(t.Context(), domain.OfferTo{Product: "prd_lamp", Image: imageHash, Update: "upd_1",
				Release: domain.Release{ID: "rel_1", Manifest: releaseDoc, ManifestHash: release.Hash(),
					Images: []domain.FirmwareImage{{SHA256: imageHash, Size: 5}}},
				Device: domain.DeviceFirmware{Device: "dev_1", Report: domain.FirmwareReport{Nonce: device.Nonce,
					RootVersion: 1}}})
			if domain.CodeOf(err) != c.refused[years] || (err == nil) != (c.refused[years] == "") {
				t.Errorf("%s: %v", what, err)
				continue
			}
			if err != nil {
				continue
			}
			offer, err := manifest.Parse(o.Offer)
			if err != nil {
				t.Fatal(what, err)
			}
			if _, err := device.Take(offer, release, nil); err != nil {
				t.Errorf("%s: the device refuses it: %v", what, err)
			}
			if _, got := fetch(t, o.Image.URL, ""); got != "0123456789" {
				t.Errorf("%s: its link has %q", what, got)
			}
		}
	}
}
