// Package auth knows people: their accounts, passwords, sessions and tokens. It
// decides who is asking; what they may do in a room is not its business.
package auth

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/links"
	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/auth/sessions"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/picture"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/token"
)

const flowLife = 5 * time.Minute // how long a sign-in may take that was begun

// Hasher hashes passwords, a few at a time. Package password says what its methods promise.
type Hasher interface {
	Hash(ctx context.Context, pass string, who password.Trust) (record string, err error)
	Verify(ctx context.Context, record, pass string, who password.Trust) (ok, stale bool, err error)
	Limit() int
	Load() password.Load
}

// Human tells people from programs.
type Human interface {
	// Check reports whether token is the answer to a CAPTCHA for action.
	Check(ctx context.Context, token, action string, addr netip.Addr) error
	// Challenge returns what a client has to solve, or not_found where a provider
	// gives challenges.
	Challenge(ctx context.Context, action string, addr netip.Addr) (any, error)
	// ClientConfig returns what a client must know beside that: a site key.
	ClientConfig(action string) map[string]any
	Kind() string
}

// Client says where a request comes from.
type Client = report.Client

// Deps are what the service needs.
type Deps struct {
	*report.Reporter
	Store           Store
	Files           Files // of pictures
	Keys            *token.Keyring
	Hasher          Hasher
	Bus             bus.Bus
	Human           Human                 // nil: no CAPTCHA is asked for
	Passkeys        *passkey.Party        // nil: the server is not reached by a name
	Providers       []factor.Provider     // that people may sign in with
	Metrics         prometheus.Registerer // may be nil
	Name            string                // of the server
	Version         string
	Rules           Rules         // until administrators change them
	PasswordMin     int           // characters
	SessionIdle     time.Duration // a session that is not used for so long ends; 0: 7 days
	SessionMax      time.Duration // every session ends after so long; 0: 30 days
	LoginPerMinute  int           // per address; 0: no limit
	LoginBurst      int
	RegisterPerHour int   // per address, without an invitation; 0: no limit
	Secure          bool  // reached by https: cookies are Secure and __Host-
	MQTT            *MQTT // where devices connect; nil: nowhere
	Previews        bool  // rooms may have previews of links
}

// MQTT is where devices connect by MQTT.
type MQTT struct {
	Host  string `json:"host,omitempty" doc:"if it is not that of the web client"`
	Port  int    `json:"port"`
	TLS   bool   `json:"tls" doc:"by TLS alone"`
	Local bool   `json:"local" doc:"it is closed to other machines"`
}

// Service is the auth module.
type Service struct {
	Deps
	*sessions.Sessions
	*factor.Factors
	*links.Links
	lockout *lockout.Lockout
	rules   atomic.Pointer[Rules]
	loading sync.Mutex // of rules

	logins  *ratelimit.Limiter
	signups *ratelimit.Limiter
	mails   *ratelimit.Limiter // asked for by an address
	changes *ratelimit.Limiter // of a password, by a user
	checks  *ratelimit.Limiter // of a password, asked for by a user who is signed in
	moves   *ratelimit.Limiter // of an e-mail address, by a user
	targets *ratelimit.Limiter // mails to an address that nobody has proven
	forms   *ratelimit.Limiter // registrations of an address for which a password is hashed
	shares  lockout.Shares     // of the turns at hashing
	avatars *ratelimit.Limiter // of a picture, by a user
	puzzles *ratelimit.Limiter // CAPTCHAs asked for by an address
	letters *ratelimit.Limiter // mails that anybody can have sent to a user

	pictures *picture.Maker
}

// New returns the service, which knows the rules and revocations that the store has. Run
// keeps it informed.
func New(ctx context.Context, d Deps) (*Service, error) {
	s := &Service{Deps: d, pictures: picture.NewMaker()}
	s.Sessions = sessions.New(sessions.Deps{
		Store: d.Store.Sessions, Keys: d.Keys, Bus: d.Bus, Report: d.Reporter, Idle: d.SessionIdle, Max: d.SessionMax,
		Limited: s.limited,
	})
	var err error
	s.Factors, err = factor.New(factor.Deps{
		Store: d.Store.Factors, Keys: d.Keys, Report: d.Reporter, Name: d.Name, Passkeys: d.Passkeys,
		Providers: d.Providers, CookieName: s.cookieName, Me: s.me, User: s.user, Open: s.open,
	})
	if err != nil {
		return nil, err
	}
	s.Links = links.New(links.Deps{
		Store: d.Store.Links, Keys: d.Keys, Report: d.Reporter, Revoke: s.Revoke,
	})
	attempts := lockout.Deps{Store: d.Store.Attempts, Keys: d.Keys, Report: d.Reporter, CookieName: s.cookieName}
	if d.Human != nil {
		attempts.Human = s.human
	}
	s.lockout = lockout.New(attempts)
	s.rules.Store(&d.Rules)
	if d.LoginPerMinute > 0 {
		s.logins = ratelimit.New(d.LoginPerMinute, time.Minute, max(d.LoginBurst, 1))
	}
	if d.RegisterPerHour > 0 {
		s.signups = ratelimit.New(d.RegisterPerHour, time.Hour, d.RegisterPerHour)
		s.forms = ratelimit.New(10*d.RegisterPerHour, time.Hour, 10*d.RegisterPerHour)
	}
	s.mails = ratelimit.New(10, time.Hour, 10)
	s.changes = ratelimit.New(5, time.Hour, 5)
	s.checks = ratelimit.New(10, time.Minute, 10)
	s.moves = ratelimit.New(5, time.Hour, 5)
	s.targets = ratelimit.New(5, time.Hour, 5)
	s.avatars = ratelimit.New(20, time.Hour, 10)
	s.letters = ratelimit.New(3, time.Hour, 3)
	s.puzzles = ratelimit.New(30, time.Minute, 30)
	if d.Metrics != nil {
		s.countLimits(d.Metrics)
	}
	return s, errors.Join(s.LoadRules(ctx), s.Sessions.Load(ctx))
}

// SetupLink returns a new one-time link by which the first administrator
// registers, good for an hour, or "" if there is an administrator already.
// Earlier links end.
func (s *Service) SetupLink(ctx context.Context, base string) (string, error) {
	has, err := s.Store.HasAdmin(ctx)
	if err != nil || has {
		return "", err
	}
	return s.NewSetupLink(ctx, base)
}
