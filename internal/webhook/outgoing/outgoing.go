// Package outgoing sends what happens in rooms to addresses that their admins name: signed, in the order of the room,
// at least once, whatever becomes of the receiver or of this server meanwhile. It also asks such addresses for slash
// commands: at once, and once.
package outgoing

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/outbound"
	"github.com/unhidra/unhidra/internal/ratelimit"
)

// Store stores outgoing webhooks. It checks permissions in the transaction that makes the change.
type Store interface {
	Any(ctx context.Context) (bool, error)
	OutHooks(ctx context.Context, room string) ([]domain.OutHook, error)
	OutHook(ctx context.Context, room, id string) (domain.OutHook, error)
	CreateOutHook(ctx context.Context, actor string, h domain.OutHook, now time.Time) (domain.OutHook, error)
	ChangeOutHook(
		ctx context.Context, actor, room, id string, edit func(*domain.OutHook) error, on *bool, now time.Time,
	) (domain.OutHook, error)
	RotateOutHook(ctx context.Context, actor, room, id string, now time.Time) (domain.OutHook, error)
	RemoveOutHook(ctx context.Context, actor, room, id string, now time.Time) (domain.OutHook, error)
	Admins(ctx context.Context, room string) ([]string, error)
	Event(ctx context.Context, room string, seq int64) (domain.Event, bool, error)
}

// Queue is what outgoing webhooks have to send, and have sent.
type Queue interface {
	Enqueue(ctx context.Context, events []domain.Event, now time.Time) (added int, err error)
	ClaimHooks(
		ctx context.Context, limit int, except []string, lease time.Duration, now time.Time,
	) ([]domain.OutHook, error)
	NextDelivery(ctx context.Context, hook string) (d domain.Delivery, ok bool, err error)
	Settle(ctx context.Context, d domain.Delivery, o domain.Outcome, now time.Time) error
	Release(ctx context.Context, h domain.OutHook, again, now time.Time) error
	Deliveries(ctx context.Context, hook string, limit int) ([]domain.Delivery, error)
	Ask(ctx context.Context, d domain.Delivery, now time.Time) error
	PruneDeliveries(ctx context.Context, now time.Time) (dropped int64, err error)
	HookUsage(ctx context.Context, now time.Time) (domain.HookUsage, error)
}

// SlashStore stores slash commands. It checks permissions in the transaction that makes the change.
type SlashStore interface {
	SlashCommands(ctx context.Context, room string) ([]domain.SlashCommand, error)
	SlashCommand(ctx context.Context, room, id string) (domain.SlashCommand, error)
	SlashNamed(ctx context.Context, room, name string, guest bool) (domain.SlashCommand, error)
	ServerCommands(ctx context.Context) ([]domain.SlashCommand, error)
	ServerCommandsIn(ctx context.Context, room string, guest bool) ([]domain.SlashCommand, error)
	ServerCommand(ctx context.Context, which string) (domain.SlashCommand, error)
	CreateServerCommand(
		ctx context.Context, actor string, c domain.SlashCommand, now time.Time,
	) (domain.SlashCommand, error)
	ChangeServerCommand(
		ctx context.Context, actor, id string, edit func(*domain.SlashCommand) error, on *bool,
	) (domain.SlashCommand, error)
	RotateServerCommand(ctx context.Context, id string, now time.Time) (domain.SlashCommand, error)
	RemoveServerCommand(ctx context.Context, id string, now time.Time) error
	Admit(ctx context.Context, r domain.SlashRun, now time.Time) error
	CreateSlash(ctx context.Context, actor string, c domain.SlashCommand, now time.Time) (domain.SlashCommand, error)
	ChangeSlash(
		ctx context.Context, actor, room, id string, edit func(*domain.SlashCommand) error, on *bool, now time.Time,
	) (domain.SlashCommand, error)
	RotateSlash(ctx context.Context, actor, room, id string, now time.Time) (domain.SlashCommand, error)
	RemoveSlash(ctx context.Context, actor, room, id string, now time.Time) (domain.SlashCommand, error)
	NoteSlash(ctx context.Context, c domain.SlashCommand, failure string, now time.Time) error
	BeginRun(ctx context.Context, r domain.SlashRun, hash []byte, now time.Time) (domain.SlashRun, error)
	Run(ctx context.Context, hash []byte, now time.Time) (domain.SlashRun, error)
	TakeRun(ctx context.Context, hash []byte, now time.Time) (domain.SlashRun, error)
}

