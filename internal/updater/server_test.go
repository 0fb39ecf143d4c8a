package updater_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

// noon is when all is signed. The clock of the device knows nothing of it.
var noon = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

var (
	errCut = errors.New("the connection is gone")
	errEnd = errors.New("nothing more comes")
)

// server is one that makes offers to a device, and remembers what it is told.
type server struct {
	t                           testing.TB
	rootKey, releaseKey, server crypto.Signer
	root                        *manifest.Root
	rootDoc                     json.RawMessage
	release                     board.Firmware
	image                       []byte
	files                       map[string][]byte // by hash
	reports                     []wire.FirmwareReport
	said                        []wire.FirmwareProgress
	stopAt                      string // state that is answered with stop
	cutAt                       string // state at which the connection ends; once
	reads                       int
	cutRead                     int // number of the read at which the connection ends; 0: none
	// What is changed of the next offer.
	alter         func(o *manifest.Offer)
	alterManifest func(m *manifest.Manifest)
	spoil         func(o *wire.FirmwareOffer)
}

func newKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := manifest.Generate(manifest.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func public(t testing.TB, k crypto.Signer) []manifest.Key {
	t.Helper()
	p, err := manifest.NewKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return []manifest.Key{p}
}

func signed(t testing.TB, d interface {
	Seal() (*manifest.Envelope, error)
}, keys ...crypto.Signer) json.RawMessage {
	t.Helper()
	e, err := d.Seal()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if err := e.Sign(k); err != nil {
			t.Fatal(err)
		}
	}
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// newServer returns a server with a release of version code 2.
func newServer(t testing.TB) *server {
	t.Helper()
	s := &server{t: t, rootKey: newKey(t), releaseKey: newKey(t), server: newKey(t), files: map[string][]byte{},
		release: board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "2.0", Code: 2}}
	root := &manifest.Root{Type: "root", Product: "lamp", Version: 1, RootKeys: public(t, s.rootKey), RootThreshold: 1,
		ReleaseKeys: public(t, s.releaseKey), ReleaseThreshold: 1, OfferKeys: public(t, s.server)}
	s.rootDoc = signed(t, root, s.rootKey)
	e, err := manifest.Parse(s.rootDoc)
	if err != nil {
		t.Fatal(err)
	}
	if s.root, err = manifest.FirstRoot(e); err != nil {
		t.Fatal(err)
	}
	s.build()
	return s
}

