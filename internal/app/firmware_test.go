package app_test

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A firm is who makes firmware: with keys that the server never sees, and a product on it.
type firm struct {
	*live.Server
	t             *testing.T
	c             *client.Client
	root, release crypto.Signer
	product       string
	design        func(*manifest.Root) // changes a root before it is signed; nil: nothing
}

type firmwareRelease struct {
	ID, State, Notes string
	SignedBy         []string `json:"signed_by"`
	Images           []struct {
		SHA256, Chip, URL string
		HasELF            bool `json:"has_elf"`
	}
}

func newSigner(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := manifest.Generate(manifest.P256)
	must(t, err)
	return key
}

func describe(t *testing.T, keys ...crypto.Signer) (out []manifest.Key) {
	t.Helper()
	for _, k := range keys {
		d, err := manifest.NewKey(k.Public())
		must(t, err)
		out = append(out, d)
	}
	return out
}

// newFirm makes a product with its first root.
func newFirm(t *testing.T, s *live.Server, c *client.Client, room string) *firm {
	t.Helper()
	f := &firm{Server: s, t: t, c: c, root: newSigner(t), release: newSigner(t)}
	var product struct{ ID string }
	must(t, c.Do(t.Context(), "POST", "/firmware/products", map[string]any{"name": "tank", "room": room}, &product))
	f.product = product.ID
	_, err := f.tryRoot(1, f.root)
	must(t, err)
	return f
}

// tryRoot adds a root that trusts the firm's release key and the server's offer key.
func (f *firm) tryRoot(version int, signers ...crypto.Signer) (added struct{ Version int }, err error) {
	f.t.Helper()
	var offer struct{ KeyID, Key string }
	must(f.t, f.c.Do(f.t.Context(), "GET", "/firmware/offer-key", nil, &offer))
	block, _ := pem.Decode([]byte(offer.Key))
	root := &manifest.Root{Type: "root", Product: "tank", Version: version,
		RootKeys: describe(f.t, f.root), RootThreshold: 1,
		ReleaseKeys: describe(f.t, f.release), ReleaseThreshold: 1,
		OfferKeys: []manifest.Key{{KeyID: offer.KeyID, Key: block.Bytes}}}
	if f.design != nil {
		f.design(root)
	}
	e, err := root.Seal()
	must(f.t, err)
	for _, s := range signers {
		must(f.t, e.Sign(s))
	}
	return added, f.c.Do(f.t.Context(), "POST", "/firmware/products/"+f.product+"/roots", e, &added)
}

// draft makes a release with one raw image.
func (f *firm) draft(version string, code int, image []byte) (r firmwareRelease) {
	f.t.Helper()
	ctx := f.t.Context()
	must(f.t, f.c.Do(ctx, "POST", "/firmware/products/"+f.product+"/releases",
		map[string]any{"version": version, "version_code": code}, &r))
	u, err := f.c.UploadFirmware(ctx, f.product, "raw", bytes.NewReader(image), int64(len(image)), nil)
	must(f.t, err)
	must(f.t, f.c.Do(ctx, "POST", "/firmware/releases/"+r.ID+"/images",
		map[string]any{"upload": u.ID, "chip": "esp32c3"}, &r))
	return r
}

// sign signs a release offline, and hands in the signature.
func (f *firm) sign(release string, keys ...crypto.Signer) (r firmwareRelease, err error) {
	f.t.Helper()
	ctx, at := f.t.Context(), "/firmware/releases/"+release+"/manifest"
	var e manifest.Envelope
	must(f.t, f.c.Do(ctx, "GET", at, nil, &e))
	e.Signatures = []manifest.Signature{}
	for _, k := range keys {
		must(f.t, e.Sign(k))
	}
	return r, f.c.Do(ctx, "PUT", at, e, &r)
}

func (f *firm) change(release string, change map[string]any) (r firmwareRelease, err error) {
	f.t.Helper()
	return r, f.c.Do(f.t.Context(), "PATCH", "/firmware/releases/"+release, change, &r)
}

