package updater_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/wire"
)

var writeVectors = flag.Bool("update", false, "write the test vectors anew")

const (
	vectorFile     = "testdata/vectors.json"
	vectorFileP256 = "testdata/vectors-p256.json" // the same with keys of P-256
)

// vectors are offers, and what a device answers, for programs in other languages.
type vectors struct {
	About  string          `json:"about"`
	Root   json.RawMessage `json:"root"` // with which the device was made
	Device vectorDevice    `json:"device"`
	Cases  []vectorCase    `json:"cases"`
}

type vectorDevice struct {
	ID            string `json:"id"`
	Chip          string `json:"chip"`
	Revision      uint16 `json:"revision"`
	VersionCode   uint32 `json:"version_code"`
	Floor         uint32 `json:"floor"`
	SecureVersion uint32 `json:"secure_version"`
	Slot          int64  `json:"slot"`
	Nonce         string `json:"nonce"`
}

type vectorCase struct {
	Name   string             `json:"name"`
	Age    int                `json:"age"` // seconds since the device made the nonce
	Frame  wire.FirmwareOffer `json:"frame"`
	Answer string             `json:"answer"` // accepted, or the name of what is wrong
}

// fixedKey is the key of Ed25519 whose seed has 32 times the same byte.
func fixedKey(b byte) crypto.Signer {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

// repeatable makes the same signatures each time (RFC 6979).
type repeatable struct{ *ecdsa.PrivateKey }

// Sign implements crypto.Signer.
func (r repeatable) Sign(_ io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	return r.PrivateKey.Sign(nil, digest, o)
}

// fixedP256 is the key of P-256 whose secret has 32 times the same byte.
func fixedP256(b byte) crypto.Signer {
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), bytes.Repeat([]byte{b}, 32))
	if err != nil {
		panic(err)
	}
	return repeatable{k}
}

// makeVectors makes the vectors with keys whose signatures are the same each time.
func makeVectors(t *testing.T, fixedKey func(byte) crypto.Signer) vectors {
	t.Helper()
	s := &server{t: t, rootKey: fixedKey(1), releaseKey: fixedKey(2), server: fixedKey(3)}
	s.root = &manifest.Root{Type: "root", Product: "lamp", Version: 1, RootKeys: public(t, s.rootKey), RootThreshold: 1,
		ReleaseKeys: public(t, s.releaseKey), ReleaseThreshold: 1, OfferKeys: public(t, s.server)}
	v := vectors{About: "Each case is an offer to a device that knows root and device alone; keys have the seeds 01.., " +
		"02.. and 03... See docs/firmware-updates.md.", Root: signed(t, s.root, s.rootKey),
		Device: vectorDevice{ID: "dev_1", Chip: "esp32c3", Revision: 3, VersionCode: 2, Floor: 2, SecureVersion: 1,
			Slot: 1 << 20, Nonce: strings.Repeat("5e", 16)}}
	s.reports = []wire.FirmwareReport{{Nonce: v.Device.Nonce}}
	s.release.Version, s.release.Code, s.release.SecureVersion = "3.0", 3, 1
	s.image = []byte("an image, of which devices see the hash alone")
	add := func(name, answer string, age int) {
		v.Cases = append(v.Cases, vectorCase{name, age, s.offer(), answer})
		s.alter, s.alterManifest, s.spoil = nil, nil, nil
		s.releaseKey, s.server = fixedKey(2), fixedKey(3)
	}
	offer := func(name string, code manifest.Code, change func(o *manifest.Offer)) {
		s.alter = change
		add(name, string(code), 1)
	}
	release := func(name string, code manifest.Code, change func(m *manifest.Manifest)) {
		s.alterManifest = change
		add(name, string(code), 1)
	}
	add("good", "accepted", 1)
	add("good, an hour old", "accepted", 3600)
	s.releaseKey = fixedKey(9)
	add("forged manifest", string(manifest.BadSignature), 1)
	s.releaseKey = fixedKey(3)
	add("manifest signed by the key of offers", string(manifest.BadSignature), 1)
	s.server = fixedKey(2)
	add("offer signed by a release key", string(manifest.BadOffer), 1)
	s.spoil = func(o *wire.FirmwareOffer) {
		o.Manifest = changed(t, o.Manifest, `"version_code":3`, `"version_code":4`)
	}
	add("changed manifest", string(manifest.BadSignature), 1)
	s.spoil = func(o *wire.FirmwareOffer) { o.Offer = changed(t, o.Offer, "rol_1", "rol_2") }
	add("changed offer", string(manifest.BadOffer), 1)
	s.spoil = func(o *wire.FirmwareOffer) { o.Manifest = o.Offer }
	add("offer in the place of a manifest", string(manifest.BadDocument), 1)
	add("frozen", string(manifest.OfferExpired), 3601)
	offer("replayed", manifest.WrongNonce, func(o *manifest.Offer) { o.Nonce = strings.Repeat("5f", 16) })
	offer("another device's", manifest.WrongDevice, func(o *manifest.Offer) { o.Device = "dev_2" })
	offer("mixed", manifest.WrongManifest, func(o *manifest.Offer) { o.ManifestSHA256 = strings.Repeat("0a", 32) })
	release("another product's", manifest.WrongProduct, func(m *manifest.Manifest) { m.Product = "pump" })
	release("ended", manifest.ManifestExpired, func(m *manifest.Manifest) {
		m.Created, m.NotAfter = noon.Add(-2*time.Hour), noon.Add(-time.Hour)
	})
	release("wrong chip", manifest.WrongChip, func(m *manifest.Manifest) { m.Images[0].Chip = "esp32s3" })
	release("wrong revision", manifest.WrongRevision, func(m *manifest.Manifest) { m.Images[0].RevisionMin = 4 })
	release("needs another release first", manifest.TooOld, func(m *manifest.Manifest) { m.MinVersion = 3 })
	release("lower secure version", manifest.SecureVersion, func(m *manifest.Manifest) { m.Images[0].SecureVersion = 0 })
	release("too large", manifest.WrongSize, func(m *manifest.Manifest) { m.Images[0].Size = 1<<20 + 1 })
	release("downgraded", manifest.Downgrade, func(m *manifest.Manifest) { m.VersionCode = 1 })
	next := *s.root
	next.Version, next.ReleaseKeys = 2, public(t, fixedKey(4))
	second := signed(t, &next, s.rootKey)
	s.releaseKey = fixedKey(4)
	s.spoil = func(o *wire.FirmwareOffer) { o.Roots = []json.RawMessage{second} }
	add("good, with the next root", "accepted", 1)
	s.spoil = func(o *wire.FirmwareOffer) { o.Roots = []json.RawMessage{second} }
	add("signed by a key that the next root leaves out", string(manifest.BadSignature), 1)
	s.spoil = func(o *wire.FirmwareOffer) { o.Roots = []json.RawMessage{signed(t, &next, fixedKey(4))} }
	add("forged root", string(manifest.BadRoot), 1)
	return v
}

