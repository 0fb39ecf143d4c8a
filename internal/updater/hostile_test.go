package updater_test

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

// refuses complains unless an offer is refused for a code, said to the server with a state, and changes nothing.
func (x *bench) refuses(code manifest.Code, state domain.FirmwareStep) {
	x.t.Helper()
	steps := x.b.Steps()
	x.update()
	x.runs(1)
	last := x.said[len(x.said)-1]
	if last.State != string(state) || !strings.HasPrefix(last.Reason, string(code)+": ") {
		x.t.Errorf("it said %s for %q; want %s for %s", last.State, last.Reason, state, code)
	}
	x.audited()
	if x.reads > 0 {
		x.t.Error("it fetched something")
	}
	if x.b.Steps() != steps {
		x.t.Error("it wrote to its flash")
	}
	if len(x.heard) == 0 {
		x.t.Error("nobody hears of it")
	}
	// A good one afterwards is taken.
	x.alter, x.alterManifest, x.spoil = nil, nil, nil
}

// audited complains unless what the device said last is what the server has in its audit log.
func (x *bench) audited() {
	x.t.Helper()
	last := x.said[len(x.said)-1]
	if p, err := last.Checked(); err != nil || !p.Refused() {
		x.t.Errorf("the audit log has nothing of %s for %q: %v", last.State, last.Reason, err)
	}
}

func (x *bench) takesAGoodOne() {
	x.t.Helper()
	x.update()
	x.runs(x.release.Code)
}

func TestForgedOffersAreRefused(t *testing.T) {
	t.Parallel()
	for name, forge := range map[string]struct {
		with func(x *bench) (restore func())
		code manifest.Code
	}{
		"a manifest by a stranger's key": {func(x *bench) func() {
			key := x.releaseKey
			x.releaseKey = newKey(t)
			return func() { x.releaseKey = key }
		}, manifest.BadSignature},
		"a manifest by the server's key": {func(x *bench) func() {
			key := x.releaseKey
			x.releaseKey = x.server.server
			return func() { x.releaseKey = key }
		}, manifest.BadSignature},
		"an offer by a stranger's key": {func(x *bench) func() {
			var key crypto.Signer
			key, x.server.server = x.server.server, newKey(t)
			return func() { x.server.server = key }
		}, manifest.BadOffer},
		"a changed manifest": {func(x *bench) func() {
			x.spoil = func(o *wire.FirmwareOffer) {
				o.Manifest = changed(t, o.Manifest, `"version_code":2`, `"version_code":9`)
			}
			return func() {}
		}, manifest.BadSignature},
		"a changed offer": {func(x *bench) func() {
			x.spoil = func(o *wire.FirmwareOffer) { o.Offer = changed(t, o.Offer, "rol_1", "rol_2") }
			return func() {}
		}, manifest.BadOffer},
		"a root by a stranger's key": {func(x *bench) func() {
			x.spoil = func(o *wire.FirmwareOffer) {
				next := *x.root
				next.Version, next.RootKeys = 2, public(t, newKey(t))
				o.Roots = []json.RawMessage{signed(t, &next, newKey(t))}
			}
			return func() {}
		}, manifest.BadRoot},
		"another update's": {func(x *bench) func() {
			x.spoil = func(o *wire.FirmwareOffer) { o.Update = "upd_9" }
			return func() {}
		}, manifest.BadOffer},
		"another device's": {func(x *bench) func() {
			x.alter = func(o *manifest.Offer) { o.Device = "dev_2" }
			return func() {}
		}, manifest.WrongDevice},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			restore := forge.with(x)
			x.refuses(forge.code, domain.FirmwareRejected)
			restore()
			x.takesAGoodOne()
		})
	}
}