// load requests a part of a file.
func load(t *testing.T, url, key, ranges string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	must(t, err)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if ranges != "" {
		req.Header.Set("Range", ranges)
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res, b
}

func randomBytes(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed)}).Read(b)
	return b
}

// From a file of its maker's to a device: uploaded in parts, signed offline, loaded in ranges.
func TestAnImageGoesFromItsMakerToADevice(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		ann, eve := s.User("ann"), s.User("eve")
		f := newFirm(t, s, ann, "")
		image := randomBytes(2<<20+777, 1)
		r := f.draft("1.2.3", 7, image)
		if _, err := f.change(r.ID, map[string]any{"state": "active"}); codeOf(err) != client.CodeReleaseState {
			t.Errorf("activated unsigned: %v", err)
		}
		device, foreign := registerDevice(t, ann, "Tank"), registerDevice(t, eve, "Spy")
		sum := sha256.Sum256(image)
		hash := hex.EncodeToString(sum[:])
		url := s.URL + "/firmware/images/" + hash
		if res, _ := load(t, url, device.Key, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("a draft reaches a device: %s", res.Status)
		}
		if _, err := f.sign(r.ID, newSigner(t)); codeOf(err) != client.CodeBadSignature {
			t.Errorf("signed by a foreign key: %v", err)
		}
		r, err := f.sign(r.ID, f.release)
		must(t, err)
		if r.State != "signed" || len(r.SignedBy) != 1 {
			t.Errorf("after it was signed: %+v", r)
		}
		if err := ann.Do(t.Context(), "DELETE", "/firmware/releases/"+r.ID+"/images/"+hash, nil,
			nil); codeOf(err) != client.CodeReleaseFixed {
			t.Errorf("an image of a signed release is removed: %v", err)
		}
		r, err = f.change(r.ID, map[string]any{"state": "active"})
		must(t, err)

		res, got := load(t, url, device.Key, "")
		if res.StatusCode != http.StatusOK || !bytes.Equal(got, image) || res.Header.Get("ETag") != `"`+hash+`"` {
			t.Errorf("whole: %s, %d bytes, ETag %s", res.Status, len(got), res.Header.Get("ETag"))
		}
		res, got = load(t, url, device.Key, "bytes=1048570-1048589")
		if res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, image[1048570:1048590]) {
			t.Errorf("a range over two parts: %s, %x", res.Status, got)
		}
		if res, _ = load(t, url, device.Key, "bytes=9999999-"); res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			t.Errorf("beyond the end: %s", res.Status)
		}
		for _, ranges := range []string{"bytes=4611686018427387904-", "bytes=9223372036854775807-9223372036854775807"} {
			if res, _ = load(t, url, device.Key, ranges); res.StatusCode != http.StatusRequestedRangeNotSatisfiable {
				t.Errorf("%s: %s", ranges, res.Status)
			}
		}
		res, got = load(t, r.Images[0].URL, "", "bytes=-7")
		if res.StatusCode != http.StatusPartialContent || !bytes.Equal(got, image[len(image)-7:]) {
			t.Errorf("by a link: %s, %x", res.Status, got)
		}
		for name, at := range map[string]string{
			"a changed link":      strings.Replace(r.Images[0].URL, "until=", "until=9", 1),
			"a link to elsewhere": strings.Replace(r.Images[0].URL, hash, strings.Repeat("ab", 32), 1),
		} {
			if res, _ := load(t, at, "", ""); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s: %s", name, res.Status)
			}
		}
		for name, key := range map[string]string{"a foreign device": foreign.Key, "a stranger": eve.Tokens().Access} {
			if res, _ := load(t, url, key, ""); res.StatusCode != http.StatusNotFound {
				t.Errorf("%s: %s", name, res.Status)
			}
		}
		if res, _ := load(t, url, "", ""); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("nobody: %s", res.Status)
		}
		_, err = f.change(r.ID, map[string]any{"state": "withdrawn"})
		must(t, err)
		if res, _ := load(t, url, device.Key, ""); res.StatusCode != http.StatusNotFound {
			t.Errorf("withdrawn: %s", res.Status)
		}
	})
}
