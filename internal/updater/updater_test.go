package updater_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/simulate/board"
	"github.com/unhidra/unhidra/internal/updater"
	"github.com/unhidra/unhidra/internal/wire"
)

func TestADeviceIsUpdatedAndConfirms(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.release.Padding = 40 << 10
	x.build()
	tested := 0
	x.selfTest = func(context.Context) error { tested++; return nil }
	x.update()
	x.runs(2)
	if got, _ := x.states(); got != "accepted downloading verified installing rebooting testing succeeded" {
		t.Errorf("it said %s", got)
	}
	if last := x.reports[len(x.reports)-1]; tested != 1 || last.SlotState != "valid" || last.Update != "upd_2" ||
		last.ResetReason != "software" {
		t.Errorf("tested %d times; %+v", tested, last)
	}
	if u := x.updater(); u.Report().Update != "" {
		t.Error("the update is not over")
	}
	x.boot(domain.ResetPowerOn)
	x.runs(2)
}

// What goes wrong with an image that is what it should be: the device is back on the old one, and says why.
func TestAnImageThatFailsIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(x *bench)
		reason  string
		slot    domain.SlotState
	}{
		"it crashes before it is confirmed": {func(x *bench) { x.boot(domain.ResetPanic) }, "rolled_back",
			domain.SlotAborted},
		"it loses its power": {func(x *bench) { x.boot(domain.ResetPowerOn) }, "rolled_back", domain.SlotAborted},
		"it does not reach the server": {func(x *bench) {
			if given, err := x.updater().GiveUp(); !given || err != nil {
				x.t.Error("it cannot give up")
			}
			x.boot(domain.ResetSoftware)
		}, "rolled_back", domain.SlotInvalid},
		"it fails its test": {func(x *bench) {
			x.selfTest = func(context.Context) error { return errors.New("the lamp stays dark") }
			if err := x.serve(x.updater()); !errors.Is(err, updater.ErrRestart) {
				x.t.Error(err)
			}
			x.boot(domain.ResetSoftware)
		}, "rolled_back", domain.SlotInvalid},
		"it is given up while it tests itself": {func(x *bench) {
			var u *updater.Updater
			x.selfTest = func(context.Context) error {
				if given, err := u.GiveUp(); !given || err != nil {
					x.t.Error("it cannot give up")
				}
				return nil
			}
			u = x.updater()
			for range 2 { // the second connection is made before the board restarts
				if err := x.serve(u); !errors.Is(err, updater.ErrRestart) {
					x.t.Error(err)
				}
			}
			x.boot(domain.ResetSoftware)
		}, "rolled_back", domain.SlotInvalid},
		"the server stops it before it is confirmed": {func(x *bench) {
			x.stopAt = "testing"
			if err := x.serve(x.updater()); !errors.Is(err, updater.ErrRestart) {
				x.t.Error(err)
			}
			x.boot(domain.ResetSoftware)
		}, "rolled_back", domain.SlotInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t)
			if err := x.serve(x.updater(), x.offer); !errors.Is(err, updater.ErrRestart) {
				t.Fatal(err)
			}
			x.boot(domain.ResetSoftware)
			if got := x.b.Running(); got.VersionCode != 2 || got.Slot != domain.SlotPending {
				t.Fatalf("%+v", got)
			}
			c.happens(x)
			x.runs(1)
			u := x.updater()
			if r := u.Report(); r.SlotState != string(c.slot) || r.Update != "upd_2" || r.VersionCode != 1 {
				t.Errorf("it reports %+v", r)
			}
			if err := x.serve(u); err != nil {
				t.Error(err)
			}
			if _, reason := x.states(); !strings.HasPrefix(reason, c.reason) {
				t.Errorf("it says that it failed for %q", reason)
			}
			if r := u.Report(); r.Update != "" || r.SlotState == string(c.slot) {
				t.Errorf("the update is not over: %+v", r)
			}
		})
	}
}

// The server may stop an update as long as the image is not confirmed.
func TestAnUpdateIsStopped(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"accepted", "downloading", "verified", "installing"} {
		x := newBench(t)
		x.stopAt = at
		x.update()
		x.runs(1)
		if x.updater().Report().Update != "" {
			t.Errorf("stopped at %s, the update goes on", at)
		}
		x.stopAt = ""
		x.release.Code = 3
		x.build()
		x.update()
		x.runs(3)
	}
}