// Bus carries notices to users.
type Bus interface {
	Publish(subject string, data []byte) error
}

// Chat takes messages, and says who may do what with webhooks.
type Chat interface {
	MayRead(ctx context.Context, p domain.Principal, room string) error
	MayWrite(ctx context.Context, p domain.Principal, room string) error
	MayManageHooks(ctx context.Context, p domain.Principal, room string) error
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
	// RecordSync returns once e is durable. What administrators do is not done if it fails.
	RecordSync(ctx context.Context, e domain.AuditEvent) error
}

// Deps are the dependencies of the service.
type Deps struct {
	Store Store
	Queue Queue
	Slash SlashStore
	Chat  Chat
	Bus   Bus
	Audit Recorder
	// Begin has the feed keep what is committed from now on for the consumer, until it runs.
	Begin    func(ctx context.Context) error
	Client   *http.Client               // for the receivers
	Networks []netip.Prefix             // private networks whose receivers may be used, also without TLS
	Key      []byte                     // from which secrets are derived
	Hash     func(secret string) []byte // the stored form of a secret that is not derived
	URL      string                     // of this server
	Log      *slog.Logger
	Metrics  prometheus.Registerer // nil: none
	Now      func() time.Time      // nil: time.Now
}

// Service is the module of outgoing webhooks.
type Service struct {
	Deps
	metrics *metrics
	wake    chan struct{} // there may be something to send
	wanted  chan struct{} // there is a webhook

	runs  *ratelimit.Limiter // of slash commands, of each user
	posts *ratelimit.Limiter // to rooms, of each slash command

	parsing chan struct{} // has a place for each answer that may be parsed at once

	mu     sync.Mutex
	busy   map[string]int // by whose webhooks this node sends at the moment
	asking map[string]int // users and slash commands for whom this node waits for an answer
}

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, wake: make(chan struct{}, 1), wanted: make(chan struct{}, 1), busy: map[string]int{},
		asking: map[string]int{}, runs: ratelimit.New(runsPerMinute, time.Minute, runsAtOnce),
		posts: ratelimit.New(postsPerMinute, time.Minute, postsAtOnce), parsing: make(chan struct{}, parsedAtOnce)}
	s.metrics = newMetrics(d.Metrics, d.Queue)
	return s
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// checkURL returns an error if an address is none that may be sent to.
func (s *Service) checkURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || len(address) > domain.MaxHookURL || u.Host == "" || u.User != nil || u.Fragment != "":
		return domain.InvalidField("/url", "this is the address to send to, of at most %d bytes, without a password "+
			"and a fragment", domain.MaxHookURL)
	case !outbound.MayCall(u, s.Networks):
		return domain.InvalidField("/url", "receivers have https addresses; by http only an IP address in a private "+
			"network can be reached that the operator has allowed (UNHIDRA_PRIVATE_NETWORKS)")
	}
	return nil
}

// check returns h with its address and types in order.
func (s *Service) check(h domain.OutHook) (domain.OutHook, error) {
	if err := s.checkURL(h.URL); err != nil {
		return h, err
	}
	wanted := h.Types
	h.Types = nil
	for _, spec := range domain.EventSpecs() {
		if spec.Audience == domain.ForMembers && slices.Contains(wanted, spec.Type) {
			h.Types = append(h.Types, spec.Type)
		}
	}
	for _, t := range wanted {
		if !slices.Contains(h.Types, t) {
			return h, domain.InvalidField("/events", "%q is no type of event of a room", t)
		}
	}
	if len(h.Types) == 0 {
		return h, domain.InvalidField("/events", "a webhook that sends nothing is of no use: name types of events")
	}
	return h, nil
}

// Hooks returns the outgoing webhooks of a room to whoever may manage them.
func (s *Service) Hooks(ctx context.Context, p domain.Principal, room string) ([]domain.OutHook, error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return nil, err
	}
	return s.Store.OutHooks(ctx, room)
}

// hook returns an outgoing webhook to whoever may manage it.
func (s *Service) hook(ctx context.Context, p domain.Principal, room, id string) (domain.OutHook, error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return domain.OutHook{}, err
	}
	return s.Store.OutHook(ctx, room, id)
}

