// Package auth knows people: their accounts, passwords, sessions and tokens. It
// decides who is asking; what they may do in a room is not its business.
package auth

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/ratelimit"
	"github.com/unhidra/unhidra/internal/token"
)

// How long sessions last: idle, and in any case.
const (
	sessionIdle = 7 * 24 * time.Hour
	sessionMax  = 30 * 24 * time.Hour
	setupLife   = time.Hour
	flowLife    = 5 * time.Minute
)

// Store is what auth needs remembered.
type Store interface {
	UsersByID(ctx context.Context, ids []string) ([]domain.User, error)
	UserByUsername(ctx context.Context, name string) (domain.User, error)
	SearchUsers(ctx context.Context, q, after string, limit int) ([]domain.User, error)
	Credentials(ctx context.Context, login string) (domain.User, string, error)
	CreateUser(ctx context.Context, u domain.User, password string, ticket []byte, now time.Time) error
	UpgradePassword(ctx context.Context, user, password string) error
	UpdateProfile(ctx context.Context, user string, p domain.Profile) (domain.User, error)
	SetStatus(ctx context.Context, user string, s domain.Status) (domain.User, error)
	SetAvatar(ctx context.Context, user, hash, mime string, data []byte) (domain.User, error)
	Avatar(ctx context.Context, hash string) (mime string, data []byte, err error)
	HasAdmin(ctx context.Context) (bool, error)
	Sessions
}

// Sessions is what auth needs remembered of sign-ins.
type Sessions interface {
	CreateFlow(ctx context.Context, f domain.Flow, ticket []byte, now time.Time) error
	CompleteFlow(ctx context.Context, flow string, s domain.Session, refresh []byte, now time.Time) error
	ClaimRefresh(ctx context.Context, hash, next []byte, idle time.Duration, now time.Time) (domain.Refreshed, error)
	SessionOf(ctx context.Context, refresh []byte) (session, user string, err error)
	RevokeSession(ctx context.Context, id, reason string, now time.Time) error
	Revocations(ctx context.Context, since time.Time) ([]domain.Revocation, error)
	Epochs(ctx context.Context, users []string) (map[string]int64, error)
	CreateTicket(ctx context.Context, hash []byte, k domain.Ticket, now time.Time) error
	ForgetExpired(ctx context.Context, before time.Time) error
}

// Deps are what the service needs.
type Deps struct {
	Store           Store
	Keys            *token.Keyring
	Bus             bus.Bus
	Log             *slog.Logger
	Now             func() time.Time // nil: time.Now
	Name            string           // of the server
	Version         string
	Closed          bool // nobody registers without an invitation of the administrator
	PasswordMin     int  // characters
	LoginPerMinute  int  // per address; 0: no limit
	LoginBurst      int
	RegisterPerHour int  // per address; 0: no limit
	Secure          bool // reached by https: cookies are Secure and __Host-
}

// Service is the auth module.
type Service struct {
	Deps
	hasher  *hasher
	revoked *revocations
	epochs  epochs
	logins  *ratelimit.Limiter
	signups *ratelimit.Limiter
}

// New returns the service; Run keeps it informed.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	s := &Service{Deps: d, hasher: newHasher(), revoked: newRevocations()}
	if d.LoginPerMinute > 0 {
		s.logins = ratelimit.New(d.LoginPerMinute, time.Minute, max(d.LoginBurst, 1))
	}
	if d.RegisterPerHour > 0 {
		s.signups = ratelimit.New(d.RegisterPerHour, time.Hour, d.RegisterPerHour)
	}
	return s
}

// Registration is what a new person says.
type Registration struct {
	Username, DisplayName, Email, Password string
	SetupToken                             string // of the first administrator's link
}

// Client says where a request comes from.
type Client struct {
	Addr      netip.Addr
	UserAgent string
}

// Signed is where a sign-in stands. Tokens are there once it is complete.
type Signed struct {
	State   string // Complete; other states ask for more
	Access  string
	Expires time.Time
	Refresh string
	User    domain.User
}

// States of a sign-in. A second factor is a state between the two.
const (
	stateProven = "password_ok"
	Complete    = "complete"
)

