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

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Pace limits what this node sends of images, so that a rollout does not fill a line that others need.
type Pace struct {
	Total   int // KiB a second of all downloads; 0: no limit
	Site    int // of those to one address, as that of a house or office; 0: no limit
	Product int // of those of the files of one product; 0: no limit
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
	all, site, product *ratelimit.Limiter
	turn               chan struct{} // of one entry: whose download waits for all; the others queue, and do not ask
	now                func() time.Time
	results            *prometheus.CounterVec
	bytes              prometheus.Counter
	gate               *httpx.Gate
}

func newDownloads(p Pace, reg prometheus.Registerer, now func() time.Time) *downloads {
	limiter := func(kib int) *ratelimit.Limiter {
		return ratelimit.New(kib, time.Second, max(kib, domain.MaxFirmwareWindow>>10))
	}
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
	return &downloads{results: results, bytes: bytes, Pace: p, all: limiter(p.Total), site: limiter(p.Site),
		product: limiter(p.Product), now: now, turn: make(chan struct{}, 1),
		gate: httpx.NewGate("downloads", maxDownloads, maxOfAddr, retryLoad)}
}

// A limit is one that a download keeps to, with the key of those that share it.
type limit struct {
	*ratelimit.Limiter
	key string
}

// limits are those of a download of a file of a product to an address, beside the one of all.
func (d *downloads) limits(to netip.Addr, product string) []limit {
	return []limit{{d.site, ratelimit.AddrKey(to)}, {d.product, product}}
}

// paced returns file, which is of a product, so that it is read no faster than it may be sent to an address.
func (d *downloads) paced(ctx context.Context, file io.ReadSeeker, to netip.Addr, product string) io.ReadSeeker {
	if d.Pace == (Pace{}) {
		return file
	}
	return &pacedFile{ReadSeeker: file, ctx: ctx, downloads: d, limits: d.limits(to, product)}
}

// take lets a window of a file through that a device reads by its connection, or says when it may come again.
func (d *downloads) take(bytes int, to netip.Addr, product string) error {
	kib, now := inKiB(bytes), d.now()
	all := append(d.limits(to, product), limit{d.all, ""})
	for i, l := range all {
		ok, wait := l.AllowN(l.key, kib, now)
		if ok {
			continue
		}
		for _, taken := range all[:i] {
			taken.RefundN(taken.key, kib)
		}
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"firmware is sent no faster than the server may; ask again in a moment").After(wait)
	}
	return nil
}

func inKiB(bytes int) int { return (bytes + 1023) >> 10 }

type pacedFile struct {
	io.ReadSeeker
	ctx       context.Context
	downloads *downloads
	limits    []limit
}

// Read waits until some bytes may be sent, and reads them.
func (f *pacedFile) Read(b []byte) (int, error) {
	b = b[:min(len(b), paceStep)]
	kib, d := inKiB(len(b)), f.downloads
	for _, l := range f.limits {
		if err := f.wait(l, kib); err != nil {
			return 0, err
		}
	}
	select {
	case <-f.ctx.Done():
		return 0, f.ctx.Err()
	case d.turn <- struct{}{}:
	}
	err := f.wait(limit{d.all, ""}, kib)
	<-d.turn
	if err != nil {
		return 0, err
	}
	return f.ReadSeeker.Read(b)
}

// wait waits until a limit allows so many KiB.
func (f *pacedFile) wait(l limit, kib int) error {
	for {
		ok, wait := l.AllowN(l.key, kib, f.downloads.now())
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
	e := s.explained
	return []obs.Queue{s.downloads.gate.Queue("downloads"), {Name: "elf_files", Limit: explainQueue,
		Depth: func() int { return len(e.queue) }, Full: e.full.Load}}
}