// A connection that ends at any moment delays an update, and does nothing else.
func TestAnUpdateGoesOnWithTheNextConnection(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"accepted", "downloading", "verified", "installing", "rebooting", "testing", "succeeded"} {
		x := newBench(t)
		x.cutAt = at
		x.release.Padding = 40 << 10
		x.build()
		err := x.serve(x.updater(), x.offer)
		for range 5 {
			switch {
			case errors.Is(err, updater.ErrRestart):
				err = x.restart()
			case errors.Is(err, errCut):
				err = x.serve(x.updater())
			}
		}
		if err != nil {
			t.Errorf("cut at %s: %v", at, err)
		}
		x.runs(2)
	}
}

func TestADownloadGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	if b, err := board.New(board.Model{Slot: 256 << 10}, build(t, board.Firmware{Product: "lamp", Chip: "esp32c3",
		Version: "1.0", Code: 1})); err != nil {
		t.Fatal(err)
	} else {
		x.b = b
	}
	x.boot(domain.ResetPowerOn)
	x.release.Padding = 200 << 10
	x.build()
	x.cutRead = 12 // of 13
	if err := x.serve(x.updater(), x.offer); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	x.boot(domain.ResetBrownout)
	first := x.reads
	err := x.serve(x.updater())
	if again := x.reads - first; again > 5 {
		t.Errorf("%d windows were read again", again)
	}
	if !errors.Is(err, updater.ErrRestart) || x.restart() != nil {
		t.Error(err)
	}
	x.runs(2)
}

// A device whose connection ends again and again is updated, however little comes over each.
func TestADeviceThatFlapsGoesOnWithEachConnection(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.options = func(o *updater.Options) { o.Window = updater.SectorSize }
	x.release.Padding = 40 << 10
	x.build()
	u := x.updater()
	x.cutRead = 2
	err := x.serve(u, x.offer)
	for conns := 1; errors.Is(err, errCut); conns++ {
		if conns > 20 {
			t.Fatalf("after %d connections %d windows were read of %d bytes", conns, x.reads, len(x.image))
		}
		x.cutRead = x.reads + 2
		err = x.serve(u)
	}
	if !errors.Is(err, updater.ErrRestart) || x.restart() != nil {
		t.Error(err)
	}
	x.runs(2)
}

func TestImagesComeOverHTTPWhileThatWorks(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.release.Padding = 40 << 10
	x.build()
	asked := 0
	files := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		switch r.URL.Path {
		case "/expired":
			http.Error(w, "the URL has ended", http.StatusForbidden)
		case "/whole": // knows no ranges, and breaks off
			w.Header().Set("Content-Length", "100000")
			_, _ = w.Write(x.image[:len(x.image)*asked/4])
		default:
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(x.image))
		}
	}))
	t.Cleanup(files.Close)
	x.options = func(o *updater.Options) { o.HTTP = files.Client() }
	for path, want := range map[string]struct{ asked, windows int }{
		"/image": {1, 0}, "/expired": {3, 3}, "/whole": {3, 1},
	} {
		x.release.Code++
		x.build()
		asked, x.reads = 0, 0
		x.spoil = func(o *wire.FirmwareOffer) { o.Image.URL = files.URL + path }
		x.update()
		x.runs(x.release.Code)
		if asked != want.asked || x.reads != want.windows {
			t.Errorf("%s: asked %d times over HTTP, and for %d windows", path, asked, x.reads)
		}
	}
}

// half is a patch: the first half of the image comes from the base, the rest is the patch.
func half(base io.ReaderAt, size int64, patch io.Reader, out io.Writer) error {
	b := make([]byte, size/2)
	if _, err := base.ReadAt(b, 0); err != nil {
		return err
	}
	if _, err := out.Write(b); err != nil {
		return err
	}
	_, err := io.Copy(out, patch)
	return err
}

// A patch that makes the image saves fetching it; one that does not, or is cut off, costs it.
func TestADeltaThatFailsIsFollowedByTheWholeImage(t *testing.T) {
	t.Parallel()
	for _, is := range []string{"good", "bad", "cut off"} {
		x := newBench(t)
		x.release.Padding = 30 << 10
		x.build()
		running := x.b.Running()
		base := make([]byte, running.Size)
		if err := x.b.ReadRunning(0, base); err != nil {
			t.Fatal(err)
		}
		patch := append([]byte(nil), x.image[running.Size/2:]...)
		apply := func(b io.ReaderAt, n int64, p io.Reader, out io.Writer) error {
			if _, err := out.Write(x.image[:n/2]); err != nil { // the images have little in common
				return err
			}
			_, err := io.Copy(out, p)
			return err
		}
		x.files[hashOf(patch)] = patch
		switch is {
		case "bad":
			apply = half
		case "cut off":
			x.files[hashOf(patch)] = patch[:len(patch)/2]
		}
		x.options = func(o *updater.Options) { o.Patches = map[string]updater.Patch{"half": apply} }
		x.spoil = func(o *wire.FirmwareOffer) {
			o.Delta = &wire.FirmwareDelta{Format: "half", BaseSHA256: running.SHA256, SHA256: hashOf(patch),
				Size: int64(len(patch))}
		}
		x.update()
		x.runs(2)
		if failed := len(x.heard) > 0; failed == (is == "good") {
			t.Errorf("a patch that is %s: %v", is, x.heard)
		}
	}
}

