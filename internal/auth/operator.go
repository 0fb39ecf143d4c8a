package auth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
	"github.com/unhidra/unhidra/internal/token"
)

// OperatorStore is what an operator's commands need of the store.
type OperatorStore struct {
	OperatorUsers
	OperatorFactors
	OperatorSessions
}

// OperatorSessions is what an operator's commands need of sessions.
type OperatorSessions interface {
	EndSessions(ctx context.Context, user, reason string, now time.Time) (domain.User, error)
	EndAllSessions(ctx context.Context, reason string, now time.Time) (ended int64, err error)
}

// OperatorFactors is what an operator's commands need of second factors.
type OperatorFactors interface {
	ResetFactors(ctx context.Context, user string, now time.Time) (domain.User, error)
}

// OperatorUsers is what an operator's commands need of accounts.
type OperatorUsers interface {
	UserByUsername(ctx context.Context, name string) (domain.User, error)
	AllUsers(ctx context.Context) ([]domain.User, error)
	CreateUser(ctx context.Context, u domain.User, password string, by domain.Signup, now time.Time) error
	SetPassword(ctx context.Context, user, password string, now time.Time) (domain.User, error)
	SetUserRole(ctx context.Context, user string, role domain.SystemRole) (domain.User, error)
	SetUserDisabled(ctx context.Context, user string, disabled bool, now time.Time) (domain.User, error)
}

// Operator manages accounts with the rights of whoever has access to the data:
// it asks for no password. A server that runs beside it notices within seconds.
type Operator struct {
	Store       OperatorStore
	Log         *slog.Logger
	Audit       report.Recorder // nil: nothing is recorded but in the log
	PasswordMin int
}

// Create makes an account.
func (o *Operator) Create(ctx context.Context, r Registration, role domain.SystemRole) (domain.User, error) {
	u, err := person(r, time.Now())
	if err == nil {
		err = password.Check(r.Password, o.PasswordMin, notInPassword(u)...)
	}
	if err != nil {
		return u, err
	}
	u.Role = role
	record, err := o.hash(ctx, r.Password)
	if err != nil {
		return u, err
	}
	if err := o.Store.CreateUser(ctx, u, record, domain.Signup{}, time.Now()); err != nil {
		return u, err
	}
	o.record(ctx, domain.AuditAdminUserCreate, u, "role", string(role))
	return u, nil
}

// Import makes an account of another system, with that system's record of the
// password. It is compared with what its owner types, and made anew as one of ours
// at their first sign-in.
func (o *Operator) Import(
	ctx context.Context, r Registration, record string, role domain.SystemRole,
) (domain.User, error) {
	u, err := person(r, time.Now())
	if err != nil {
		return u, err
	}
	if err := password.CheckRecord(record); err != nil {
		return u, err
	}
	u.Role = role
	if err := o.Store.CreateUser(ctx, u, record, domain.Signup{}, time.Now()); err != nil {
		return u, err
	}
	o.record(ctx, domain.AuditAdminUserCreate, u, "imported_as", string(role))
	return u, nil
}

// List returns all accounts by username.
func (o *Operator) List(ctx context.Context) ([]domain.User, error) { return o.Store.AllUsers(ctx) }

// SetRole makes someone an administrator of the server, or no longer one.
func (o *Operator) SetRole(ctx context.Context, username string, role domain.SystemRole) (domain.User, error) {
	return o.change(ctx, username, domain.AuditAdminUserRole, func(u domain.User) (domain.User, error) {
		return o.Store.SetUserRole(ctx, u.ID, role)
	})
}

// SetDisabled keeps someone out, ending all their sessions, or lets them in
// again.
func (o *Operator) SetDisabled(ctx context.Context, username string, disabled bool) (domain.User, error) {
	what := domain.AuditAdminUserEnable
	if disabled {
		what = domain.AuditAdminUserDisable
	}
	return o.change(ctx, username, what, func(u domain.User) (domain.User, error) {
		return o.Store.SetUserDisabled(ctx, u.ID, disabled, time.Now())
	})
}