// Register makes an account and signs it in. With the first administrator's
// setup token it becomes an administrator's, even while registration is closed.
func (s *Service) Register(ctx context.Context, r Registration, c Client) (Signed, error) {
	if err := limit(s.signups, c.Addr, s.Now()); err != nil {
		return Signed{}, err
	}
	if s.Closed && r.SetupToken == "" {
		return Signed{}, domain.Forbidden.Errorf("registration_closed", "this server takes no new accounts; ask its administrator")
	}
	u, err := s.newUser(r)
	if err != nil {
		return Signed{}, err
	}
	record, err := s.hasher.hash(ctx, r.Password)
	if err != nil {
		return Signed{}, err
	}
	var ticket []byte
	if r.SetupToken != "" {
		ticket, u.Role = s.Keys.Hash(r.SetupToken), domain.SystemAdmin
	}
	if err := s.Store.CreateUser(ctx, u, record, ticket, s.Now()); err != nil {
		return Signed{}, err
	}
	s.Log.Info("auth.register", "user", u.ID, "addr", c.Addr, "admin", u.Role == domain.SystemAdmin)
	return s.complete(ctx, u, c)
}

func (s *Service) newUser(r Registration) (u domain.User, err error) {
	u = domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser, CreatedAt: s.Now()}
	if u.Username, err = domain.CheckUsername(r.Username); err != nil {
		return u, err
	}
	if u.DisplayName, err = domain.CheckLine("/display_name", r.DisplayName, domain.MaxDisplayName, false); err != nil {
		return u, err
	}
	if u.DisplayName == "" {
		u.DisplayName = u.Username
	}
	if u.Email, err = checkEmail(r.Email); err != nil {
		return u, err
	}
	local, _, _ := strings.Cut(u.Email, "@")
	return u, checkPassword(r.Password, s.PasswordMin, u.Username, u.DisplayName, local)
}

func checkEmail(email string) (string, error) {
	email, err := domain.CheckLine("/email", strings.ToLower(email), 254, false)
	if err != nil || email == "" {
		return "", err
	}
	local, host, ok := strings.Cut(email, "@")
	if !ok || local == "" || !strings.Contains(host, ".") || strings.ContainsAny(email, " <>,;\"") {
		return "", domain.InvalidField("/email", "an e-mail address looks like ann@example.org")
	}
	return email, nil
}

// SignIn begins a sign-in with a username or e-mail address and a password, and
// goes as far as that leads. Nobody learns whether such a user exists: the
// answer and its cost are the same.
func (s *Service) SignIn(ctx context.Context, login, password string, c Client) (Signed, error) {
	if err := limit(s.logins, c.Addr, s.Now()); err != nil {
		return Signed{}, err
	}
	wrong := domain.Unauthorized.Errorf("invalid_credentials", "the name or the password is wrong")
	if len(login) > 254 || len(password) > maxPasswordBytes {
		return Signed{}, wrong
	}
	u, record, err := s.Store.Credentials(ctx, strings.TrimSpace(login))
	if err != nil && domain.KindOf(err) != domain.NotFound {
		return Signed{}, err
	}
	ok, stale, err := s.hasher.verify(ctx, record, password)
	if err != nil {
		return Signed{}, err
	}
	if !ok || u.Disabled {
		s.Log.Info("auth.login", "outcome", "failure", "user", u.ID, "addr", c.Addr)
		return Signed{}, wrong
	}
	if stale {
		s.rehash(ctx, u.ID, password)
	}
	s.Log.Info("auth.login", "outcome", "success", "user", u.ID, "addr", c.Addr)
	return s.complete(ctx, u, c)
}

func (s *Service) rehash(ctx context.Context, user, password string) {
	record, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = s.Store.UpgradePassword(ctx, user, record)
	}
	if err != nil {
		s.Log.Warn("a password's record stays as it was", "user", user, "err", err)
	}
}

// complete takes a sign-in whose password was right through the states that are
// left. The flow is kept in the store between the states, so that none can be
// skipped or repeated.
func (s *Service) complete(ctx context.Context, u domain.User, c Client) (Signed, error) {
	now := s.Now()
	f := domain.Flow{ID: domain.NewID(domain.FlowPrefix), User: u.ID, State: stateProven, AMR: []string{"pwd"}, Expires: now.Add(flowLife)}
	if err := s.Store.CreateFlow(ctx, f, s.Keys.Hash(token.Secret()), now); err != nil {
		return Signed{}, err
	}
	session := domain.Session{
		ID: domain.NewID(domain.SessionPrefix), User: u.ID, CreatedAt: now, LastSeen: now,
		Idle: now.Add(sessionIdle), Expires: now.Add(sessionMax), AuthTime: now, AMR: f.AMR, IP: c.Addr.String(), UserAgent: c.UserAgent,
	}
	refresh := token.Secret()
	if err := s.Store.CompleteFlow(ctx, f.ID, session, s.Keys.Hash(refresh), now); err != nil {
		return Signed{}, err
	}
	return s.sign(u, session, refresh)
}