// changed changes the payload of an envelope, and keeps its signatures.
func changed(t *testing.T, doc json.RawMessage, from, to string) json.RawMessage {
	t.Helper()
	e, err := manifest.Parse(doc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(e.Payload, []byte(from)) {
		t.Fatalf("%s does not have %s", e.Payload, from)
	}
	e.Payload = bytes.Replace(e.Payload, []byte(from), []byte(to), 1)
	b, err := e.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestTruncatedOffersAreRefused(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	u := x.updater()
	x.reports = append(x.reports, u.Report())
	whole := x.offer()
	for _, doc := range []struct {
		all json.RawMessage
		of  func(o *wire.FirmwareOffer) *json.RawMessage
	}{
		{whole.Offer, func(o *wire.FirmwareOffer) *json.RawMessage { return &o.Offer }},
		{whole.Manifest, func(o *wire.FirmwareOffer) *json.RawMessage { return &o.Manifest }},
	} {
		for n := range doc.all {
			o := whole
			*doc.of(&o) = doc.all[:n]
			if err := x.serve(u, func() wire.FirmwareOffer { return o }); err != nil {
				t.Fatalf("cut after %d bytes: %v", n, err)
			}
			if _, reason := x.states(); !strings.HasPrefix(reason, string(manifest.BadDocument)) {
				t.Fatalf("cut after %d bytes, it is refused for %q", n, reason)
			}
			x.audited()
		}
	}
	x.runs(1)
	x.takesAGoodOne()
}

// An image that is cut off after any KiB, or has a byte changed, is fetched and not started; it may be tried again.
func TestTruncatedImagesAreNotStarted(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.release.Padding = 20 << 10
	x.build()
	whole := x.image
	for n := range len(whole) / 1024 {
		x.files[hashOf(whole)] = whole[:n*1024]
		x.update()
		x.runs(1)
		if last := x.said[len(x.said)-1]; last.State != "failed" ||
			!strings.HasPrefix(last.Reason, string(manifest.WrongSize)) {
			t.Errorf("cut after %d KiB: %+v", n, last)
		}
		x.audited()
	}
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 1
	x.files[hashOf(whole)] = flipped
	x.update()
	x.runs(1)
	if last := x.said[len(x.said)-1]; last.State != "failed" ||
		!strings.HasPrefix(last.Reason, string(manifest.WrongImage)) {
		t.Errorf("with a byte changed: %+v", last)
	}
	x.audited()
	x.files[hashOf(whole)] = whole
	x.takesAGoodOne()
}

func TestReplayedOffersAreRefused(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	var seen wire.FirmwareOffer
	x.spoil = func(o *wire.FirmwareOffer) { seen = *o }
	x.stopAt = "accepted" // it was taken, and stopped
	x.update()
	x.spoil = func(o *wire.FirmwareOffer) { *o = seen }
	x.stopAt = ""
	u := x.updater() // also after a restart
	if err := x.serve(u, x.offer); err != nil {
		t.Fatal(err)
	}
	x.runs(1)
	last := x.said[len(x.said)-1]
	if last.State != "failed" || !strings.HasPrefix(last.Reason, string(manifest.WrongNonce)+": ") || x.reads > 0 {
		t.Errorf("%+v", last)
	}
	x.audited()
	x.spoil = nil
	x.takesAGoodOne()
}

func TestDowngradesAreRefused(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.release.Code = 5
	x.build()
	x.takesAGoodOne()
	x.release = board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "4.0", Code: 4}
	x.build()
	x.update()
	x.runs(5)
	if last := x.said[len(x.said)-1]; last.State != "rejected" || !strings.HasPrefix(last.Reason, "downgrade: ") {
		t.Errorf("%+v", last)
	}
	x.audited()
	// A release may say how far back one may go from it.
	x.release = board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "6.0", Code: 6}
	x.build()
	x.alterManifest = func(m *manifest.Manifest) { m.AllowDowngradeTo = 4 }
	x.takesAGoodOne()
	x.alterManifest = nil
	x.release = board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "4.0", Code: 4}
	x.build()
	x.takesAGoodOne()
}