// ResetPassword gives someone another password and ends all their sessions.
func (o *Operator) ResetPassword(ctx context.Context, username, pass string) (domain.User, error) {
	return o.change(ctx, username, domain.AuditAdminPasswordReset, func(u domain.User) (domain.User, error) {
		if err := password.Check(pass, o.PasswordMin, notInPassword(u)...); err != nil {
			return u, err
		}
		record, err := o.hash(ctx, pass)
		if err != nil {
			return u, err
		}
		return o.Store.SetPassword(ctx, u.ID, record, time.Now())
	})
}

// ResetFactors takes all second factors of someone away, and ends all their
// sessions: the way back for an administrator who lost theirs, and whom no other
// one can help.
func (o *Operator) ResetFactors(ctx context.Context, username string) (domain.User, error) {
	return o.change(ctx, username, domain.AuditAdminFactorsReset, func(u domain.User) (domain.User, error) {
		return o.Store.ResetFactors(ctx, u.ID, time.Now())
	})
}

const endedByOperator = "ended_by_operator"

// EndSessions signs someone out everywhere.
func (o *Operator) EndSessions(ctx context.Context, username string) (domain.User, error) {
	return o.change(ctx, username, domain.AuditSessionRevoke, func(u domain.User) (domain.User, error) {
		return o.Store.EndSessions(ctx, u.ID, endedByOperator, time.Now())
	})
}

// EndAllSessions signs everybody out everywhere, and ends tokens of scripts, links in mails
// and what browsers are remembered by. It returns how many sessions were alive.
func (o *Operator) EndAllSessions(ctx context.Context) (ended int64, err error) {
	if ended, err = o.Store.EndAllSessions(ctx, endedByOperator, time.Now()); err == nil {
		o.record(ctx, domain.AuditSessionRevoke, domain.User{}, "sessions", fmt.Sprint(ended))
	}
	return ended, err
}

// record tells the logs what the operator has done to u.
func (o *Operator) record(ctx context.Context, what domain.AuditType, u domain.User, name, value string) {
	o.Log.InfoContext(ctx, string(what), "user", u.ID, name, value)
	if o.Audit != nil {
		e := domain.AuditEvent{Type: what, Actor: domain.AuditActor{Kind: domain.ActorOperator},
			Details: map[string]string{name: value}}
		if u.ID != "" { // else it was done to everybody
			e.Target = domain.AuditTarget{Kind: string(domain.KindUser), ID: u.ID}
		}
		o.Audit.Record(ctx, e)
	}
}

func (o *Operator) hash(ctx context.Context, pass string) (string, error) {
	return password.New(password.Options{}).Hash(ctx, pass, password.Known)
}

func (o *Operator) change(
	ctx context.Context, username string, what domain.AuditType, do func(domain.User) (domain.User, error),
) (domain.User, error) {
	u, err := o.Store.UserByUsername(ctx, username)
	if err != nil {
		return u, err
	}
	if u, err = do(u); err == nil {
		o.record(ctx, what, u, "role", string(u.Role))
	}
	return u, err
}

// IssueToken returns an access token for someone, for a script: without a
// session, so that it cannot be refreshed, and ending with the user's epoch.
func (o *Operator) IssueToken(
	ctx context.Context, keys *token.Keyring, username string, life time.Duration,
) (string, error) {
	u, err := o.Store.UserByUsername(ctx, username)
	if err != nil {
		return "", err
	}
	if u.Disabled {
		return "", domain.Forbidden.Errorf(domain.CodeDisabled, "the account of %s is disabled", u.Username)
	}
	now := time.Now()
	o.record(ctx, domain.AuditAdminUserUpdate, u, "token_for", life.String())
	return keys.Sign(token.Claims{User: u.ID, Role: string(u.Role), Epoch: u.Epoch, AMR: []string{domain.AMROperator},
		AuthTime: now, Expires: now.Add(life)}, now)
}