// Create makes an outgoing webhook. Its Secret is told this once.
func (s *Service) Create(ctx context.Context, p domain.Principal, h domain.OutHook) (domain.OutHook, error) {
	var err error
	if h.User.DisplayName, err = names.Check("/name", h.User.DisplayName, domain.MaxDisplayName, true); err != nil {
		return h, err
	}
	if h, err = s.check(h); err != nil {
		return h, err
	}
	if err := s.Chat.MayManageHooks(ctx, p, h.Room); err != nil {
		return h, err
	}
	if yes, err := s.Store.Any(ctx); err != nil {
		return h, err
	} else if !yes {
		if err := s.Begin(ctx); err != nil {
			return h, err
		}
	}
	h.ID = domain.NewID(domain.OutHookPrefix)
	h, err = s.Store.CreateOutHook(ctx, p.ID, h, s.Now())
	if err == nil {
		notify(s.wanted)
		h.Secret = shownSecret(secretOf(s.Key, h.ID, h.Generation))
		s.record(ctx, p, h, "create_outgoing")
	}
	return h, err
}

// A Change is what changes of an outgoing webhook; nil leaves as it is.
type Change struct {
	URL      *string
	Types    []domain.EventType
	Programs *bool
	On       *bool
}

// Change changes an outgoing webhook.
func (s *Service) Change(ctx context.Context, p domain.Principal, room, id string, c Change) (domain.OutHook, error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return domain.OutHook{}, err
	}
	h, err := s.Store.ChangeOutHook(ctx, p.ID, room, id, func(h *domain.OutHook) (err error) {
		if c.URL != nil {
			h.URL = *c.URL
		}
		if c.Types != nil {
			h.Types = c.Types
		}
		if c.Programs != nil {
			h.Programs = *c.Programs
		}
		*h, err = s.check(*h)
		return err
	}, c.On, s.Now())
	if err == nil {
		notify(s.wake)
		s.record(ctx, p, h, "change_outgoing")
	}
	return h, err
}

// Rotate replaces the secret of an outgoing webhook; the new one is told this once. For domain.HookSecretKept what is
// sent is signed by both.
func (s *Service) Rotate(ctx context.Context, p domain.Principal, room, id string) (h domain.OutHook, err error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return h, err
	}
	h, err = s.Store.RotateOutHook(ctx, p.ID, room, id, s.Now())
	if err == nil {
		h.Secret = shownSecret(secretOf(s.Key, h.ID, h.Generation))
		s.record(ctx, p, h, "renew_outgoing")
	}
	return h, err
}

// Remove ends an outgoing webhook, with what it had still to send.
func (s *Service) Remove(ctx context.Context, p domain.Principal, room, id string) error {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return err
	}
	h, err := s.Store.RemoveOutHook(ctx, p.ID, room, id, s.Now())
	if err == nil {
		s.record(ctx, p, h, "remove_outgoing")
	}
	return err
}

// Deliveries returns what an outgoing webhook sends and has sent, the newest first.
func (s *Service) Deliveries(ctx context.Context, p domain.Principal, room, id string) ([]domain.Delivery, error) {
	h, err := s.hook(ctx, p, room, id)
	if err != nil {
		return nil, err
	}
	return s.Queue.Deliveries(ctx, h.ID, domain.MaxHookDelivered)
}

// Test has something sent at once that tells of no event.
func (s *Service) Test(ctx context.Context, p domain.Principal, room, id string) error {
	return s.ask(ctx, p, room, domain.Delivery{Hook: id, ID: domain.NewID("test"), Type: domain.HookTest, At: s.Now()})
}

// Redeliver has a delivery that has ended sent once more, at once.
func (s *Service) Redeliver(ctx context.Context, p domain.Principal, room, id, delivery string) error {
	return s.ask(ctx, p, room, domain.Delivery{Hook: id, ID: delivery})
}

func (s *Service) ask(ctx context.Context, p domain.Principal, room string, d domain.Delivery) error {
	h, err := s.hook(ctx, p, room, d.Hook)
	if err != nil {
		return err
	}
	if err = s.Queue.Ask(ctx, d, s.Now()); err == nil {
		notify(s.wake)
		s.record(ctx, p, h, "send_outgoing")
	}
	return err
}

func (s *Service) record(ctx context.Context, p domain.Principal, h domain.OutHook, what string) {
	s.recordOf(ctx, p, h.Room, map[string]string{"what": what, "hook": h.ID, "host": hostOf(h.URL)})
}

func (s *Service) recordOf(ctx context.Context, p domain.Principal, room string, details map[string]string) {
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditHook, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: "room", ID: room}, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: details,
	})
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
