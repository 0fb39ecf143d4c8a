// Package notify tells people of messages while they are elsewhere. It decides once for each message and person
// whether they are told, and sends pushes to their browsers and apps: from the server itself, encrypted for the
// receiver. Nobody is told twice, nor of what they have read meanwhile on any device. Those who want it get a mail from
// time to time that sums up what they have missed: a digest.
package notify

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/webpush"
)

// Store stores notifications.
type Store interface {
	SettingStore
	DecisionStore
	PushStore
	DigestStore
}

// SettingStore stores what users have chosen, and their subscriptions.
type SettingStore interface {
	Settings(ctx context.Context, user string) (domain.NotifySettings, []domain.NotifyChoice, error)
	PutSettings(ctx context.Context, user string, s domain.NotifySettings) error
	Choose(ctx context.Context, user string, c domain.NotifyChoice, now time.Time) error
	Subscribe(ctx context.Context, s domain.Subscription) (domain.Subscription, error)
	Subscriptions(ctx context.Context, user string, now time.Time) ([]domain.Subscription, error)
	Unsubscribe(ctx context.Context, user, id string) error
}

// DecisionStore says who may be told of something, and stores who is.
type DecisionStore interface {
	// Anybody reports whether anybody gets pushes.
	Anybody(ctx context.Context) (bool, error)
	Recipients(ctx context.Context, room string, threads []int64, now time.Time) ([]domain.Recipient, error)
	// Blocked lists who of users has blocked somebody.
	Blocked(ctx context.Context, by []string, user string) (map[string]bool, error)
	// Record stores notifications, each once, and returns those that are new; also with an error.
	Record(ctx context.Context, all []domain.Notification, now time.Time) (added []domain.Notification, err error)
	Prune(ctx context.Context, before, now time.Time) error
}

// PushStore is the queue of pushes.
type PushStore interface {
	Claim(ctx context.Context, limit int, lease time.Duration, now time.Time) ([]domain.Push, error)
	State(ctx context.Context, p domain.Push, now time.Time) (domain.PushState, error)
	Postpone(ctx context.Context, p domain.Push, version int64, until time.Time) error
	Retry(ctx context.Context, p domain.Push, at time.Time) error
	Finish(ctx context.Context, p domain.Push, sent bool, now time.Time) error
	Failed(ctx context.Context, subscription, why string, now time.Time) error
	Gone(ctx context.Context, subscription string) error
	Waiting(ctx context.Context) (int, error)
	// TellReports queues pushes about reports that came at least wait ago, and returns how many people they are for.
	TellReports(ctx context.Context, wait time.Duration, now time.Time) (int, error)
}

// Presence says who is at one of their devices.
type Presence interface {
	Active(user string) bool
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Presence Presence
	Sender   *webpush.Sender
	// Begin has the feed keep what is committed from now on for the consumer, until it runs.
	Begin    func(ctx context.Context) error
	Bus      bus.Bus
	Mail     Mailer         // nil: the server cannot send mail
	URL      string         // the server's, for links in mails
	Key      []byte         // signs links that end digests
	Networks []netip.Prefix // private networks whose push services may be used, also without TLS
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
}

// Service is the module of notifications.
type Service struct {
	Deps
	metrics *metrics
	wake    chan struct{} // there may be pushes to send
	wanted  chan struct{} // somebody gets pushes

	mu       sync.Mutex
	maxHosts int
	hosts    map[string]*host // push services to which something is being sent, or which failed
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, metrics: newMetrics(d.Metrics), wake: make(chan struct{}, 1),
		wanted: make(chan struct{}, 1), maxHosts: maxHosts, hosts: map[string]*host{}}
	s.watchWaiting()
	return s
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
