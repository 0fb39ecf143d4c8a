package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/wire"
)

// vendor makes firmware, and signs it.
type vendor struct {
	t         *testing.T
	root      json.RawMessage
	key       func(*manifest.Envelope)
	old, next []byte
	code      uint32
	nonce     string
}

func newVendor(t *testing.T, does board.Does) *vendor {
	t.Helper()
	signers := map[string]func(*manifest.Envelope){}
	keys := map[string][]manifest.Key{}
	for _, role := range []string{"root", "release", "offer"} {
		signer, err := manifest.Generate(manifest.Ed25519)
		if err != nil {
			t.Fatal(err)
		}
		k, err := manifest.NewKey(signer.Public())
		if err != nil {
			t.Fatal(err)
		}
		keys[role] = []manifest.Key{k}
		signers[role] = func(e *manifest.Envelope) {
			if err := e.Sign(signer); err != nil {
				t.Fatal(err)
			}
		}
	}
	v := &vendor{t: t, code: 2}
	v.root = v.seal(&manifest.Root{Type: "root", Product: "lamp", Version: 1, RootKeys: keys["root"], RootThreshold: 1,
		ReleaseKeys: keys["release"], ReleaseThreshold: 1, OfferKeys: keys["offer"]}, signers["root"])
	v.key = func(e *manifest.Envelope) {
		signers[map[string]string{manifest.ManifestType: "release", manifest.OfferType: "offer"}[e.PayloadType]](e)
	}
	build := func(f board.Firmware) []byte {
		b, err := f.Build()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	v.old = build(board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "1", Code: 1})
	v.next = build(board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "2", Code: 2, Does: does})
	return v
}

func (v *vendor) seal(d interface {
	Seal() (*manifest.Envelope, error)
}, sign func(*manifest.Envelope)) json.RawMessage {
	v.t.Helper()
	e, err := d.Seal()
	if err != nil {
		v.t.Fatal(err)
	}
	sign(e)
	b, err := e.Bytes()
	if err != nil {
		v.t.Fatal(err)
	}
	return b
}

// offer is one of the next firmware, to the device that has told a nonce.
func (v *vendor) offer() wire.FirmwareOffer {
	sum := sha256Of(v.next)
	doc := v.seal(&manifest.Manifest{Type: "manifest", Product: "lamp", Version: "2", VersionCode: v.code,
		Created: time.Unix(1, 0), Images: []manifest.Image{{Chip: "esp32c3", Size: int64(len(v.next)), SHA256: sum}}}, v.key)
	e, err := manifest.Parse(doc)
	if err != nil {
		v.t.Fatal(err)
	}
	return wire.FirmwareOffer{Update: "upd_1", Manifest: doc, Offer: v.seal(&manifest.Offer{Type: "offer",
		Product: "lamp", Device: "dev_1", Nonce: v.nonce, ManifestSHA256: e.Hash(), Update: "upd_1", Issued: time.Unix(2, 0),
		Expires: time.Unix(3602, 0)}, v.key), Image: wire.FirmwareFile{SHA256: sum, Size: int64(len(v.next))}}
}

// uplink is a link to a server that offers the next firmware to whoever runs the first, once.
type uplink struct {
	mailbox
	*heard
}

// heard is what the server knows of the device, over all its connections.
type heard struct {
	v       *vendor
	made    bool // the offer
	said    []string
	crashes int
	runs    wire.FirmwareReport
}

func (l *uplink) describe(domain.Capabilities) error { return nil }
func (l *uplink) report(wire.Report) error           { return nil }
func (l *uplink) answer(wire.CommandReport) error    { return nil }
func (l *uplink) bye(time.Duration) error            { return nil }
func (l *uplink) ping() error                        { return nil }
func (l *uplink) close()                             { l.end() }
func (l *uplink) crash(wire.CrashReport) error       { l.crashes++; return nil }

func (l *uplink) firmware(r wire.FirmwareReport) error {
	l.v.nonce, l.runs = r.Nonce, r
	if !l.made {
		l.made = true
		l.offers <- l.v.offer()
	}
	return nil
}

func (l *uplink) progress(p wire.FirmwareProgress) (wire.FirmwareAnswer, error) {
	l.said = append(l.said, p.State)
	return wire.FirmwareAnswer{Action: "continue"}, nil
}

func (l *uplink) readImage(r wire.FirmwareRead) ([]byte, error) {
	return l.v.next[r.Offset:min(int(r.Offset)+r.Length, len(l.v.next))], nil
}

// What a firmware does is what a device does that runs it.
func TestFirmwareDoesWhatItWasMadeToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		does    board.Does
		runs    uint32 // version code, after an hour
		last    string // that it has said of the update
		crashes bool
		heard   bool // from it in the end
		liars   int
	}{
		"good":                        {board.Does{}, 2, "succeeded", false, true, 0},
		"bad on another revision":     {board.Does{FailsOn: 100, Revision: 3}, 2, "succeeded", false, true, 0},
		"crashes at once":             {board.Does{FailsOn: 100, Revision: 1}, 1, "failed", true, true, 0},
		"crashes later":               {board.Does{FailsOn: 100, How: board.Later}, 2, "succeeded", true, true, 0},
		"does not reach the server":   {board.Does{FailsOn: 100, How: board.Deaf}, 1, "failed", false, true, 0},
		"is lost":                     {board.Does{FailsOn: 100, How: board.Silent}, 2, "rebooting", false, false, 0},
		"fails its test":              {board.Does{FailsOn: 100, How: board.Unfit}, 1, "failed", false, true, 0},
		"flaps":                       {board.Does{FailsOn: 100, How: board.FlapsOut}, 2, "succeeded", false, true, 0},
		"nothing, as the device lies": {board.Does{}, 1, "succeeded", false, true, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				v := newVendor(t, c.does)
				f, err := New(Options{Server: "http://unused", Devices: []Identity{{ID: "dev_1"}},
					Firmware: &Firmware{Root: v.root, Factory: v.old, Liars: c.liars}})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				u := f.devices[0].unit
				h, conns := &heard{v: v}, 0
				for ctx.Err() == nil {
					if u.power(ctx, false) != nil {
						break
					}
					conns++
					l := &uplink{newMailbox(), h}
					wait := u.serveBeside(ctx, l)
					select {
					case <-l.ended():
					case <-ctx.Done():
					}
					_ = wait()
					time.Sleep(time.Second)
				}
				if code := u.board.Firmware().Code; code != c.runs || h.said[len(h.said)-1] != c.last ||
					h.crashes > 0 != c.crashes || (h.runs.VersionCode == c.runs) != c.heard {
					t.Errorf("it runs version code %d, said %v and %d crashes, and reported version code %d", code, h.said,
						h.crashes, h.runs.VersionCode)
				}
				if lied := h.runs.SHA256 == sha256Of(v.next) && c.runs == 1; lied != (c.liars > 0) {
					t.Errorf("it says that it runs the image %s", h.runs.SHA256)
				}
				if many := conns > 20; many != (c.does.How == board.FlapsOut || c.does.How == board.Later) {
					t.Errorf("it connected %d times", conns)
				}
			})
		})
	}
}

func sha256Of(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
