// Package files takes files that people post in messages: in parts, so that an upload goes on after an interruption,
// and delivers them to whoever may read such a message. Package chat posts them.
package files

import (
	"context"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/picture"
)

// Store stores files and their parts. It checks permissions in the transaction that makes the change.
type Store interface {
	Create(ctx context.Context, f domain.File, quota int64, now time.Time) error
	Own(ctx context.Context, id, owner string) (domain.File, error)
	OwnFiles(ctx context.Context, owner string, bySize bool, after, limit int) ([]domain.File, error)
	Use(ctx context.Context, owner string) (int64, error)
	AddPart(ctx context.Context, id, owner string, p domain.FilePiece, made []domain.Blob, now time.Time) error
	Complete(ctx context.Context, f domain.File, made []domain.Blob, now time.Time) (domain.File, error)
	MayAdd(ctx context.Context, f domain.File, quota int64, now time.Time) (had domain.File, found bool, err error)
	Add(ctx context.Context, f domain.File, made []domain.Blob, quota int64, now time.Time) (domain.File, error)
	Delete(ctx context.Context, id, owner string, now time.Time) error
	Readable(ctx context.Context, id, user string) (domain.File, error)
	ReadableOf(ctx context.Context, ids []string, user string) ([]domain.File, error)
	RoomFiles(ctx context.Context, v domain.View, q domain.RoomFilesQuery) ([]domain.RoomFile, error)
	Expire(ctx context.Context, now time.Time, limit int) (deleted int, err error)
	Retire(ctx context.Context, before, now time.Time, limit int) (retired int, err error)
}

// Blobs stores bytes by their content.
type Blobs interface {
	Receive(ctx context.Context, r io.Reader, limit int64) (*blob.Incoming, error)
	Keep(ctx context.Context, add func(ctx context.Context, made []domain.Blob) error, arrived ...*blob.Incoming) error
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error)
}

// Rooms tells who may read a room, and what they see of it.
type Rooms interface {
	ViewOf(ctx context.Context, p domain.Principal, room string) (domain.View, error)
}

// Secrets tells whose an access token, the token of a bot or the key of a device is. MayLoad returns an error unless
// that allows to load files of a room.
type Secrets interface {
	Authenticate(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error)
	MayLoad(ctx context.Context, p domain.Principal, room string) error
}

// Limits are what the operator allows.
type Limits struct {
	Size   int64 // bytes of a file
	Quota  int64 // bytes of all files of a person; 0: no limit
	Days   int   // for which files are kept; 0: as long as their messages
	OfAddr int   // downloads to one address at a time; 0: as many as to all
}

// Deps are the dependencies of the service.
type Deps struct {
	Store   Store
	Blobs   Blobs
	Rooms   Rooms
	Secrets Secrets
	LinkKey []byte // of the HMAC in links
	Limits  Limits
	// Space returns an error unless the disk has room for so many bytes and the reserve besides; nil: no check.
	Space   func(size int64) error
	Scanner *Clamd // nil: files are not scanned
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil: none
	Now     func() time.Time      // nil: time.Now
}

// Service is the module of files.
type Service struct {
	Deps
	pictures   *picture.Maker
	downloads  *httpx.Gate
	uploads    *prometheus.CounterVec
	thumbnails *prometheus.CounterVec
	received   prometheus.Counter
	scans      *prometheus.CounterVec
}

// New returns the service. Run must run for files to be deleted that no message has.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Space == nil {
		d.Space = func(int64) error { return nil }
	}
	s := &Service{Deps: d, pictures: picture.NewMaker(),
		downloads: httpx.NewGate("downloads", maxDownloads, d.Limits.OfAddr, retryLoad),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "file_uploads_total",
			Help: "Uploads of files for messages, by what became of them: begun, complete, refused, expired."},
			[]string{"result"}),
		thumbnails: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "file_thumbnails_total",
			Help: "Small pictures of files that were to be made, by result: ok, or failed."}, []string{"result"}),
		received: prometheus.NewCounter(prometheus.CounterOpts{Name: "file_received_bytes_total",
			Help: "Bytes of parts of files for messages that this node has received."}),
		scans: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "file_scans_total",
			Help: "Files that the virus scanner was asked about, by its answer: clean, found, or unknown."}, []string{"result"})}
	for _, result := range []string{"begun", "complete", "refused", "expired"} {
		s.uploads.WithLabelValues(result)
	}
	for _, result := range []string{"clean", "found", "unknown"} {
		s.scans.WithLabelValues(result)
	}
	s.thumbnails.WithLabelValues("ok")
	s.thumbnails.WithLabelValues("failed")
	if d.Metrics != nil {
		d.Metrics.MustRegister(s.uploads, s.thumbnails, s.received, s.scans)
	}
	return s
}

// Queues returns the queue of pictures that are to be made small, and the downloads under way, for the metrics.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "thumbnails", Limit: picture.MaxWaiting, Depth: s.pictures.Waiting,
		Full: s.pictures.Refused}, s.downloads.Queue("file_downloads")}
}

const (
	expireEvery = 10 * time.Minute
	expireBatch = 100
)

// Run deletes files that are no longer kept, until ctx is done: those that no message has after a day.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		if err := s.expire(ctx); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "cannot delete files that are no longer kept", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// expire deletes files that no message has, and those that are older than the server keeps them.
func (s *Service) expire(ctx context.Context) error {
	err := inSteps(func() (int, error) {
		n, err := s.Store.Expire(ctx, s.now(), expireBatch)
		s.uploads.WithLabelValues("expired").Add(float64(n))
		return n, err
	})
	if err != nil || s.Limits.Days == 0 {
		return err
	}
	before := s.now().AddDate(0, 0, -s.Limits.Days)
	return inSteps(func() (int, error) { return s.Store.Retire(ctx, before, s.now(), expireBatch) })
}

// inSteps calls step until it has less to do than it may.
func inSteps(step func() (int, error)) error {
	for {
		if n, err := step(); err != nil || n < expireBatch {
			return err
		}
	}
}

// now is the time as it is stored.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }
