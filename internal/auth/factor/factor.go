// Package factor has what people sign in with beside a password: authenticator apps, recovery
// codes, passkeys, browsers that are remembered, and accounts at OpenID providers. It adds and
// removes them, and says what an answer proves. It counts no attempts and begins no session.
package factor

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/token"
	"github.com/unhidra/unhidra/internal/totp"
)

// FreshFor is how long a proof of identity opens what is dangerous.
const FreshFor = 5 * time.Minute

// Store is what must be remembered of factors, by the repositories that do it.
type Store struct {
	FactorStore
	IdentityStore
	TicketStore
}

// FactorStore keeps second factors.
type FactorStore interface {
	Factors(ctx context.Context, user string) (domain.Factors, error)
	TryTOTP(ctx context.Context, v domain.TOTP) error
	TOTP(ctx context.Context, user string) (domain.TOTP, error)
	ConfirmTOTP(ctx context.Context, user string, step int64, codes [][]byte, now time.Time) error
	DeleteTOTP(ctx context.Context, user string) error
	ReplaceRecoveryCodes(ctx context.Context, user string, codes [][]byte, now time.Time) error
	Remember(ctx context.Context, r domain.Remembered, hash []byte) error
	RememberedOf(ctx context.Context, user string, now time.Time) ([]domain.Remembered, error)
	ForgetRemembered(ctx context.Context, user, id string) error
	AddPasskey(ctx context.Context, p domain.Passkey, epoch int64, codes [][]byte, now time.Time) error
	Passkeys(ctx context.Context, user string) ([]domain.Passkey, error)
	RenamePasskey(ctx context.Context, user, id, name string) error
	DeletePasskey(ctx context.Context, user, id string) error
}

// IdentityStore keeps which accounts at providers sign in as whom.
type IdentityStore interface {
	Identities(ctx context.Context, user string) ([]domain.Identity, error)
	IdentityUser(ctx context.Context, issuer, subject string) (domain.User, error)
	LinkIdentity(ctx context.Context, i domain.Identity, epoch int64) error
	UnlinkIdentities(ctx context.Context, user, issuer string) error
	CreateLinkedUser(ctx context.Context, u domain.User, i domain.Identity, now time.Time) error
}

// TicketStore keeps what was begun until it is answered, once.
type TicketStore interface {
	CreateTicket(ctx context.Context, hash []byte, k domain.Ticket, now time.Time) error
	UseTicket(ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time) (domain.Ticket, error)
}

// Deps are what factors need.
type Deps struct {
	Store      Store
	Keys       *token.Keyring
	Report     *report.Reporter
	Name       string                   // of the server
	Passkeys   *passkey.Party           // nil: the server is not reached by a name
	Providers  []Provider               // that people may sign in with
	CookieName func(name string) string // as browsers know a cookie
	// Me returns the caller's own account.
	Me func(ctx context.Context, p domain.Principal) (domain.User, error)
	// User returns somebody by id or username.
	User func(ctx context.Context, name string) (domain.User, error)
	// Open reports whether anybody may make an account.
	Open func() bool
}

// Factors are the factors of all people.
type Factors struct {
	Deps
	seeds *totp.Ring
}

// New returns the factors.
func New(d Deps) (*Factors, error) {
	seeds, err := totp.NewRing(totp.Key{ID: "1", Bytes: d.Keys.Derive("totp")})
	return &Factors{Deps: d, seeds: seeds}, err
}

// Owned is what a user has to sign in with beside a password.
type Owned struct {
	domain.Factors
	Keys     []domain.Passkey
	Browsers []domain.Remembered // that are not asked
}

// FactorsOf returns which second factors a user has.
func (f *Factors) FactorsOf(ctx context.Context, user string) (domain.Factors, error) {
	return f.Store.Factors(ctx, user)
}

// Owned returns each second factor that a user has.
func (f *Factors) Owned(ctx context.Context, user string) (o Owned, err error) {
	if o.Factors, err = f.Store.Factors(ctx, user); err != nil {
		return o, err
	}
	if o.Keys, err = f.Store.Passkeys(ctx, user); err != nil {
		return o, err
	}
	o.Browsers, err = f.Store.RememberedOf(ctx, user, f.Report.Now())
	return o, err
}

// Fresh refuses what is dangerous to somebody who proved who they are too long ago:
// the session may have been left open on a table. The proof must cover the factors
// that the account has now: neither a browser that was remembered nor a session from
// before a factor was added does. The error is step_up_required.
func (f *Factors) Fresh(ctx context.Context, p domain.Principal) error {
	if f.Report.Now().Sub(p.AuthTime) > FreshFor {
		return domain.Forbidden.Errorf(domain.CodeStepUpRequired,
			"confirm it's you first: the last time was more than five minutes ago")
	}
	has, err := f.Store.Factors(ctx, p.ID)
	if err == nil && !strong(p, has) {
		err = domain.Forbidden.Errorf(domain.CodeStepUpRequired, "confirm it's you first, with your second factor")
	}
	return err
}

// strong reports whether p's session has shown all the factors that there are. An
// operator's token needs none: whoever makes it has access to the data.
func strong(p domain.Principal, has domain.Factors) bool {
	return !has.Any() || slices.Contains(p.AMR, domain.AMRSecondFactor) || slices.Contains(p.AMR, domain.AMROperator)
}

// Answer is what somebody shows for a second factor: one of these.
type Answer struct {
	Code     string // of an authenticator app, or a recovery code
	Passkey  []byte // the browser's answer, JSON
	Remember bool   // do not ask this browser again for a while
}

// Shown is what an answer proves.
type Shown struct {
	Method string
	AMR    []string     // nil: nothing, it is wrong
	Proof  domain.Proof // what acting on it uses up
	Left   int          // recovery codes, after this one
}

// Try finds out what an answer proves; challenge is the question, if it is a passkey's. The
// attempt is not counted here, nor is anything used up: whoever acts on the proof does both.
func (f *Factors) Try(ctx context.Context, u domain.User, a Answer, challenge string) (Shown, error) {
	switch {
	case a.Passkey != nil:
		return f.tryPasskey(ctx, u, a.Passkey, challenge)
	case totp.IsCode(a.Code):
		return f.tryRecovery(ctx, u, a.Code)
	}
	return f.tryTOTP(ctx, u, a.Code)
}

// changed tells the user and the audit log.
func (f *Factors) changed(
	ctx context.Context, p domain.Principal, c report.Client, kind domain.AuditType, template domain.MailTemplate,
	factor string,
) (domain.User, error) {
	u, err := f.Me(ctx, p)
	if err != nil {
		return u, err
	}
	f.Report.Record(ctx, c, report.Event{Kind: kind, User: u, Session: p.SessionID})
	f.Report.Notify(ctx, u, template, "", func(d *domain.MailData) { d.Factor = factor })
	return u, nil
}

func errFlow() error {
	return domain.Unauthorized.Errorf(domain.CodeFlowEnded,
		"this took too long, or was started by someone else; start again")
}
