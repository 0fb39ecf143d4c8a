// Package webhook lets other programs post to rooms: a room's admins make addresses, and what is sent there becomes
// messages.
package webhook

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/token"
)

// Store stores webhooks. It checks permissions in the transaction that makes the change.
type Store interface {
	CreateHook(
		ctx context.Context, actor string, h domain.Hook, hash []byte, now time.Time,
	) (domain.Hook, error)
	Hooks(ctx context.Context, room string) ([]domain.Hook, error)
	HookByHash(ctx context.Context, hash []byte) (domain.Hook, error)
	RenewHook(ctx context.Context, actor, room, id string, hash []byte, now time.Time) (domain.Hook, error)
	RemoveHook(ctx context.Context, actor, room, id string, now time.Time) (domain.Hook, error)
	NoteHook(ctx context.Context, id, failure string, now time.Time) error
	SetFaces(ctx context.Context, actor, room, id string, may bool, now time.Time) (domain.Hook, error)
	PeopleCalled(ctx context.Context, room string) ([]string, error)
	UsernameLike(ctx context.Context, skeleton string) (bool, error)
}

// Chat takes messages, and says who may manage webhooks.
type Chat interface {
	MayManageHooks(ctx context.Context, p domain.Principal, room string) error
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
}

// Pictures gives users pictures.
type Pictures interface {
	SetAvatar(ctx context.Context, user string, data []byte) (domain.User, error)
}

// Emoji are those of the server. OneEmoji fails with domain.CodeNoEmoji if there is none of that name.
type Emoji interface {
	OneEmoji(ctx context.Context, name string) (domain.CustomEmoji, error)
}

// Faces loads pictures for messages. Face returns the path below /api/v1/ of one, or nothing.
type Faces interface {
	Face(ctx context.Context, room, user, address string) string
}

// Commands takes later answers to slash commands. It fails with domain.CodeNoHook if nothing may be answered by secret.
type Commands interface {
	Reply(ctx context.Context, secret string, read func() (domain.SlashReply, error)) error
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Chat     Chat
	Pictures Pictures
	Emoji    Emoji
	Faces    Faces
	Commands Commands
	Audit    Recorder
	Log      *slog.Logger
	Metrics  prometheus.Registerer      // nil: none
	Hash     func(secret string) []byte // the stored form of a secret
	URL      string                     // of this server
	Now      func() time.Time           // nil: time.Now
}

// Service is the module of webhooks.
type Service struct {
	Deps
	posts     *ratelimit.Limiter // of each webhook
	strangers *ratelimit.Limiter // of addresses that know no webhook
	parsing   chan struct{}      // has a place for each body that may be parsed at once
	received  *prometheus.CounterVec
	people    nameCache
}

// What may come: a message a second by each webhook, and bursts of a minute.
const (
	postsPerMinute    = 60
	postsAtOnce       = 60 // alerts come in storms, and most senders do not try again
	guessesPerMinute  = 30
	noteEvery         = time.Minute
	maxBody           = 1 << 20
	parsedAtOnce      = 2
	resultAccepted    = "accepted"
	resultRefused     = "refused"
	resultRateLimited = "rate_limited"
	resultUnknown     = "unknown"
	resultFailed      = "failed"
)

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d,
		posts:     ratelimit.New(postsPerMinute, time.Minute, postsAtOnce),
		strangers: ratelimit.New(guessesPerMinute, time.Minute, guessesPerMinute),
		parsing:   make(chan struct{}, parsedAtOnce),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "webhook_requests_total",
			Help: "Requests to incoming webhooks, and later answers to slash commands, by result."}, []string{"result"}),
	}
	for _, result := range []string{resultAccepted, resultRefused, resultRateLimited, resultUnknown, resultFailed} {
		s.received.WithLabelValues(result) // a rate of what never came is 0, and not unknown
	}
	if d.Metrics != nil {
		d.Metrics.MustRegister(s.received)
	}
	return s
}

// Hooks returns the webhooks of a room to whoever may manage them.
func (s *Service) Hooks(ctx context.Context, p domain.Principal, room string) ([]domain.Hook, error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return nil, err
	}
	return s.Store.Hooks(ctx, room)
}

// Create makes a webhook. With faces its messages may have a name and a picture of their own. Its Secret is told this
// once.
func (s *Service) Create(
	ctx context.Context, p domain.Principal, room, name string, faces bool,
) (h domain.Hook, err error) {
	if name, err = names.Check("/name", name, domain.MaxDisplayName, true); err != nil {
		return h, err
	}
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return h, err
	}
	secret := token.Secret()
	h, err = s.Store.CreateHook(ctx, p.ID, domain.Hook{ID: domain.NewID(domain.HookPrefix), Room: room, Faces: faces,
		User: domain.UserRef{DisplayName: name}}, s.Hash(secret), s.Now())
	if err == nil {
		h.Secret = secret
		s.record(ctx, p, h, "create")
	}
	return h, err
}

// Renew gives a webhook another secret, which is told this once. The old one is useless at once.
func (s *Service) Renew(ctx context.Context, p domain.Principal, room, id string) (h domain.Hook, err error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return h, err
	}
	secret := token.Secret()
	h, err = s.Store.RenewHook(ctx, p.ID, room, id, s.Hash(secret), s.Now())
	if err == nil {
		h.Secret = secret
		s.record(ctx, p, h, "renew")
	}
	return h, err
}

// SetFaces says whether messages of a webhook may have a name and a picture of their own.
func (s *Service) SetFaces(
	ctx context.Context, p domain.Principal, room, id string, may bool,
) (h domain.Hook, err error) {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return h, err
	}
	h, err = s.Store.SetFaces(ctx, p.ID, room, id, may, s.Now())
	if err == nil {
		what := "faces_off"
		if may {
			what = "faces_on"
		}
		s.record(ctx, p, h, what)
	}
	return h, err
}

// Remove ends a webhook. What it wrote stays.
func (s *Service) Remove(ctx context.Context, p domain.Principal, room, id string) error {
	if err := s.Chat.MayManageHooks(ctx, p, room); err != nil {
		return err
	}
	h, err := s.Store.RemoveHook(ctx, p.ID, room, id, s.Now())
	if err == nil {
		s.record(ctx, p, h, "remove")
	}
	return err
}

// SetPicture gives a webhook a picture; no data takes it away.
func (s *Service) SetPicture(
	ctx context.Context, p domain.Principal, room, id string, data []byte,
) (h domain.Hook, err error) {
	all, err := s.Hooks(ctx, p, room)
	if err != nil {
		return h, err
	}
	for _, h := range all {
		if h.ID == id {
			u, err := s.Pictures.SetAvatar(ctx, id, data)
			h.User = u.Ref()
			return h, err
		}
	}
	return h, domain.NotFound.Errorf(domain.CodeNoHook, "there is no such webhook in this room")
}

func (s *Service) record(ctx context.Context, p domain.Principal, h domain.Hook, what string) {
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditHook, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: "room", ID: h.Room}, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: map[string]string{"what": what, "hook": h.ID},
	})
}