func (s *Service) sign(u domain.User, session domain.Session, refresh string) (Signed, error) {
	expires := s.Now().Add(token.Lifetime).Truncate(time.Second)
	access, err := s.Keys.Sign(token.Claims{
		User: u.ID, Session: session.ID, Role: string(u.Role), Epoch: u.Epoch, AMR: session.AMR, AuthTime: session.AuthTime, Expires: expires,
	}, s.Now())
	return Signed{State: Complete, Access: access, Expires: expires, Refresh: refresh, User: u}, err
}

// Refresh gives new tokens for a refresh token, which is good once.
func (s *Service) Refresh(ctx context.Context, refresh string) (Signed, error) {
	if refresh == "" {
		return Signed{}, domain.Unauthorized.Errorf("signed_out", "you are not signed in")
	}
	next := token.Secret()
	r, err := s.Store.ClaimRefresh(ctx, s.Keys.Hash(refresh), s.Keys.Hash(next), sessionIdle, s.Now())
	if r.Reused {
		s.Log.Warn("auth.refresh_reuse", "user", r.Session.User, "session", r.Session.ID)
		s.announce(bus.Revocation{User: r.Session.User, Session: r.Session.ID, Reason: "refresh_reused"})
	}
	if err != nil {
		return Signed{}, err
	}
	return s.sign(r.User, r.Session, next)
}

// SignOut ends the session of a refresh token. A token that is not ours is no
// error: whoever has it is signed out.
func (s *Service) SignOut(ctx context.Context, refresh string) error {
	session, user, err := s.Store.SessionOf(ctx, s.Keys.Hash(refresh))
	if err != nil || session == "" {
		return err
	}
	if err := s.Store.RevokeSession(ctx, session, "signed_out", s.Now()); err != nil {
		return err
	}
	s.Log.Info("auth.logout", "user", user, "session", session)
	s.announce(bus.Revocation{User: user, Session: session, Reason: "signed_out"})
	return nil
}

// announce tells this node and all others that tokens have ended.
func (s *Service) announce(r bus.Revocation) {
	s.revoked.add(r, s.Now())
	b, err := json.Marshal(r)
	if err == nil {
		err = s.Bus.Publish(bus.RevokeSubject, b)
	}
	if err != nil {
		s.Log.Error("announce a revocation", "err", err) // other nodes find it in the store
	}
}

// Authenticate returns whose an access token is. A token that has ended, by time
// or by revocation, is unauthorized.
func (s *Service) Authenticate(ctx context.Context, bearer string) (domain.Principal, error) {
	c, err := s.Keys.Verify(bearer, s.Now())
	if err != nil {
		return domain.Principal{}, domain.Unauthorized.Errorf("bad_token", "the access token is not valid or has expired; refresh it or sign in").Because(err)
	}
	if s.revoked.covers(c) {
		return domain.Principal{}, domain.Unauthorized.Errorf("signed_out", "this session has ended; sign in again")
	}
	epoch, err := s.currentEpoch(ctx, c.User)
	if err != nil {
		return domain.Principal{}, err
	}
	if c.Epoch < epoch {
		return domain.Principal{}, domain.Unauthorized.Errorf("signed_out", "this account has changed since; sign in again")
	}
	return domain.Principal{
		ID: c.User, Kind: domain.KindUser, Role: domain.SystemRole(c.Role), SessionID: c.Session, Epoch: c.Epoch, Expires: c.Expires,
	}, nil
}

// SetupLink returns a new one-time link by which the first administrator
// registers, good for an hour, or "" if there is an administrator already.
// Earlier links end.
func (s *Service) SetupLink(ctx context.Context, base string) (string, error) {
	has, err := s.Store.HasAdmin(ctx)
	if err != nil || has {
		return "", err
	}
	secret := token.Secret()
	if err := s.Store.CreateTicket(ctx, s.Keys.Hash(secret), domain.Ticket{Kind: domain.SetupTicket, Expires: s.Now().Add(setupLife)}, s.Now()); err != nil {
		return "", err
	}
	return base + "/setup#token=" + secret, nil // a fragment is never sent to a server, nor logged by one
}

func limit(l *ratelimit.Limiter, addr netip.Addr, now time.Time) error {
	if l == nil {
		return nil
	}
	if ok, wait := l.Allow(ratelimit.AddrKey(addr), now); !ok {
		return domain.RateLimited.Errorf("too_many_attempts", "too many attempts from your address; try again later").After(wait)
	}
	return nil
}