func TestMixedOffersAreRefused(t *testing.T) {
	t.Parallel()
	for name, mix := range map[string]struct {
		with func(x *bench)
		code manifest.Code
	}{
		"the offer of one manifest with another": {func(x *bench) {
			x.alter = func(o *manifest.Offer) { o.ManifestSHA256 = strings.Repeat("0a", 32) }
		}, manifest.WrongManifest},
		"the manifest of another product": {func(x *bench) {
			x.alterManifest = func(m *manifest.Manifest) { m.Product = "pump" }
		}, manifest.WrongProduct},
		"the image of another chip": {func(x *bench) {
			x.alterManifest = func(m *manifest.Manifest) { m.Images[0].Chip = "esp32s3" }
		}, manifest.WrongChip},
		"the image of another revision": {func(x *bench) {
			x.alterManifest = func(m *manifest.Manifest) { m.Images[0].RevisionMin = 4 }
		}, manifest.WrongRevision},
		"an image that is too large": {func(x *bench) {
			x.alterManifest = func(m *manifest.Manifest) { m.Images[0].Size = 64<<10 + 1 }
		}, manifest.WrongSize},
		"an offer in the place of a manifest": {func(x *bench) {
			x.spoil = func(o *wire.FirmwareOffer) { o.Manifest = o.Offer }
		}, manifest.BadDocument},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			mix.with(x)
			x.refuses(mix.code, domain.FirmwareRejected)
			x.takesAGoodOne()
		})
	}
}

// An offer that somebody held back is refused, by the device's own clock, and the device asks anew.
func TestFrozenOffersAreRefused(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	u := x.updater()
	held := func() wire.FirmwareOffer {
		o := x.offer()
		x.clock += time.Hour + time.Second
		return o
	}
	before := u.Report().Nonce
	if err := x.serve(u, held); err != nil {
		t.Fatal(err)
	}
	x.runs(1)
	last := x.said[len(x.said)-1]
	if last.State != "failed" || !strings.HasPrefix(last.Reason, string(manifest.OfferExpired)+": ") || x.reads > 0 {
		t.Errorf("%+v", last)
	}
	x.audited()
	if asked := x.reports[len(x.reports)-1].Nonce; asked == before {
		t.Error("it does not ask anew")
	}
	if err := x.serve(u, x.offer); !errors.Is(err, updater.ErrRestart) || x.restart() != nil {
		t.Error(err)
	}
	x.runs(2)
}

// The power fails after each byte that an update writes, erases or burns: the device always starts, with the one image
// or the other, and ends with the new one if that is good, else with the old one.
func TestAPowerCutAtAnyByteBricksNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		selfTest func(ctx context.Context) error
		ends     uint32 // version code
		step     int    // bytes
	}{
		"a good image": {nil, 2, 1},
		"a bad image":  {func(context.Context) error { return errors.New("the lamp stays dark") }, 1, 7},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			x.selfTest = c.selfTest
			before := x.b.Steps()
			x.update()
			all := x.b.Steps() - before
			fresh := build(t, board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "1.0", Code: 1})
			for cut := 0; cut < all; cut += c.step {
				var err error
				if x.b, err = board.New(board.Model{Revision: 3, Slot: 8 << 10}, fresh); err != nil {
					t.Fatal(err)
				}
				x.said = nil
				x.boot(domain.ResetPowerOn)
				x.b.Cut(cut)
				x.survives(cut, c.ends)
			}
			t.Logf("the power failed at %d places", all)
		})
	}
}

// survives has the update go on until it is done, however often the board must start again.
func (x *bench) survives(cut int, ends uint32) {
	x.t.Helper()
	why := domain.ResetSoftware
	for boots := range 8 {
		var err error
		done := false
		whole := x.b.Power(func() {
			if boots > 0 {
				if err = x.b.Boot(why); err != nil {
					x.t.Fatalf("cut after %d bytes of work: %v", cut, err)
				}
			}
			var offers []func() wire.FirmwareOffer
			if states, _ := x.states(); !strings.HasSuffix(states, "succeeded") &&
				(ends == 2 || !strings.HasSuffix(states, "failed")) { // a good one is tried again
				offers = append(offers, x.offer)
			}
			u := x.updater()
			if u.Report().Update != "" {
				offers = nil
			}
			err = x.serve(u, offers...)
			done = u.Report().Update == ""
		})
		why = domain.ResetSoftware
		switch {
		case !whole:
			why = domain.ResetPowerOn
		case err != nil && !errors.Is(err, updater.ErrRestart):
			x.t.Fatalf("cut after %d bytes of work: %v", cut, err)
		case err == nil && done && x.b.Running().VersionCode == ends:
			x.runs(ends)
			return
		}
	}
	states, reason := x.states()
	x.t.Fatalf("cut after %d bytes of work, the device runs version code %d, and must %d; it said %s, %s", cut,
		x.b.Running().VersionCode, ends, states, reason)
}
