// Package bot has the accounts of programs: their owners make them and their tokens, and with a token a program
// reads what happens in its rooms and writes there, by two requests. What else a token opens, its scopes say.
package bot

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/httpx"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/token"
)

// Store stores bots.
type Store interface {
	CreateBot(ctx context.Context, b domain.Bot, k domain.BotToken, hash []byte, now time.Time) error
	Bots(ctx context.Context, owner string) ([]domain.Bot, error)
	AddToken(ctx context.Context, owner string, k domain.BotToken, hash []byte, now time.Time) error
	RevokeToken(ctx context.Context, owner, bot, id string) error
	TokenByHash(ctx context.Context, hash []byte) (domain.BotToken, error)
	TokenByID(ctx context.Context, id string) (domain.BotToken, error)
	NoteToken(ctx context.Context, id string, now time.Time) error
	BotRooms(ctx context.Context, bot string) ([]domain.BotRoom, error)
}

// Accounts deletes bots.
type Accounts interface {
	DeleteBot(ctx context.Context, owner, bot string, now time.Time) error
}

// RoomLog reads events of rooms.
type RoomLog interface {
	Replay(ctx context.Context, v domain.View, after int64, limit int) ([]domain.Event, error)
}

// Chat takes messages.
type Chat interface {
	Send(ctx context.Context, p domain.Principal, d domain.Draft) (domain.Event, error)
}

// Recorder is the audit log.
type Recorder interface {
	Record(ctx context.Context, e domain.AuditEvent)
}

// Deps are the dependencies of the service.
type Deps struct {
	Store    Store
	Accounts Accounts
	RoomLog  RoomLog
	Chat     Chat
	Bus      bus.Bus
	Audit    Recorder
	Log      *slog.Logger
	Hash     func(secret string) []byte // the stored form of a secret
	Now      func() time.Time           // nil: time.Now
}

// Service is the module of bots.
type Service struct {
	Deps
	polls *httpx.Gate
}

const (
	maxPolls     = 512 // at once
	maxPollsAddr = 32
	retryPoll    = 5 * time.Second
	noteEvery    = time.Minute
)

// New returns the service.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	return &Service{Deps: d, polls: httpx.NewGate("waiting bots", maxPolls, maxPollsAddr, retryPoll)}
}

// Queues are what waits here.
func (s *Service) Queues() []obs.Queue { return []obs.Queue{s.polls.Queue("bot_polls")} }

// Create makes a bot of p with a first token, whose Secret is told this once.
func (s *Service) Create(
	ctx context.Context, p domain.Principal, b domain.Bot, k domain.BotToken,
) (domain.Bot, error) {
	u, err := &b.User, error(nil)
	if u.Username, err = names.CheckChosenUsername(u.Username); err != nil {
		return b, err
	}
	if u.DisplayName, err = names.CheckPrincipal("/display_name", u.DisplayName, domain.MaxDisplayName,
		false); err != nil {
		return b, err
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Username
	}
	u.ID, u.Kind, b.Owner, b.CreatedAt = domain.NewID(domain.UserPrefix), domain.KindBot, p.ID, s.Now()
	if k, err = s.newToken(u.ID, k); err != nil {
		return b, err
	}
	b.Tokens = []domain.BotToken{k}
	if err = s.Store.CreateBot(ctx, b, k, s.Hash(k.Secret), s.Now()); err == nil {
		s.record(ctx, p, u.ID, "create")
	}
	return b, err
}

// newToken checks what a new token is to allow, and gives it an id and a secret.
func (s *Service) newToken(bot string, k domain.BotToken) (domain.BotToken, error) {
	var err error
	if k.Name, err = domain.CheckLine("/token/name", k.Name, domain.MaxDisplayName, false); err != nil {
		return k, err
	}
	if len(k.Scopes()) == 0 {
		return k, domain.InvalidField("/token/scopes",
			"a token that allows nothing is of no use: read, write, files or manage")
	}
	if len(k.Rooms) > domain.MaxBotRooms {
		return k, domain.InvalidField("/token/rooms", "at most %d rooms", domain.MaxBotRooms)
	}
	for _, room := range k.Rooms {
		if !domain.ValidID(domain.RoomPrefix, room) {
			return k, domain.InvalidField("/token/rooms", "%q is not the id of a room", room)
		}
	}
	k.ID, k.Bot, k.CreatedAt = domain.NewID(domain.BotTokenPrefix), bot, s.Now()
	k.Secret = domain.BotSecretPrefix + token.Secret()
	return k, nil
}

// AddToken makes one more token of a bot of p. Its Secret is told this once.
func (s *Service) AddToken(
	ctx context.Context, p domain.Principal, bot string, k domain.BotToken,
) (domain.BotToken, error) {
	k, err := s.newToken(bot, k)
	if err != nil {
		return k, err
	}
	if err = s.Store.AddToken(ctx, p.ID, k, s.Hash(k.Secret), s.Now()); err == nil {
		s.record(ctx, p, bot, "token_create")
	}
	return k, err
}

// RevokeToken ends a token of a bot of p at once.
func (s *Service) RevokeToken(ctx context.Context, p domain.Principal, bot, id string) error {
	err := s.Store.RevokeToken(ctx, p.ID, bot, id)
	if err == nil {
		s.record(ctx, p, bot, "token_revoke")
	}
	return err
}

// Delete deletes a bot of p. What it wrote stays, without its name.
func (s *Service) Delete(ctx context.Context, p domain.Principal, bot string) error {
	err := s.Accounts.DeleteBot(ctx, p.ID, bot, s.Now())
	if err == nil {
		s.record(ctx, p, bot, "delete")
	}
	return err
}

func (s *Service) record(ctx context.Context, p domain.Principal, bot, what string) {
	s.Audit.Record(ctx, domain.AuditEvent{
		Type: domain.AuditBot, Actor: domain.AuditActor{Kind: string(p.Kind), ID: p.ID},
		Target: domain.AuditTarget{Kind: string(domain.KindBot), ID: bot}, Session: p.SessionID,
		Addr: httpx.ClientAddr(ctx), UserAgent: httpx.UserAgent(ctx), RequestID: httpx.RequestID(ctx),
		Details: map[string]string{"what": what},
	})
}

// Authenticate returns the bot whose token a request sends. Principal.Key is the token's id.
func (s *Service) Authenticate(ctx context.Context, secret string) (domain.Principal, error) {
	if !strings.HasPrefix(secret, domain.BotSecretPrefix) {
		return domain.Principal{}, errToken()
	}
	k, err := s.Store.TokenByHash(ctx, s.Hash(secret))
	switch {
	case domain.CodeOf(err) == domain.CodeNoBot:
		return domain.Principal{}, errToken()
	case err != nil:
		return domain.Principal{}, err
	}
	if now := s.Now(); now.Sub(k.UsedAt) >= noteEvery {
		if err := s.Store.NoteToken(ctx, k.ID, now); err != nil {
			s.Log.DebugContext(ctx, "note that a token was used", "err", err)
		}
	}
	return domain.Principal{ID: k.Bot, Kind: domain.KindBot, Role: domain.SystemUser, Key: k.ID, Owner: k.Owner}, nil
}

func errToken() error {
	return domain.Unauthorized.Errorf(domain.CodeBadToken, "this is no token of a bot, or it was revoked; bots have "+
		"tokens of their own, which begin with "+domain.BotSecretPrefix)
}
