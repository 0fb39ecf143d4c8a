// Package firmwaretest makes products, signed releases of firmware for virtual boards, and rollouts of them, at a
// server in a test.
package firmwaretest

import (
	"bytes"
	"crypto"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
)

// Maker makes a product of a user, and firmware for it.
type Maker struct {
	t       testing.TB
	c       *client.Client
	Product string          // id
	release crypto.Signer   // key
	Root    json.RawMessage // the first one, signed
}

// Do asks the server for something below /firmware, which must succeed.
func (m *Maker) Do(method, path string, in, out any) {
	m.t.Helper()
	if err := m.c.Do(m.t.Context(), method, "/firmware"+path, in, out); err != nil {
		m.t.Fatalf("%s %s: %v", method, path, err)
	}
}

func newSigner(t testing.TB) (crypto.Signer, []manifest.Key) {
	t.Helper()
	s, err := manifest.Generate(manifest.P256)
	if err != nil {
		t.Fatal(err)
	}
	k, err := manifest.NewKey(s.Public())
	if err != nil {
		t.Fatal(err)
	}
	return s, []manifest.Key{k}
}

// New makes the product lamp, whose root trusts a release key and the server's offer key.
func New(t testing.TB, c *client.Client) *Maker {
	t.Helper()
	return NewOf(t, c, "lamp")
}

// NewOf is New of a product of another name.
func NewOf(t testing.TB, c *client.Client, name string) *Maker {
	t.Helper()
	m := &Maker{t: t, c: c}
	var server struct{ Key string }
	m.Do("GET", "/offer-key", nil, &server)
	offers, err := manifest.ParsePublic([]byte(server.Key))
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ ID string }
	m.Do("POST", "/products", map[string]any{"name": name, "title": "Lamp"}, &made)
	m.Product = made.ID
	rootKey, rootKeys := newSigner(t)
	var releaseKeys []manifest.Key
	m.release, releaseKeys = newSigner(t)
	root := &manifest.Root{Type: "root", Product: name, Version: 1, RootKeys: rootKeys, RootThreshold: 1,
		ReleaseKeys: releaseKeys, ReleaseThreshold: 1, OfferKeys: []manifest.Key{offers}}
	e, err := root.Seal()
	if err == nil {
		err = e.Sign(rootKey)
	}
	if err == nil {
		m.Root, err = e.Bytes()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.Do("POST", "/products/"+m.Product+"/roots", m.Root, nil)
	return m
}

// Build makes a firmware of the product.
func (m *Maker) Build(f board.Firmware) []byte {
	m.t.Helper()
	return Image(m.t, f)
}

// Image makes a firmware of the product lamp for ESP32-C3, whose version is 1.CODE.0.
func Image(t testing.TB, f board.Firmware) []byte {
	t.Helper()
	f.Product, f.Chip, f.Version = "lamp", "esp32c3", fmt.Sprintf("1.%d.0", f.Code)
	b, err := f.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Publish uploads a firmware, signs it as a release, and activates that.
func (m *Maker) Publish(f board.Firmware) (release string) {
	m.t.Helper()
	return m.PublishImage(m.Build(f), fmt.Sprintf("1.%d.0", f.Code), f.Code)
}

// PublishImage uploads an image, signs it as a release, and activates that.
func (m *Maker) PublishImage(b []byte, version string, code uint32) (release string) {
	m.t.Helper()
	u, err := m.c.UploadFirmware(m.t.Context(), m.Product, "image", bytes.NewReader(b), int64(len(b)), nil)
	if err != nil {
		m.t.Fatal(err)
	}
	var made struct{ ID string }
	m.Do("POST", "/products/"+m.Product+"/releases", map[string]any{"version": version, "version_code": code}, &made)
	at := "/releases/" + made.ID
	m.Do("POST", at+"/images", map[string]any{"upload": u.ID}, nil)
	var doc json.RawMessage
	m.Do("GET", at+"/manifest", nil, &doc)
	e, err := manifest.Parse(doc)
	if err == nil {
		err = e.Sign(m.release)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	signed, err := e.Bytes()
	if err != nil {
		m.t.Fatal(err)
	}
	m.Do("PUT", at+"/manifest", json.RawMessage(signed), nil)
	m.Do("PATCH", at, map[string]any{"state": "active"}, nil)
	return made.ID
}

// Rollout is one as the server shows it.
type Rollout struct {
	ID    string
	State string
	Stage int
	Pause *struct {
		Kind, Reason string
		Revision     *struct{ Revision int } // that stands out
	}
	Counts struct {
		States map[string]int
		Failed int
	}
}

// Quick is the setting of a server whose rollouts tests wait for.
const Quick = "UNHIDRA_ROLLOUT_EVERY=200ms"

// Bring brings a release to all devices, to those with a tag first if that is not empty.
func (m *Maker) Bring(release, canary string) (r Rollout) {
	m.t.Helper()
	stages := []map[string]any{{"percent": 100}}
	if canary != "" {
		stages = []map[string]any{{"percent": 0, "tag": canary}, {"percent": 100}}
	}
	m.Do("POST", "/rollouts", map[string]any{"release": release, "plan": map[string]any{"stages": stages,
		"limits":   map[string]any{"begin": 50, "growth": 10, "per_minute": 100_000},
		"timeouts": map[string]any{"confirm": 1}}}, &r)
	return r
}

// Await waits until a rollout is as it must be.
func (m *Maker) Await(id, what string, done func(r Rollout) bool) (r Rollout) {
	m.t.Helper()
	for late := time.Now().Add(5 * time.Minute); time.Now().Before(late); {
		r = Rollout{} // a state that no device is in any more is not in the answer
		if m.Do("GET", "/rollouts/"+id, nil, &r); done(r) {
			return r
		}
		select {
		case <-m.t.Context().Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
	var raw json.RawMessage
	m.Do("GET", "/rollouts/"+id, nil, &raw)
	m.t.Fatalf("not in time: %s; it is %s", what, raw)
	return r
}

// Open counts the devices that are in the middle of it.
func (r Rollout) Open() (n int) {
	for _, state := range []string{"offered", "accepted", "downloading", "verified", "installing", "rebooting",
		"testing"} {
		n += r.Counts.States[state]
	}
	return n
}
