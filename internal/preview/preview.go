// Package preview shows what pages say of themselves that messages link to: title, description and a picture. The
// server loads them once for all readers, so that the pages learn nothing of these. Only rooms that ask for it have
// previews, and only if the operator allows them.
//
// A preview is made after its message is acknowledged. Links that wait when the server stops go without one.
package preview

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/feed"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Store stores link previews.
type Store interface {
	Wanted(ctx context.Context, room string, seq int64, links []string) ([]string, error)
	Add(ctx context.Context, room string, seq int64, found []domain.LinkPreview, now time.Time) (added bool, err error)
	Remove(ctx context.Context, actor, room string, seq int64, url string, now time.Time) error
	Image(ctx context.Context, id string) (domain.PreviewImage, error)
	FacePicture(ctx context.Context, user, url string) (id string, err error)
	AddFacePicture(
		ctx context.Context, room, user, url string, i domain.PreviewImage, now time.Time,
	) (id string, err error)
}

// Blobs stores pictures.
type Blobs interface {
	Put(ctx context.Context, r io.Reader, limit int64) (domain.Blob, error)
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Blobs    Blobs
	DiskFull func() error   // returns an error if the disk is nearly full
	Networks []netip.Prefix // private networks whose pages may be looked at
	URL      string         // of this server: its own pages are not looked at
	Version  string
	Faces    bool // pictures of messages are loaded
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Now      func() time.Time // nil: time.Now
}

const (
	workers    = 4
	maxWaiting = 256             // messages; the links of more go without a preview
	maxAge     = time.Hour       // of a message: links of older ones are not looked at
	patience   = 6 * time.Second // with a page, and with its picture
)

// Service is the module of link previews.
type Service struct {
	Deps
	client   *http.Client
	patience time.Duration
	own      string // host and port of this server
	pictures *picture.Maker
	senders  *ratelimit.Limiter // messages of one sender
	hosts    *ratelimit.Limiter // requests to one host
	faces    *ratelimit.Limiter // new pictures of messages of one webhook
	loading  chan struct{}      // has a place for each of them that is loaded at once
	full     atomic.Int64       // how often too many messages waited
	jobs     chan job
	known    *cache
	looks    *prometheus.CounterVec
}

// A job is a message whose links are to be looked at.
type job struct {
	room  string
	seq   int64
	links []string
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, client: outbound.Client(d.Networks, 2*patience), patience: patience,
		pictures: picture.NewMaker(),
		senders:  ratelimit.New(15, time.Minute, 15), hosts: ratelimit.New(30, time.Minute, 30),
		faces: ratelimit.New(facesPerHour, time.Hour, facesPerHour), loading: make(chan struct{}, facesAtOnce),
		jobs: make(chan job, maxWaiting), known: newCache(),
		looks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "link_previews_total",
			Help: "Links of messages, by result: ok, none (the page says nothing of itself), failed, dropped (too many)."},
			[]string{"result"})}
	for _, result := range []string{resultOK, resultNone, resultFailed, resultDropped} {
		s.looks.WithLabelValues(result)
	}
	d.Metrics.MustRegister(s.looks)
	if u, err := url.Parse(d.URL); err == nil {
		s.own = site(u)
	}
	return s
}

const (
	resultOK      = "ok"
	resultNone    = "none"
	resultFailed  = "failed"
	resultDropped = "dropped"
)

// Queues are the messages whose links wait to be looked at.
func (s *Service) Queues() []obs.Queue {
	return []obs.Queue{{Name: "link_previews", Limit: maxWaiting, Full: s.full.Load,
		Depth: func() int { return len(s.jobs) }}}
}

// Consumer returns the consumer of the feed that notices links in messages. It waits for no page.
func (s *Service) Consumer() feed.Consumer[domain.Event] {
	return feed.Consumer[domain.Event]{Name: "link previews", From: feed.Now, Handle: s.handle}
}

func (s *Service) handle(ctx context.Context, entries []feed.Entry[domain.Event]) error {
	for _, e := range entries {
		if err := s.notice(ctx, e.Value); err != nil {
			return err
		}
	}
	return nil
}

// notice queues the links of a message that have no preview yet.
func (s *Service) notice(ctx context.Context, e domain.Event) error {
	m := e.Message
	if e.Type != domain.MessageCreated && e.Type != domain.MessageEdited || m == nil || !m.DeletedAt.IsZero() ||
		m.ContentType != domain.ContentMarkdown && m.ContentType != domain.ContentAction || s.Now().Sub(e.At) > maxAge {
		return nil
	}
	links := domain.Links(m.Text, domain.MaxPreviews)
	if len(links) == 0 || s.DiskFull() != nil {
		return nil
	}
	links, err := s.Store.Wanted(ctx, m.Room, m.Seq, links)
	if err != nil || len(links) == 0 {
		return err
	}
	if ok, _ := s.senders.Allow(m.Sender.ID, s.Now()); ok {
		select {
		case s.jobs <- job{m.Room, m.Seq, links}:
			return nil
		default:
			s.full.Add(1)
		}
	}
	s.looks.WithLabelValues(resultDropped).Add(float64(len(links)))
	return nil
}

// Run looks at links until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case j := <-s.jobs:
					s.look(ctx, j)
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// look looks at the links of a message, all at once, and stores what their pages say.
func (s *Service) look(ctx context.Context, j job) {
	found := make([]domain.LinkPreview, len(j.links))
	var wg sync.WaitGroup
	for i, link := range j.links {
		wg.Go(func() { found[i] = s.preview(ctx, link) })
	}
	wg.Wait()
	told := found[:0]
	for _, p := range found {
		if p.URL != "" {
			told = append(told, p)
		}
	}
	if len(told) == 0 || ctx.Err() != nil {
		return
	}
	if _, err := s.Store.Add(ctx, j.room, j.seq, told, s.Now()); err != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "store the previews of links", "room", j.room, "seq", j.seq, "err", err)
	}
}

// preview returns the preview of a link; the zero value if it has none.
func (s *Service) preview(ctx context.Context, link string) (p domain.LinkPreview) {
	p, known := s.known.get(link, s.Now())
	for _, i := range []domain.PreviewImage{p.Image, p.Icon} {
		known = known && (i.Hash == "" || s.renew(ctx, i.Hash))
	}
	if !known {
		var err error
		p, err = s.load(ctx, link)
		result := resultOK
		switch {
		case err != nil:
			result = resultFailed
			s.Log.DebugContext(ctx, "look at a link", "err", err)
		case p.URL == "":
			result = resultNone
		}
		s.looks.WithLabelValues(result).Inc()
		if ctx.Err() == nil {
			s.known.put(link, p, s.Now())
		}
	}
	for _, i := range []*domain.PreviewImage{&p.Image, &p.Icon} {
		if i.Hash != "" {
			i.ID = rand.Text()
		}
	}
	return p
}

// renew stores a picture that was found before once more, so that it is kept for another day without a reference. It
// returns false if it is gone.
func (s *Service) renew(ctx context.Context, hash string) bool {
	r, _, err := s.Blobs.Open(ctx, hash)
	if err != nil {
		return false
	}
	defer r.Close()
	_, err = s.Blobs.Put(ctx, r, maxSmall)
	return err == nil
}