func build(t testing.TB, f board.Firmware) []byte {
	t.Helper()
	b, err := f.Build()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (s *server) build() {
	s.image = build(s.t, s.release)
	s.files[hashOf(s.image)] = s.image
}

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// offer makes an offer to the device that has said what it runs the last time.
func (s *server) offer() wire.FirmwareOffer {
	s.t.Helper()
	m := &manifest.Manifest{Type: "manifest", Product: "lamp", Version: s.release.Version, VersionCode: s.release.Code,
		Created: noon, Images: []manifest.Image{{Chip: "esp32c3", Size: int64(len(s.image)), SHA256: hashOf(s.image),
			SecureVersion: s.release.SecureVersion}}}
	if s.alterManifest != nil {
		s.alterManifest(m)
	}
	doc := signed(s.t, m, s.releaseKey)
	e, err := manifest.Parse(doc)
	if err != nil {
		s.t.Fatal(err)
	}
	o := &manifest.Offer{Type: "offer", Product: "lamp", Device: "dev_1", Nonce: s.reports[len(s.reports)-1].Nonce,
		ManifestSHA256: e.Hash(), Rollout: "rol_1", Update: fmt.Sprint("upd_", s.release.Code), Issued: noon,
		Expires: noon.Add(time.Hour)}
	if s.alter != nil {
		s.alter(o)
	}
	out := wire.FirmwareOffer{Update: o.Update, Offer: signed(s.t, o, s.server), Manifest: doc,
		Image: wire.FirmwareFile{SHA256: m.Images[0].SHA256, Size: m.Images[0].Size}}
	if s.spoil != nil {
		s.spoil(&out)
	}
	return out
}

func (s *server) Report(_ context.Context, r wire.FirmwareReport) error {
	if _, err := r.Checked(); err != nil {
		s.t.Errorf("the device says what it cannot: %v", err)
	}
	s.reports = append(s.reports, r)
	return nil
}

func (s *server) Progress(_ context.Context, p wire.FirmwareProgress) (wire.FirmwareAnswer, error) {
	if _, err := p.Checked(); err != nil {
		s.t.Errorf("the device says what it cannot: %v", err)
	}
	if p.Update == "end" {
		return wire.FirmwareAnswer{}, errEnd
	}
	if p.State == s.cutAt {
		s.cutAt = ""
		return wire.FirmwareAnswer{}, errCut
	}
	s.said = append(s.said, p)
	if p.State == s.stopAt {
		return wire.FirmwareAnswer{Action: "stop", Reason: "aborted"}, nil
	}
	return wire.FirmwareAnswer{Action: "continue"}, nil
}

func (s *server) Read(_ context.Context, r wire.FirmwareRead) ([]byte, error) {
	if s.reads++; s.reads == s.cutRead {
		return nil, errCut
	}
	f := s.files[r.SHA256]
	if r.Offset > int64(len(f)) || f == nil {
		return nil, &updater.Refused{Code: string(domain.CodeNoFile), Reason: "there is no such file"}
	}
	return f[r.Offset:min(r.Offset+int64(r.Length), int64(len(f)))], nil
}

// states returns what the device has said, one state after the other, and the last reason.
func (s *server) states() (states string, reason string) {
	for _, p := range s.said {
		if !strings.HasSuffix(states, p.State) {
			states += " " + p.State
		}
		reason = p.Reason
	}
	return strings.TrimSpace(states), reason
}

// bench is a device at a server.
type bench struct {
	*server
	b        *board.Board
	selfTest func(ctx context.Context) error
	clock    time.Duration
	options  func(o *updater.Options)
	heard    []error
}

// newBench has a board that runs version code 1.
func newBench(t testing.TB) *bench {
	t.Helper()
	old := board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "1.0", Code: 1}
	x := &bench{server: newServer(t)}
	var err error
	if x.b, err = board.New(board.Model{Revision: 3, Slot: 64 << 10}, build(t, old)); err != nil {
		t.Fatal(err)
	}
	x.boot(domain.ResetPowerOn)
	return x
}

func (x *bench) boot(why domain.ResetReason) {
	x.t.Helper()
	if err := x.b.Boot(why); err != nil {
		x.t.Fatal(err)
	}
}

func (x *bench) updater() *updater.Updater {
	x.t.Helper()
	o := updater.Options{Board: x.b, Root: x.root, Device: "dev_1", Clock: func() time.Duration { return x.clock },
		SelfTest: x.selfTest, Hear: func(update string, err error) {
			if update != "end" {
				x.heard = append(x.heard, err)
			}
		}}
	if x.options != nil {
		x.options(&o)
	}
	u, err := updater.New(o)
	if err != nil {
		x.t.Fatal(err)
	}
	return u
}

// serve has the device serve one connection, over which come offers. It ends when nothing more happens.
func (x *bench) serve(u *updater.Updater, offers ...func() wire.FirmwareOffer) error {
	x.t.Helper()
	x.reports = append(x.reports, u.Report())
	in := make(chan wire.FirmwareOffer, len(offers)+1)
	for _, o := range offers {
		in <- o()
	}
	in <- wire.FirmwareOffer{Update: "end"}
	err := u.Serve(x.t.Context(), x.server, in)
	if errors.Is(err, errEnd) {
		return nil
	}
	return err
}

// restart starts the board anew, as an update asks for, and serves a connection.
func (x *bench) restart() error {
	x.t.Helper()
	x.boot(domain.ResetSoftware)
	return x.serve(x.updater())
}

// update has the device take one offer, restart as often as it asks for, and be done.
func (x *bench) update() {
	x.t.Helper()
	err := x.serve(x.updater(), x.offer)
	for range 3 {
		if !errors.Is(err, updater.ErrRestart) {
			break
		}
		err = x.restart()
	}
	if err != nil {
		x.t.Errorf("the update ended with %v", err)
	}
}

// runs complains unless the board runs a version that is confirmed, and says so.
func (x *bench) runs(code uint32) {
	x.t.Helper()
	r := x.b.Running()
	if r.VersionCode != code || r.Slot == domain.SlotPending || r.Slot == domain.SlotNew {
		x.t.Errorf("the board runs version code %d, %s; want %d", r.VersionCode, r.Slot, code)
	}
}