// answer is what a device answers.
func (v vectors) answer(t *testing.T, c vectorCase) string {
	t.Helper()
	parse := func(b json.RawMessage) *manifest.Envelope {
		e, err := manifest.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	root, err := manifest.FirstRoot(parse(v.Root))
	if err != nil {
		t.Fatal(err)
	}
	var roots []*manifest.Envelope
	for _, r := range c.Frame.Roots {
		roots = append(roots, parse(r))
	}
	is := v.Device
	d := manifest.Device{Root: root, ID: is.ID, Chip: is.Chip, Revision: is.Revision, VersionCode: is.VersionCode,
		Floor: is.Floor, SecureVersion: is.SecureVersion, SlotSize: is.Slot, Nonce: is.Nonce,
		SinceNonce: time.Duration(c.Age) * time.Second}
	_, err = d.Take(parse(c.Frame.Offer), parse(c.Frame.Manifest), roots)
	var code manifest.Code
	if errors.As(err, &code) {
		return string(code)
	}
	return "accepted"
}

// The vectors for other languages are what is made today, byte for byte, and a device answers them as they say.
func TestVectorsOfOffers(t *testing.T) {
	t.Parallel()
	checkVectors(t, vectorFile, makeVectors(t, fixedKey))
	checkVectors(t, vectorFileP256, makeVectors(t, fixedP256))
}

func checkVectors(t *testing.T, vectorFile string, v vectors) {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	if *writeVectors {
		if err := os.WriteFile(vectorFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, b.Bytes()) {
		t.Errorf("%s is not what is made; run: go test ./internal/updater -run Vectors -update", vectorFile)
	}
	if err := json.Unmarshal(file, &v); err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Cases {
		if got := v.answer(t, c); got != c.Answer {
			t.Errorf("%s: a device answers %s, and must %s", c.Name, got, c.Answer)
		}
	}
}
