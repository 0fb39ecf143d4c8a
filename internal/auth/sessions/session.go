// Package sessions has the sessions of people and their tokens: it begins none by itself,
// but makes, renews and ends them, and says whose an access token is.
package sessions

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// Store keeps sessions.
type Store interface {
	ClaimRefresh(ctx context.Context, hash, next []byte, idle time.Duration, now time.Time) (domain.Refreshed, error)
	SessionOf(ctx context.Context, refresh []byte) (session, user string, err error)
	Sessions(ctx context.Context, user string, now time.Time) ([]domain.Session, error)
	RenewSession(
		ctx context.Context, old string, s domain.Session, next func(current []byte) []byte, p domain.Proof, now time.Time,
	) (domain.Session, error)
	RevokeSession(ctx context.Context, id, reason string, now time.Time) error
	RevokeSessionOf(ctx context.Context, user, id, reason string, now time.Time) error
	RevokeOthers(ctx context.Context, user, keep, reason string, now time.Time) ([]string, error)
	Revocations(ctx context.Context, since time.Time) ([]domain.Revocation, error)
	GuestEnd(ctx context.Context, user string, now time.Time) error
	EpochsAbove(ctx context.Context, known map[string]int64) (map[string]int64, error)
	ForgetExpired(ctx context.Context, before time.Time) error
}

// Deps are what sessions need.
type Deps struct {
	Store  Store
	Keys   *token.Keyring
	Bus    bus.Bus
	Report *report.Reporter
	Idle   time.Duration // a session that is not used for so long ends; 0: 7 days
	Max    time.Duration // every session ends after so long; 0: 30 days
	// Limited reports whether somebody must add a second factor before anything else,
	// who has shown what amr says.
	Limited func(u domain.User, amr []string) bool
}

// Sessions are the sessions of all people.
type Sessions struct {
	Deps
	revoked *revocations
	looked  time.Time // when the store last told of revocations
	epochs  epochs
}

// New returns the sessions. Load informs them, before anything is served, and Run keeps
// them informed.
func New(d Deps) *Sessions {
	if d.Idle == 0 {
		d.Idle = 7 * 24 * time.Hour
	}
	if d.Max == 0 {
		d.Max = 30 * 24 * time.Hour
	}
	return &Sessions{Deps: d, revoked: newRevocations(), looked: d.Report.Now().Add(-token.Lifetime)}
}

// Tokens are what a client gets for a session.
type Tokens struct {
	Access  string
	Expires time.Time
	Refresh string
	User    domain.User
	Limited bool // a second factor must be added before anything else
}

// Revoke tells this node and all others that tokens have ended. Once it returns, this
// node accepts them no more; other nodes follow by the bus, in a moment.
func (s *Sessions) Revoke(ctx context.Context, r bus.Revocation) {
	s.revoked.add(r, s.Report.Now())
	b, err := json.Marshal(r)
	if err == nil {
		err = s.Bus.Publish(bus.RevokeSubject, b)
	}
	if err != nil {
		s.Report.Log.ErrorContext(ctx, "announce a revocation", "err", err) // other nodes find it in the store
	}
}

// Authenticate returns whose an access token is. A token that has ended, by time
// or by revocation, is unauthorized.
func (s *Sessions) Authenticate(ctx context.Context, bearer string) (domain.Principal, error) {
	if err := domain.CheckBearer(bearer); err != nil {
		return domain.Principal{}, err
	}
	c, err := s.Keys.Verify(bearer, s.Report.Now())
	if err != nil {
		return domain.Principal{}, domain.Unauthorized.Errorf(domain.CodeBadToken,
			"the access token is not valid or has expired; refresh it or sign in").Because(err)
	}
	if s.revoked.covers(c) {
		return domain.Principal{}, s.whyEnded(ctx, c, "this session has ended; sign in again")
	}
	epoch, err := s.currentEpoch(ctx, c.User)
	if err != nil {
		return domain.Principal{}, err
	}
	if c.Epoch < epoch {
		return domain.Principal{}, s.whyEnded(ctx, c, "this account has changed since; sign in again")
	}
	return domain.Principal{
		ID: c.User, Kind: domain.KindUser, Role: domain.SystemRole(c.Role), SessionID: c.Session, Epoch: c.Epoch,
		Expires:  c.Expires,
		AuthTime: c.AuthTime, AMR: c.AMR, Limited: c.Limited,
	}, nil
}

// whyEnded is what the holder of a token is told that has ended.
func (s *Sessions) whyEnded(ctx context.Context, c token.Claims, otherwise string) error {
	if c.Role == string(domain.SystemGuest) {
		if err := s.Store.GuestEnd(ctx, c.User, s.Report.Now()); err != nil {
			return err
		}
	}
	return domain.Unauthorized.Errorf(domain.CodeSignedOut, "%s", otherwise)
}

// Draft is a session that somebody is to get who has shown what amr says.
func (s *Sessions) Draft(u domain.User, amr []string, c report.Client) domain.Session {
	now := s.Report.Now()
	return domain.Session{
		ID: domain.NewID(domain.SessionPrefix), User: u.ID, CreatedAt: now, LastSeen: now, Idle: now.Add(s.Idle),
		Expires:  now.Add(s.Max),
		AuthTime: now, AMR: amr, IP: c.Addr.String(), UserAgent: c.UserAgent,
	}
}

