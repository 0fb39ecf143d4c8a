package firmware

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
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
		"all sites together": {Pace{Total: 64}, []netip.Addr{here, there}, 19 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d, done := newDownloads(c.pace, time.Now), atomic.Int64{}
				for _, to := range c.to {
					go func() {
						got, err := io.ReadAll(d.paced(t.Context(), bytes.NewReader(file), to))
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

func TestAPacedDownloadEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	d := newDownloads(Pace{Total: 1}, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	f := d.paced(ctx, bytes.NewReader(make([]byte, 1<<20)), netip.MustParseAddr("192.0.2.1"))
	if _, err := f.Read(make([]byte, paceStep)); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := f.Read(make([]byte, paceStep)); !errors.Is(err, context.Canceled) {
		t.Errorf("after its end: %v", err)
	}
}

func TestOneDownloadTooManyIsRefused(t *testing.T) {
	t.Parallel()
	d := newDownloads(Pace{}, time.Now)
	for range maxDownloads {
		if _, err := d.enter(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.enter(); domain.CodeOf(err) != domain.CodeBusy {
		t.Errorf("one more: %v", err)
	}
}
