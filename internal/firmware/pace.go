package firmware

import (
	"context"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Pace limits what this node sends of images, so that a rollout does not fill a line that others need.
type Pace struct {
	Total int // KiB a second of all downloads; 0: no limit
	Site  int // of those to one address, as that of a house or office; 0: no limit
}

const (
	maxDownloads = 4096     // at once
	maxOfAddr    = 1024     // of these, to one address: it holds up no others, however slowly it reads
	paceStep     = 16 << 10 // bytes that are let through at a time
	retryLoad    = 10 * time.Second
)

// What becomes of downloads.
const (
	loadOK      = "ok"
	loadBroken  = "broken"  // the client went away
	loadRefused = "refused" // it may not, or asks for something else than there is
	loadFailed  = "failed"
)

// downloads are the downloads under way.
type downloads struct {
	Pace
	all, site *ratelimit.Limiter
	turn      chan struct{} // of one entry: whose download waits for all; the others queue, and do not ask
	now       func() time.Time
	results   *prometheus.CounterVec
	bytes     prometheus.Counter
	gate      *httpx.Gate
}

func newDownloads(p Pace, reg prometheus.Registerer, now func() time.Time) *downloads {
	limiter := func(kib int) *ratelimit.Limiter { return ratelimit.New(kib, time.Second, max(kib, paceStep>>10)) }
	results := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "firmware_downloads_total",
		Help: "Requests for images of firmware and parts of them, by result: ok, broken off, refused, failed by the server."},
		[]string{"result"})
	for _, r := range []string{loadOK, loadBroken, loadRefused, loadFailed} {
		results.WithLabelValues(r) // so that it is there before the first
	}
	bytes := prometheus.NewCounter(prometheus.CounterOpts{Name: "firmware_download_bytes_total",
		Help: "Bytes of images that were sent."})
	if reg != nil {
		reg.MustRegister(results, bytes)
	}
	return &downloads{results: results, bytes: bytes, Pace: p, all: limiter(p.Total), site: limiter(p.Site), now: now,
		turn: make(chan struct{}, 1), gate: httpx.NewGate("downloads", maxDownloads, maxOfAddr, retryLoad)}
}

// paced returns file, so that it is read no faster than it may be sent to an address.
func (d *downloads) paced(ctx context.Context, file io.ReadSeeker, to netip.Addr) io.ReadSeeker {
	if d.Pace == (Pace{}) {
		return file
	}
	return &pacedFile{ReadSeeker: file, ctx: ctx, downloads: d, to: ratelimit.AddrKey(to)}
}

type pacedFile struct {
	io.ReadSeeker
	ctx       context.Context
	downloads *downloads
	to        string
}

// Read waits until some bytes may be sent, and reads them.
func (f *pacedFile) Read(b []byte) (int, error) {
	b = b[:min(len(b), paceStep)]
	kib, d := (len(b)+1023)>>10, f.downloads
	if err := f.wait(d.site, f.to, kib); err != nil {
		return 0, err
	}
	select {
	case <-f.ctx.Done():
		return 0, f.ctx.Err()
	case d.turn <- struct{}{}:
	}
	err := f.wait(d.all, "", kib)
	<-d.turn
	if err != nil {
		return 0, err
	}
	return f.ReadSeeker.Read(b)
}

// wait waits until a limit allows so many KiB.
func (f *pacedFile) wait(limit *ratelimit.Limiter, key string, kib int) error {
	for {
		ok, wait := limit.AllowN(key, kib, f.downloads.now())
		if ok {
			return nil
		}
		select {
		case <-f.ctx.Done():
			return f.ctx.Err()
		case <-time.After(wait):
		}
	}
}

// A counted answer knows its status, and how many bytes were sent.
type counted struct {
	http.ResponseWriter
	status int
	sent   int64
}

func (c *counted) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

func (c *counted) Write(b []byte) (n int, err error) {
	n, err = c.ResponseWriter.Write(b)
	c.sent += int64(n)
	return n, err
}

// ReadFrom lets the kernel copy a file.
func (c *counted) ReadFrom(r io.Reader) (n int64, err error) {
	n, err = io.Copy(c.ResponseWriter, r)
	c.sent += n
	return n, err
}

// end returns up to which byte of its file the answer has come; 0: it has none of it.
func (c *counted) end(r *http.Request) int64 {
	switch {
	case r.Method == http.MethodHead:
	case c.status == http.StatusOK:
		return c.sent
	case c.status == http.StatusPartialContent:
		at, _, _ := strings.Cut(strings.TrimPrefix(c.Header().Get("Content-Range"), "bytes "), "-")
		if from, err := strconv.ParseInt(at, 10, 64); err == nil {
			return from + c.sent
		}
	}
	return 0
}

// Unwrap makes the connection available to http.ResponseController.
func (c *counted) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// count counts a download that has ended.
func (d *downloads) count(c *counted, r *http.Request) {
	result := loadOK
	switch length := c.Header().Get("Content-Length"); {
	case c.status >= http.StatusInternalServerError:
		result = loadFailed
	case c.status >= http.StatusBadRequest:
		result = loadRefused
	case r.Method != http.MethodHead && length != "" && length != strconv.FormatInt(c.sent, 10):
		result = loadBroken
	}
	if result == loadOK || result == loadBroken {
		d.bytes.Add(float64(c.sent))
	}
	d.results.WithLabelValues(result).Inc()
}

// Queues are what waits in this process.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{s.downloads.gate.Queue("downloads")}
}
