// Package firmware keeps what firmware is for and what there is of it: products, the keys that they trust, and
// releases with their images. It takes files in parts, has images inspected, and delivers them to devices. Which
// device gets which release is not its business.
package firmware

import (
	"context"
	"crypto"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/manifest"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Products stores products and the roots that say which keys they trust. It checks rights in the transaction that
// makes the change.
type Products interface {
	CreateProduct(ctx context.Context, p domain.Product, now time.Time) error
	Product(ctx context.Context, id, user string) (domain.Product, domain.ProductRight, error)
	ProductByID(ctx context.Context, id string) (domain.Product, error)
	Products(ctx context.Context, user string) ([]domain.Product, error)
	ChangeProduct(ctx context.Context, actor string, p domain.Product, now time.Time) error
	ShareProduct(ctx context.Context, actor, id string, s domain.ProductSharing) error
	DeleteProduct(ctx context.Context, actor, id string, now time.Time) error
	AddRoot(ctx context.Context, r domain.FirmwareRoot) error
	Roots(ctx context.Context, product string, after int) ([]domain.FirmwareRoot, error)
}

// Releases stores releases and their images, as Products does.
type Releases interface {
	CreateRelease(ctx context.Context, r domain.Release, now time.Time) error
	Release(ctx context.Context, id string) (domain.Release, error)
	Releases(ctx context.Context, product string, before uint32, limit int) ([]domain.Release, error)
	SetNotes(ctx context.Context, actor, id, notes string) error
	SetState(ctx context.Context, actor, id string, from, to domain.ReleaseState, now time.Time) error
	SignRelease(
		ctx context.Context, actor string, r domain.Release, root int, envelope []byte, hash string, now time.Time,
	) error
	DeleteRelease(ctx context.Context, actor, id string, now time.Time) error
	AddImage(
		ctx context.Context, actor string, i domain.FirmwareImage, upload string, quota int64, now time.Time,
	) error
	RemoveImage(ctx context.Context, actor, id, hash string, now time.Time) error
	SetFactory(
		ctx context.Context, actor, id, hash string, f domain.FactoryImage, upload string, quota int64, now time.Time,
	) error
	RemoveFactory(ctx context.Context, actor, id, hash string, now time.Time) error
	SecureVersion(ctx context.Context, product, chip string) (uint32, error)
	ImageProducts(ctx context.Context, hash string, active bool) ([]domain.Product, error)
}

// Uploads stores which parts of files are here.
type Uploads interface {
	CreateUpload(ctx context.Context, u domain.FirmwareUpload, now time.Time) error
	Upload(ctx context.Context, id, by string) (domain.FirmwareUpload, error)
	Uploads(ctx context.Context, product, by string) ([]domain.FirmwareUpload, error)
	AddPart(
		ctx context.Context, id, by string, start int64, part domain.Blob, quota int64, now time.Time,
	) (domain.FirmwareUpload, error)
	Parts(ctx context.Context, id string) ([]string, error)
	CompleteImage(ctx context.Context, u domain.FirmwareUpload, quota int64, now time.Time) error
	CompleteELF(ctx context.Context, u domain.FirmwareUpload, quota int64, now time.Time) error
	DeleteUpload(ctx context.Context, id, by string, now time.Time) error
	PruneUploads(ctx context.Context, before, now time.Time) error
}

// Sums stores hashes of images that were uploaded before the server computed them.
type Sums interface {
	SetSums(ctx context.Context, hash, md5, sha1 string) error
}

// Files stores files by their content.
type Files interface {
	Put(ctx context.Context, r io.Reader, limit int64) (domain.Blob, error)
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error)
}

// Direct has files loaded from where they are.
type Direct interface {
	// Presign returns a URL that is good for some time; ok is false if there is none.
	Presign(ctx context.Context, hash string, life time.Duration) (url string, ok bool, err error)
}

// Secrets tells whose an access token or the key of a device is.
type Secrets interface {
	Authenticate(ctx context.Context, secret string, from netip.Addr) (domain.Principal, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Products Products
	Releases Releases
	Uploads  Uploads
	Deltas   Deltas
	Sums     Sums
	Fleet    Fleet
	ELFs     ELFs
	Files    Files
	Temp     string // folder for files that are being inspected
	Secrets  Secrets
	OfferKey crypto.Signer // signs offers; roots name its public half
	LinkKey  []byte        // of the HMAC in links to images
	URL      func() string // of this server, without a slash at its end
	CDN      string        // of what is in front of it for images, without a slash at its end; empty: nothing
	Direct   Direct        // nil: images are loaded from this server, or its CDN
	Pace     Pace
	Quota    int64 // bytes that files of one owner may have; 0: no limit
	Audit    Recorder
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
}

// Service is the firmware module.
type Service struct {
	Deps
	offerKey  manifest.Key
	downloads *downloads
	proofs    *ratelimit.Proofs
	explained *explained
	verified  verified
	activated chan struct{} // of one entry: a release has become active
}

const wrongProofs = 600 // keys and tokens a minute from one address, for downloads

// New returns the service. Run must be called for uploads to be forgotten that nobody goes on with.
func New(d Deps) (*Service, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	key, err := manifest.NewKey(d.OfferKey.Public())
	return &Service{Deps: d, offerKey: key, downloads: newDownloads(d.Pace, d.Metrics, d.Now), explained: newExplained(),
		proofs: ratelimit.NewProofs(wrongProofs, time.Minute), activated: make(chan struct{}, 1)}, err
}

const pruneEvery = time.Hour

// Run forgets uploads that nobody goes on with, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		now := s.now()
		if err := s.Uploads.PruneUploads(ctx, now.Add(-domain.FirmwareUploadKept), now); err != nil && ctx.Err() == nil {
			s.Log.WarnContext(ctx, "cannot forget old uploads of firmware", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// now is the time as it is stored.
func (s *Service) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

// record tells the audit log what p did to a product or release.
func (s *Service) record(
	ctx context.Context, p domain.Principal, what domain.AuditType, kind, id string, details map[string]string,
) {
	s.Log.InfoContext(ctx, string(what), "actor", p.ID, kind, id)
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: what, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: kind, ID: id}, Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx),
		RequestID: httpx.RequestID(ctx), Details: details,
	})
}