// Preconditions are looked at by the device; what it does not know is no hindrance.
func TestAnUpdateWaitsForItsConditions(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	low, no, weak := 20, false, -90
	want := wire.FirmwareConditions{Battery: 40, Signal: -75, Charging: true}
	x.spoil = func(o *wire.FirmwareOffer) { o.If = want }
	for reason, now := range map[string]updater.Conditions{
		"battery": {Battery: &low}, "signal": {Signal: &weak}, "charging": {Charging: &no},
	} {
		x.b.Now = now
		x.update()
		x.runs(1)
		last := x.said[len(x.said)-1]
		if last.State != "deferred" || last.Reason != reason || last.RetryIn == 0 {
			t.Errorf("%+v, want deferred for %s", last, reason)
		}
	}
	x.b.Now = updater.Conditions{}
	x.update()
	x.runs(2)
}

// An image is not offered to a device that has not confirmed the one that it runs.
func TestNothingIsTakenBeforeTheImageIsConfirmed(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	if err := x.serve(x.updater(), x.offer); !errors.Is(err, updater.ErrRestart) {
		t.Fatal(err)
	}
	x.boot(domain.ResetSoftware)
	x.cutAt = "testing"
	if err := x.serve(x.updater(), x.offer); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	if err := x.b.Start(); err == nil {
		t.Error("the bootloader takes a second image before the first is confirmed")
	}
}

// Once an image is confirmed, none with a lower secure version runs: neither by an offer nor by the bootloader.
func TestSecureVersionsOnlyRise(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	x.release.SecureVersion = 2
	x.build()
	x.update()
	x.runs(2)
	x.release = board.Firmware{Product: "lamp", Chip: "esp32c3", Version: "3.0", Code: 3, SecureVersion: 1}
	x.build()
	x.update()
	x.runs(2)
	if _, reason := x.states(); !strings.HasPrefix(reason, string(manifest.SecureVersion)) {
		t.Errorf("it was refused for %q", reason)
	}
	if err := x.b.Write(0, x.image); err != nil {
		t.Fatal(err)
	}
	if err := x.b.Start(); err == nil {
		t.Error("the bootloader takes an image whose secure version is too low")
	}
	x.boot(domain.ResetPowerOn)
	x.runs(2)
}

// A device follows the roots, and remembers the newest.
func TestADeviceFollowsTheRoots(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	next := *x.root
	next.Version = 2
	fresh := newKey(t)
	next.ReleaseKeys = public(t, fresh)
	doc := signed(t, &next, x.rootKey)
	x.releaseKey = fresh
	x.update() // without the root
	if _, reason := x.states(); !strings.HasPrefix(reason, string(manifest.BadSignature)) {
		t.Errorf("it was refused for %q", reason)
	}
	x.spoil = func(o *wire.FirmwareOffer) { o.Roots = append(o.Roots, x.rootDoc, doc) }
	x.update()
	x.runs(2)
	if v := x.updater().Report().RootVersion; v != 2 {
		t.Errorf("it trusts root %d", v)
	}
}

// A device that was away while the keys changed many times gets the roots in several offers.
func TestALongChainOfRootsComesInParts(t *testing.T) {
	t.Parallel()
	x := newBench(t)
	var chain []json.RawMessage
	root := *x.root
	for range 10 {
		root.Version++
		x.releaseKey = newKey(t)
		root.ReleaseKeys = public(t, x.releaseKey)
		next := root
		chain = append(chain, signed(t, &next, x.rootKey))
	}
	const most = 4
	x.spoil = func(o *wire.FirmwareOffer) {
		has := x.reports[len(x.reports)-1].RootVersion
		o.Roots = chain[has-1 : min(has-1+most, len(chain))]
	}
	for range 2 {
		x.update()
		x.runs(1)
		if last := x.said[len(x.said)-1]; last.State != "failed" || !strings.HasPrefix(last.Reason, "bad_signature: ") {
			t.Errorf("%+v", last)
		}
	}
	x.update()
	x.runs(2)
}
