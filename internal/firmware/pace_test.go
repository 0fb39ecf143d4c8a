package firmware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// A download takes as long as its limit says, those of one site share one, and others go on beside it.
func TestDownloadsKeepToTheirPace(t *testing.T) {
	t.Parallel()
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	file := bytes.Repeat([]byte("x"), 640<<10)
	for name, c := range map[string]struct {
		pace Pace
		to   []netip.Addr
		want time.Duration // after a burst of one second
	}{
		"no limit":           {Pace{}, []netip.Addr{here, there}, 0},
		"one site":           {Pace{Site: 64}, []netip.Addr{here}, 9 * time.Second},
		"two at a site":      {Pace{Site: 64}, []netip.Addr{here, here}, 19 * time.Second},
		"two sites":          {Pace{Site: 64}, []netip.Addr{here, there}, 9 * time.Second},
		"one product":        {Pace{Product: 64}, []netip.Addr{here, there}, 19 * time.Second},
		"all sites together": {Pace{Total: 64}, []netip.Addr{here, there}, 19 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, done := newDownloads(c.pace, nil, time.Now), atomic.Int64{}
				for _, to := range c.to {
					go func() {
						got, err := io.ReadAll(d.paced(t.Context(), bytes.NewReader(file), to, "lamp"))
						if err != nil || !bytes.Equal(got, file) {
							t.Errorf("%d bytes, %v", len(got), err)
						}
						done.Add(1)
					}()
				}
				all := int64(len(c.to))
				if time.Sleep(c.want - time.Second); c.want > 0 && done.Load() == all {
					t.Errorf("all downloads are over in less than %v", c.want)
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if n := done.Load(); n != all {
					t.Errorf("%d of %d downloads are over after %v", n, all, c.want)
				}
			})
		})
	}
}

// What devices read by their connections keeps to the same limits as downloads: what is too early is refused, says when
// to come again, and costs nothing.
func TestWindowsKeepToThePaceOfDownloads(t *testing.T) {
	t.Parallel()
	here, there := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for name, pace := range map[string]Pace{"site": {Site: 32}, "product": {Product: 32}, "all": {Total: 32}} {
		synctest.Test(t, func(t *testing.T) {
			const window = domain.MaxFirmwareWindow
			d := newDownloads(pace, nil, time.Now)
			if pace.Site == 0 { // two windows a minute: what another limit refuses costs this one nothing
				d.site = ratelimit.New(2*inKiB(window), time.Minute, 2*inKiB(window))
			}
			if err := d.take(window, here, "lamp"); err != nil {
				t.Fatalf("%s: the first window: %v", name, err)
			}
			err := d.take(window, here, "lamp")
			e, ok := errors.AsType[*domain.Error](err)
			if !ok || e.Kind != domain.RateLimited || e.RetryAfter <= 0 || e.RetryAfter > time.Second {
				t.Fatalf("%s: a window that is too early: %v", name, err)
			}
			for range 10 {
				_ = d.take(window, here, "lamp")
			}
			if other := d.take(window, there, "pump"); (other == nil) != (name != "all") {
				t.Errorf("%s: of another product, to another address: %v", name, other)
			}
			time.Sleep(e.RetryAfter)
			if err := d.take(window, here, "lamp"); err != nil {
				t.Errorf("%s: when it may come again: %v", name, err)
			}
		})
	}
}

// Downloads that share a limit have equal parts of it, and do not all ask again for each part that one of them gets.
func TestDownloadsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, steps = 200, 20
		ctx, cancel := context.WithCancel(t.Context())
		d := newDownloads(Pace{Total: 1024}, nil, time.Now)
		var read [n]atomic.Int64
		for i := range n {
			f := d.paced(ctx, bytes.NewReader(make([]byte, 1<<20)), netip.MustParseAddr("192.0.2.1"), "lamp")
			go func() {
				for b := make([]byte, paceStep); ; read[i].Add(1) {
					if _, err := f.Read(b); err != nil {
						return
					}
				}
			}()
		}
		time.Sleep(n * steps * paceStep / (1 << 20) * time.Second)
		synctest.Wait()
		cancel()
		synctest.Wait()
		for i := range read {
			if got := read[i].Load(); got < steps-2 {
				t.Errorf("download %d read only %d of about %d parts", i, got, steps)
			}
		}
		if allowed, denied := d.all.Decisions(); denied > allowed {
			t.Errorf("for %d parts they asked %d times in vain", allowed, denied)
		}
	})
}

func TestAPacedDownloadEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	d := newDownloads(Pace{Total: 1}, nil, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	f := d.paced(ctx, bytes.NewReader(make([]byte, 1<<20)), netip.MustParseAddr("192.0.2.1"), "lamp")
	for range domain.MaxFirmwareWindow / paceStep { // all that is let through at once
		if _, err := f.Read(make([]byte, paceStep)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	if _, err := f.Read(make([]byte, paceStep)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

// How downloads end is counted: whole, broken off by the client, refused, or failed.
func TestDownloadsAreCountedByHowTheyEnd(t *testing.T) {
	t.Parallel()
	d := newDownloads(Pace{}, nil, time.Now)
	for _, c := range []struct {
		method string
		status int
		length string
		sent   int
	}{
		{"GET", http.StatusOK, "7", 7}, {"GET", http.StatusPartialContent, "3", 3}, {"HEAD", http.StatusOK, "7", 0},
		{"GET", http.StatusNotModified, "", 0}, {"GET", http.StatusOK, "7", 4},
		{"GET", http.StatusRequestedRangeNotSatisfiable, "20", 20}, {"GET", http.StatusForbidden, "", 9},
		{"GET", http.StatusServiceUnavailable, "", 9},
	} {
		w := &counted{ResponseWriter: httptest.NewRecorder(), status: http.StatusOK}
		if c.length != "" {
			w.Header().Set("Content-Length", c.length)
		}
		w.WriteHeader(c.status)
		if _, err := w.ReadFrom(bytes.NewReader(make([]byte, c.sent))); err != nil {
			t.Fatal(err)
		}
		d.count(w, httptest.NewRequest(c.method, "/", nil))
	}
	for result, want := range map[string]float64{loadOK: 4, loadBroken: 1, loadRefused: 2, loadFailed: 1} {
		if n := testutil.ToFloat64(d.results.WithLabelValues(result)); n != want {
			t.Errorf("%s: %v, and should be %v", result, n, want)
		}
	}
	if n := testutil.ToFloat64(d.bytes); n != 14 {
		t.Errorf("%v bytes", n)
	}
}

func TestOneDownloadTooManyIsRefused(t *testing.T) {
	t.Parallel()
	d := newDownloads(Pace{}, nil, time.Now)
	from := func(n int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(n)}) }
	var leave func()
	for n := range maxDownloads {
		var err error
		if leave, err = d.gate.Enter(from(n / maxOfAddr)); err != nil {
			t.Fatal(err)
		}
	}
	last := from(maxDownloads/maxOfAddr - 1)
	if _, err := d.gate.Enter(last); domain.CodeOf(err) != domain.CodeBusyAddress {
		t.Errorf("one more to an address: %v", err)
	}
	if _, err := d.gate.Enter(from(99)); domain.CodeOf(err) != domain.CodeBusy {
		t.Errorf("one more to another address: %v", err)
	}
	leave()
	if leave, err := d.gate.Enter(last); err != nil {
		t.Errorf("after one has ended: %v", err)
	} else {
		leave()
	}
	if _, err := d.gate.Enter(from(99)); err != nil {
		t.Errorf("to another address, after one has ended: %v", err)
	}
}
