package manifest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

// A ceremony has the keys of a product and what they signed.
type ceremony struct {
	t                         testing.TB
	roots, releases           []crypto.Signer
	server                    crypto.Signer
	root                      *Root
	offer                     Offer
	manifest                  Manifest
	device                    Device
	rootEnvelope              *Envelope
	offerSigner               crypto.Signer
	releaseSigners            []crypto.Signer
	chain                     []*Envelope
	alterManifest, alterOffer func(*Envelope)
}

func newKeys(t testing.TB, kinds ...string) (keys []crypto.Signer) {
	t.Helper()
	for _, kind := range kinds {
		key, err := Generate(kind)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}

func public(t testing.TB, keys ...crypto.Signer) (described []Key) {
	t.Helper()
	for _, key := range keys {
		k, err := NewKey(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		described = append(described, k)
	}
	return described
}

type sealer interface{ Seal() (*Envelope, error) }

func signed(t testing.TB, document sealer, keys ...crypto.Signer) *Envelope {
	t.Helper()
	e, err := document.Seal()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if err := e.Sign(key); err != nil {
			t.Fatal(err)
		}
	}
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	e, err = Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// newCeremony has a root with two of two root keys and two of three release keys, and an offer that fits.
func newCeremony(t testing.TB) *ceremony {
	t.Helper()
	c := &ceremony{t: t, roots: newKeys(t, P256, Ed25519), releases: newKeys(t, P256, Ed25519, P256),
		server: newKeys(t, P256)[0]}
	first := &Root{Type: "root", Product: "greenhouse", Version: 1, Expires: noon.AddDate(1, 0, 0),
		RootKeys: public(t, c.roots...), RootThreshold: 2, ReleaseKeys: public(t, c.releases...), ReleaseThreshold: 2,
		OfferKeys: public(t, c.server)}
	c.rootEnvelope = signed(t, first, c.roots...)
	var err error
	if c.root, err = FirstRoot(c.rootEnvelope); err != nil {
		t.Fatal(err)
	}
	limit := uint16(3)
	c.manifest = Manifest{Type: "manifest", Product: "greenhouse", Version: "2.4.0", VersionCode: 20400, Created: noon,
		NotAfter: noon.AddDate(0, 6, 0), MinVersion: 20000, Images: []Image{
			{Chip: "esp32c3", RevisionMax: &limit, Size: 1000, SHA256: strings.Repeat("0a", 32), SecureVersion: 1},
			{Chip: "esp32c3", RevisionMin: 4, Size: 2000, SHA256: strings.Repeat("0b", 32), SecureVersion: 1}}}
	c.offer = Offer{Type: "offer", Product: "greenhouse", Device: "d1", Nonce: strings.Repeat("5e", 16), Rollout: "r1",
		Update: "u1", Issued: noon.Add(time.Hour), Expires: noon.Add(2 * time.Hour)}
	c.device = Device{Root: c.root, ID: "d1", Chip: "esp32c3", Revision: 4, VersionCode: 20300, Floor: 20300,
		SecureVersion: 1, SlotSize: 1 << 20, Nonce: c.offer.Nonce, SinceNonce: time.Minute}
	c.offerSigner, c.releaseSigners = c.server, c.releases[:2]
	c.alterManifest, c.alterOffer = func(*Envelope) {}, func(*Envelope) {}
	return c
}

func (c *ceremony) take() (*Taken, error) {
	c.t.Helper()
	m := signed(c.t, &c.manifest, c.releaseSigners...)
	if c.offer.ManifestSHA256 == "" {
		c.offer.ManifestSHA256 = m.Hash()
	}
	c.alterManifest(m)
	o := signed(c.t, &c.offer, c.offerSigner)
	c.alterOffer(o)
	return c.device.Take(o, m, c.chain)
}

func TestADeviceTakesAnOfferThatFits(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	got, err := c.take()
	if err != nil {
		t.Fatal(err)
	}
	if got.Image.Size != 2000 || got.Root.Version != 1 || got.Offer.Update != "u1" || got.Manifest.Floor() != 20400 {
		t.Errorf("took %+v of %+v", got.Image, got.Manifest)
	}
}

// next makes root 2, after a change, signed by keys.
func (c *ceremony) next(change func(*Root), keys ...crypto.Signer) *Envelope {
	c.t.Helper()
	r := *c.root
	r.RootKeys, r.ReleaseKeys = slices.Clone(r.RootKeys), slices.Clone(r.ReleaseKeys)
	r.Version = 2
	change(&r)
	return signed(c.t, &r, keys...)
}

func TestADeviceRefusesEachOfferThatDoesNotFit(t *testing.T) {
	t.Parallel()
	stranger := newKeys(t, P256)[0]
	tests := []struct {
		name string
		want Code
		with func(c *ceremony)
	}{
		{"forged manifest", BadSignature, func(c *ceremony) { c.releaseSigners = []crypto.Signer{stranger, c.releases[0]} }},
		{"one signature of two", BadSignature, func(c *ceremony) { c.releaseSigners = c.releases[:1] }},
		{"one key twice", BadSignature, func(c *ceremony) {
			c.releaseSigners = c.releases[:1]
			c.alterManifest = func(e *Envelope) { e.Signatures = append(e.Signatures, e.Signatures[0]) }
		}},
		{"changed manifest", BadSignature, func(c *ceremony) {
			c.alterManifest = func(e *Envelope) { e.Payload = bytes.Replace(e.Payload, []byte("20400"), []byte("20401"), 1) }
		}},
		{"signed by the offer key", BadSignature, func(c *ceremony) {
			c.releaseSigners = []crypto.Signer{c.server, c.releases[1]}
		}},
		{"created after the key's end", BadSignature, func(c *ceremony) {
			c.chain = []*Envelope{c.next(func(r *Root) { r.ReleaseKeys[0].NotAfter = noon.Add(-time.Second) }, c.roots...)}
		}},
		{"revoked key", BadSignature, func(c *ceremony) {
			c.chain = []*Envelope{c.next(func(r *Root) { r.ReleaseKeys = r.ReleaseKeys[1:] }, c.roots...)}
		}},
		{"other product", WrongProduct, func(c *ceremony) { c.manifest.Product = "cellar" }},
		{"offer for another product", WrongProduct, func(c *ceremony) { c.offer.Product = "cellar" }},
		{"forged offer", BadOffer, func(c *ceremony) { c.offerSigner = stranger }},
		{"offer by a release key", BadOffer, func(c *ceremony) { c.offerSigner = c.releases[0] }},
		{"changed offer", BadOffer, func(c *ceremony) {
			c.alterOffer = func(e *Envelope) { e.Payload = bytes.Replace(e.Payload, []byte("u1"), []byte("u2"), 1) }
		}},
		{"manifest in place of an offer", BadDocument, func(c *ceremony) {
			c.alterOffer = func(e *Envelope) { *e = *signed(c.t, &c.manifest, c.server) }
		}},
		{"another device's", WrongDevice, func(c *ceremony) { c.device.ID = "d2" }},
		{"replayed", WrongNonce, func(c *ceremony) { c.device.Nonce = strings.Repeat("5F_", 11) }},
		{"not asked for", WrongNonce, func(c *ceremony) { c.device.Nonce = "" }},
		{"held back", OfferExpired, func(c *ceremony) { c.device.SinceNonce = time.Hour + 1 }},
		{"held back, clock went backwards", OfferExpired, func(c *ceremony) { c.device.SinceNonce = -1 }},
		{"expired root", RootExpired, func(c *ceremony) {
			c.offer.Issued, c.offer.Expires = noon.AddDate(2, 0, 0), noon.AddDate(2, 0, 1)
		}},
		{"mixed with another manifest", WrongManifest, func(c *ceremony) {
			c.offer.ManifestSHA256 = strings.Repeat("00", 32)
		}},
		{"expired manifest", ManifestExpired, func(c *ceremony) {
			c.offer.Issued, c.offer.Expires = noon.AddDate(0, 7, 0), noon.AddDate(0, 7, 1)
		}},
		{"other chip", WrongChip, func(c *ceremony) { c.device.Chip = "esp32s3" }},
		{"other revision", WrongRevision, func(c *ceremony) { c.manifest.Images = c.manifest.Images[:1] }},
		{"downgraded", Downgrade, func(c *ceremony) { c.device.Floor = 20401 }},
		{"too old to take it", TooOld, func(c *ceremony) { c.device.VersionCode = 19999 }},
		{"lower secure version", SecureVersion, func(c *ceremony) { c.device.SecureVersion = 2 }},
		{"too large", WrongSize, func(c *ceremony) { c.device.SlotSize = 1999 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := newCeremony(t)
			test.with(c)
			got, err := c.take()
			var code Code
			if !errors.As(err, &code) || code != test.want {
				t.Errorf("took %v, error %v; want %s", got, err, test.want)
			}
			if code.Error() == "" {
				t.Errorf("%s has no text", code)
			}
		})
	}
}

func TestRootsFollowOneAnother(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	fresh := newKeys(t, P256, P256)
	rotate := func(r *Root) { r.RootKeys = public(t, fresh...) }
	all := append(slices.Clone(c.roots), fresh...)
	second := c.next(rotate, all...)
	got, err := c.root.Follow([]*Envelope{c.rootEnvelope, second})
	if err != nil || got.Version != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, e := range map[string]*Envelope{
		"by the old keys alone": c.next(rotate, c.roots...),
		"by the new keys alone": c.next(rotate, fresh...),
		"by one old key":        c.next(rotate, all[1:]...),
		"that skips a version":  c.next(func(r *Root) { r.Version = 3 }, c.roots...),
	} {
		if _, err := c.root.Follow([]*Envelope{e}); !errors.Is(err, BadRoot) {
			t.Errorf("root %s: %v", name, err)
		}
	}
	other := c.next(func(r *Root) { r.Product = "cellar" }, c.roots...)
	if _, err := c.root.Follow([]*Envelope{other}); !errors.Is(err, WrongProduct) {
		t.Errorf("root of another product: %v", err)
	}
	if _, err := c.root.Follow(make([]*Envelope, MaxRoots+1)); !errors.Is(err, BadRoot) {
		t.Errorf("too many roots: %v", err)
	}
}

func TestTheServersKeySignsNothingElse(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	r := *c.root
	r.OfferKeys = public(t, c.releases[0])
	if _, err := r.Seal(); !errors.Is(err, BadDocument) {
		t.Errorf("an offer key that is a release key: %v", err)
	}
}

func TestAReleaseMayAllowItsDevicesToGoBack(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	newer := Manifest{VersionCode: 20500, AllowDowngradeTo: 20400}
	c.device.VersionCode, c.device.Floor = newer.VersionCode, newer.Floor()
	if _, err := c.take(); err != nil {
		t.Error(err)
	}
}

func TestAnImageIsCompared(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("image"))
	i := Image{Size: 5, SHA256: "6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d"}
	if err := i.Check(5, sum); err != nil {
		t.Error(err)
	}
	if err := i.Check(6, sum); !errors.Is(err, WrongSize) {
		t.Error(err)
	}
	if err := i.Check(5, sha256.Sum256(nil)); !errors.Is(err, WrongImage) {
		t.Error(err)
	}
}

// The example of the protocol of DSSE 1.0.
func TestWhatIsSignedIsAsDSSEHasIt(t *testing.T) {
	t.Parallel()
	e := Envelope{PayloadType: "http://example.com/HelloWorld", Payload: Base64("hello world")}
	if got := string(e.Signed()); got != "DSSEv1 29 http://example.com/HelloWorld 11 hello world" {
		t.Errorf("%q", got)
	}
}

func TestDocumentsThatTwoReadersMightUnderstandDifferentlyAreRefused(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	e, err := c.manifest.Seal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadManifest(e); err != nil {
		t.Fatal(err)
	}
	whole := string(e.Payload)
	for name, payload := range map[string]string{
		"name twice":          strings.Replace(whole, `"product":`, `"product":"cellar","product":`, 1),
		"name in an image":    strings.Replace(whole, `"chip":`, `"chip":"esp32","chip":`, 1),
		"upper case":          strings.Replace(whole, `"version":`, `"Version":`, 1),
		"long s":              strings.Replace(whole, `"version":`, `"ver\u017fion":`, 1),
		"no value":            strings.Replace(whole, `"secure_version":1`, `"secure_version":null`, 1),
		"unknown field":       strings.Replace(whole, `"product":`, `"country":"de","product":`, 1),
		"something after it":  whole + "{}",
		"a brace after it":    whole + "}",
		"two images for one":  strings.Replace(whole, `"revision_min":4`, `"revision_min":3`, 1),
		"least above its own": strings.Replace(whole, `"min_version_code":20000`, `"min_version_code":20401`, 1),
		"no images":           whole[:strings.Index(whole, `"images"`)] + `"images":[]}`,
		"hash in upper case":  strings.Replace(whole, "0a0a", "0A0A", 1),
	} {
		if payload == whole {
			t.Fatalf("%s: nothing was changed", name)
		}
		e := &Envelope{PayloadType: ManifestType, Payload: Base64(payload)}
		if _, err := ReadManifest(e); !errors.Is(err, BadDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysAreReadAsTheyWereWritten(t *testing.T) {
	t.Parallel()
	for _, key := range newKeys(t, P256, Ed25519) {
		private, err := PrivatePEM(key)
		if err != nil {
			t.Fatal(err)
		}
		got, err := ParsePrivate(private)
		if err != nil || !got.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%v, %v", got, err)
		}
		if _, err := ParsePublic(private); err == nil {
			t.Error("a private key was read as a public one")
		}
		text, err := PublicPEM(key.Public())
		if err != nil {
			t.Fatal(err)
		}
		if k, err := ParsePublic(text); err != nil || k.KeyID != public(t, key)[0].KeyID || len(k.KeyID) != 16 {
			t.Errorf("%+v, %v", k, err)
		}
	}
	if _, err := Generate("rsa"); err == nil {
		t.Error("there is no kind rsa")
	}
}

func TestASignatureOfAnotherToolIsAttached(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	key := c.releases[0].(*ecdsa.PrivateKey)
	e, err := c.manifest.Seal()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(e.Signed())
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Attach(key.Public(), der); err != nil || len(e.Signatures[0].Sig) != 64 {
		t.Fatalf("%v, %+v", err, e.Signatures)
	}
	if err := e.Sign(c.releases[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := c.root.Manifest(e); err != nil {
		t.Error(err)
	}
	if err := e.Attach(c.releases[1].Public(), e.Signatures[0].Sig); err == nil {
		t.Error("a signature by another key was attached")
	}
	der[len(der)-1] ^= 1
	if err := e.Attach(key.Public(), der); err == nil || len(e.Signatures) != 2 {
		t.Errorf("a broken signature was attached: %v", err)
	}
}

func TestADocumentTakesNoMoreSignaturesThanCanBeRead(t *testing.T) {
	t.Parallel()
	c := newCeremony(t)
	keys := newKeys(t, slices.Repeat([]string{Ed25519}, MaxSignatures+1)...)
	e := signed(t, &c.manifest, keys[:MaxSignatures]...)
	if err := e.Sign(keys[MaxSignatures]); err == nil || len(e.Signatures) != MaxSignatures {
		t.Errorf("%d signatures, %v", len(e.Signatures), err)
	}
	if err := e.Sign(keys[0]); err != nil || len(e.Signatures) != MaxSignatures {
		t.Errorf("signed anew: %d signatures, %v", len(e.Signatures), err)
	}
}

func TestEnvelopesInTheOtherAlphabetAreRead(t *testing.T) {
	t.Parallel()
	payload := []byte{0xfb, 0xff, 0xfe}
	e, err := Parse([]byte(`{"payloadType":"` + OfferType + `","payload":"` + base64.URLEncoding.EncodeToString(payload) +
		`","signatures":[]}`))
	if err != nil || !bytes.Equal(e.Payload, payload) {
		t.Errorf("%v, %v", e, err)
	}
	for name, text := range map[string]string{
		"other type": `{"payloadType":"text/plain","payload":"","signatures":[]}`,
		"no base64":  `{"payloadType":"` + OfferType + `","payload":"%","signatures":[]}`,
		"too long":   strings.Repeat(" ", MaxDocument+1),
		"nothing":    "",
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, BadDocument) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever a device is sent, it is refused with a code, or is what was signed.
func FuzzTake(f *testing.F) {
	c := newCeremony(f)
	m := signed(f, &c.manifest, c.releaseSigners...)
	c.offer.ManifestSHA256 = m.Hash()
	o := signed(f, &c.offer, c.offerSigner)
	for _, e := range []*Envelope{m, o, c.rootEnvelope} {
		b, _ := e.Bytes()
		f.Add(b, b, b)
	}
	ob, _ := o.Bytes()
	mb, _ := m.Bytes()
	rb, _ := c.rootEnvelope.Bytes()
	f.Add(ob, mb, rb)
	f.Fuzz(func(t *testing.T, offer, manifest, root []byte) {
		var parsed []*Envelope
		for _, b := range [][]byte{offer, manifest, root} {
			e, err := Parse(b)
			if err != nil {
				return
			}
			parsed = append(parsed, e)
		}
		got, err := c.device.Take(parsed[0], parsed[1], parsed[2:])
		var code Code
		switch {
		case err != nil && !errors.As(err, &code):
			t.Fatalf("no code: %v", err)
		case err == nil && (parsed[0].Hash() != o.Hash() || parsed[1].Hash() != m.Hash()):
			t.Fatalf("took %+v", got)
		}
	})
}