// Sign makes the tokens of a session. Whoever must have a second factor, and has shown
// none, gets an access token that is good for adding it.
func (s *Sessions) Sign(u domain.User, session domain.Session, refresh string) (Tokens, error) {
	expires := s.Report.Now().Add(token.Lifetime).Truncate(time.Second)
	if session.Expires.Before(expires) {
		expires = session.Expires
	}
	t := Tokens{Expires: expires, Refresh: refresh, User: u, Limited: s.Limited != nil && s.Limited(u, session.AMR)}
	var err error
	t.Access, err = s.Keys.Sign(token.Claims{
		User: u.ID, Session: session.ID, Role: string(u.Role), Epoch: u.Epoch, AMR: session.AMR, AuthTime: session.AuthTime,
		Expires: expires, Limited: t.Limited,
	}, s.Report.Now())
	return t, err
}

// Refresh gives new tokens for a refresh token. Until the new one is used, the old one
// gives the same again: an answer may be lost. After that it is a stolen one, and the
// session ends.
func (s *Sessions) Refresh(ctx context.Context, refresh string, c report.Client) (Tokens, error) {
	if refresh == "" {
		return Tokens{}, domain.Unauthorized.Errorf(domain.CodeSignedOut, "you are not signed in")
	}
	hash := s.Keys.Hash(refresh)
	next := s.Keys.Successor(hash)
	r, err := s.Store.ClaimRefresh(ctx, hash, s.Keys.Hash(next), s.Idle, s.Report.Now())
	if r.Reused {
		s.Report.Record(ctx, c, report.Event{Kind: domain.AuditRefreshReuse, User: domain.User{ID: r.Session.User},
			Session: r.Session.ID, Outcome: domain.AuditBlocked, Method: "refresh"})
		s.Revoke(ctx, bus.Revocation{User: r.Session.User, Session: r.Session.ID, Reason: "refresh_reused"})
	}
	if err != nil {
		return Tokens{}, err
	}
	return s.Sign(r.User, r.Session, next)
}

// SignOut ends the session of a refresh token. A token that is not ours is no
// error: whoever has it is signed out.
func (s *Sessions) SignOut(ctx context.Context, refresh string, c report.Client) error {
	session, user, err := s.Store.SessionOf(ctx, s.Keys.Hash(refresh))
	if err != nil || session == "" {
		return err
	}
	if err := s.Store.RevokeSession(ctx, session, "signed_out", s.Report.Now()); err != nil {
		return err
	}
	s.Report.Record(ctx, c, report.Event{Kind: domain.AuditLogout, User: domain.User{ID: user}, Session: session})
	s.Revoke(ctx, bus.Revocation{User: user, Session: session, Reason: "signed_out"})
	return nil
}

// Renew puts a new session in the place of p's, and uses up what the caller has shown for
// it. The refresh token follows from the one that p's session has, so that Refresh finds
// it where this answer is lost.
func (s *Sessions) Renew(
	ctx context.Context, p domain.Principal, u domain.User, shown domain.Proof, amr []string, c report.Client,
) (session domain.Session, refresh string, err error) {
	if p.SessionID == "" {
		return session, "", domain.Forbidden.Errorf(domain.CodeNoSession, "a script's token cannot be renewed")
	}
	session, err = s.Store.RenewSession(ctx, p.SessionID, s.Draft(u, amr, c), func(current []byte) []byte {
		refresh = s.Keys.Successor(current)
		return s.Keys.Hash(refresh)
	}, shown, s.Report.Now())
	return session, refresh, err
}

// List returns the sessions of a user that are alive, the last used first.
func (s *Sessions) List(ctx context.Context, user string) ([]domain.Session, error) {
	return s.Store.Sessions(ctx, user, s.Report.Now())
}

// EndSession ends one of the caller's sessions.
func (s *Sessions) EndSession(ctx context.Context, p domain.Principal, id string, c report.Client) error {
	if err := s.Store.RevokeSessionOf(ctx, p.ID, id, "ended_by_user", s.Report.Now()); err != nil {
		return err
	}
	s.ended(ctx, p, id, c)
	return nil
}

// EndOthers ends all of the caller's sessions but the one that asks, with whatever
// was begun, and has all browsers asked for the second factor again.
func (s *Sessions) EndOthers(ctx context.Context, p domain.Principal, c report.Client) error {
	ended, err := s.Store.RevokeOthers(ctx, p.ID, p.SessionID, "ended_by_user", s.Report.Now())
	if err != nil {
		return err
	}
	for _, id := range ended {
		s.ended(ctx, p, id, c)
	}
	return nil
}

func (s *Sessions) ended(ctx context.Context, p domain.Principal, id string, c report.Client) {
	s.Report.Record(ctx, c, report.Event{Kind: domain.AuditSessionRevoke, User: domain.User{ID: p.ID}, Session: id})
	s.Revoke(ctx, bus.Revocation{User: p.ID, Session: id, Reason: "ended_by_user"})
}
