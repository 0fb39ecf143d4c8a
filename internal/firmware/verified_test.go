package firmware

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
)

// What was checked once is known by all of its bytes: a manifest that was changed, and another root, are checked anew.
func TestAManifestIsCheckedOnceForEachRoot(t *testing.T) {
	t.Parallel()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := manifest.NewKey(secret.Public())
	if err != nil {
		t.Fatal(err)
	}
	envelope := func(e *manifest.Envelope, err error, sign bool) []byte {
		t.Helper()
		if err == nil && sign {
			err = e.Sign(secret)
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := e.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	root := func(release manifest.Key) []byte {
		r := &manifest.Root{Type: "root", Product: "lamp", Version: 1, RootThreshold: 1,
			RootKeys:    []manifest.Key{keyUntil(t, time.Time{})},
			ReleaseKeys: []manifest.Key{release}, ReleaseThreshold: 1, OfferKeys: []manifest.Key{keyUntil(t, time.Time{})}}
		e, err := r.Seal()
		return envelope(e, err, false)
	}
	release := func(version string, sign bool) []byte {
		m := &manifest.Manifest{Type: "manifest", Product: "lamp", Version: version, VersionCode: 2,
			Created: time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC),
			Images:  []manifest.Image{{SHA256: strings.Repeat("ab", 32), Size: 5, Chip: "esp32c3"}}}
		e, err := m.Seal()
		return envelope(e, err, sign)
	}
	good, signed := root(key), release("2.0", true)
	var v verified
	first, err := v.check(good, signed)
	if err != nil || first.manifest.Version != "2.0" {
		t.Fatalf("%+v, %v", first, err)
	}
	if again, err := v.check(bytes.Clone(good), bytes.Clone(signed)); err != nil || again != first {
		t.Errorf("the same once more: %+v, %v", again, err)
	}
	for name, c := range map[string][2][]byte{
		"not signed":     {good, release("2.0", false)},
		"of another key": {root(keyUntil(t, time.Time{})), signed},
		"changed":        {good, bytes.Replace(signed, []byte(`"sig":"`), []byte(`"sig":"AAAA`), 1)},
		"no document":    {good, nil},
	} {
		for range 2 {
			if _, err := v.check(c[0], c[1]); domain.CodeOf(err) != domain.CodeNotSigned {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(v.known) != 1 {
		t.Errorf("%d are kept, and one was good", len(v.known))
	}
}
