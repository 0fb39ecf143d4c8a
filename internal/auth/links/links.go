// Package links has the links in mails: each is good once, for a while, for one thing. It makes
// and mails them, and does what they are for; it limits no mails, and hashes no passwords.
package links

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

// How long links are good.
const (
	setupLife  = time.Hour
	ResetLife  = time.Hour
	unlockLife = time.Hour
	EmailLife  = 24 * time.Hour
	VerifyLife = 24 * time.Hour
	UndoLife   = 72 * time.Hour
)

// Store keeps links by the hashes of their secrets, and does what they are for.
type Store interface {
	CreateTicket(ctx context.Context, hash []byte, k domain.Ticket, now time.Time) error
	TicketUser(ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time) (domain.User, error)
	UseTicket(ctx context.Context, hash []byte, kind domain.TicketKind, now time.Time) (domain.Ticket, error)
	VerifyEmail(ctx context.Context, hash []byte, now time.Time) (domain.User, error)
	ResetPassword(ctx context.Context, hash []byte, password string, now time.Time) (domain.User, error)
	ChangeEmail(ctx context.Context, hash, undo []byte, until, now time.Time) (u domain.User, old string, err error)
	UndoEmail(ctx context.Context, hash []byte, now time.Time) (domain.User, domain.RemovedFactors, error)
}

// Deps are what links need.
type Deps struct {
	Store  Store
	Keys   *token.Keyring
	Report *report.Reporter
	Revoke func(ctx context.Context, r bus.Revocation) // ends tokens
}

// Links are the links of all people.
type Links struct{ Deps }

// New returns the links.
func New(d Deps) *Links { return &Links{d} }

// Link makes a ticket and the link that a mail has of it. The secret is in the
// fragment: no server is sent it by following the link, nor logs it, and what
// reads mails ahead of people uses nothing up.
func (l *Links) Link(
	ctx context.Context, kind domain.TicketKind, u domain.User, data, path string, life time.Duration,
) (link string, expires time.Time, err error) {
	secret := token.Secret()
	expires = l.Report.Now().Add(life)
	err = l.Store.CreateTicket(ctx, l.Keys.Hash(secret),
		domain.Ticket{Kind: kind, User: u.ID, Epoch: u.Epoch, Data: data, Expires: expires}, l.Report.Now())
	return l.Report.URL + path + "#token=" + secret, expires, err
}

// NewSetupLink returns a link, at a base address, by which the first administrator registers.
// Earlier ones end.
func (l *Links) NewSetupLink(ctx context.Context, base string) (string, error) {
	secret := token.Secret()
	err := l.Store.CreateTicket(ctx, l.Keys.Hash(secret),
		domain.Ticket{Kind: domain.SetupTicket, Expires: l.Report.Now().Add(setupLife)}, l.Report.Now())
	if err != nil {
		return "", err
	}
	return base + "/setup#token=" + secret, nil
}

// send makes a link and mails it to an address.
func (l *Links) send(
	ctx context.Context, kind domain.TicketKind, u domain.User, data, path string, life time.Duration, m domain.Mail,
) error {
	link, expires, err := l.Link(ctx, kind, u, data, path, life)
	if err != nil {
		return err
	}
	m.Data = domain.MailData{Username: u.Username, Link: link, Expires: expires}
	return l.Report.Mail.Queue(ctx, m)
}

// SendReset mails a link by which a user chooses another password. Earlier ones end.
func (l *Links) SendReset(ctx context.Context, u domain.User) error {
	return l.send(ctx, domain.ResetTicket, u, "", "/reset", ResetLife,
		domain.Mail{To: u.Email, Template: domain.MailResetPassword})
}

// ResetLink returns a link by which a user chooses another password, for an
// administrator to pass on, and mails it where that is possible.
func (l *Links) ResetLink(ctx context.Context, u domain.User) (link string, mailed bool, err error) {
	if l.Report.Mail != nil && u.Email != "" {
		return "", true, l.SendReset(ctx, u)
	}
	link, _, err = l.Link(ctx, domain.ResetTicket, u, "", "/reset", ResetLife)
	return link, false, err
}

// ResetOf returns whose password the link of a secret replaces. The link stays good.
func (l *Links) ResetOf(ctx context.Context, secret string) (domain.User, error) {
	return l.Store.TicketUser(ctx, l.Keys.Hash(secret), domain.ResetTicket, l.Report.Now())
}

// UseReset uses the link of a mail: the user has another password from now on, and no
// session.
func (l *Links) UseReset(ctx context.Context, secret, record string, c report.Client) (domain.User, error) {
	u, err := l.Store.ResetPassword(ctx, l.Keys.Hash(secret), record, l.Report.Now())
	if err != nil {
		return u, err
	}
	l.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "password_reset"})
	l.Report.Record(ctx, c, report.Event{Kind: domain.AuditResetDone, User: u})
	return u, nil
}

// SendUnlock mails a link that ends a lock, after the answer.
func (l *Links) SendUnlock(ctx context.Context, u domain.User) {
	l.Report.Later(ctx, "lock notice", func(ctx context.Context) error {
		return l.send(ctx, domain.UnlockTicket, u, "", "/unlock", unlockLife,
			domain.Mail{To: u.Email, Template: domain.MailLocked, Once: "locked:" + u.ID})
	})
}

// UseUnlock uses the link of a mail, and returns whose lock it ends.
func (l *Links) UseUnlock(ctx context.Context, secret string) (user string, err error) {
	k, err := l.Store.UseTicket(ctx, l.Keys.Hash(secret), domain.UnlockTicket, l.Report.Now())
	return k.User, err
}

// SendVerification mails a link by which a new account's address is proven, after the answer.
func (l *Links) SendVerification(ctx context.Context, u domain.User) {
	l.Report.Later(ctx, "verify an address", func(ctx context.Context) error {
		return l.send(ctx, domain.VerifyTicket, u, u.Email, "/verify", VerifyLife,
			domain.Mail{To: u.Email, Template: domain.MailVerifyEmail})
	})
}

// VerifyEmail uses the link of a mail: the account is open.
func (l *Links) VerifyEmail(ctx context.Context, secret string, c report.Client) (domain.User, error) {
	u, err := l.Store.VerifyEmail(ctx, l.Keys.Hash(secret), l.Report.Now())
	if err == nil {
		l.Report.Record(ctx, c, report.Event{Kind: domain.AuditVerifyEmail, User: u})
	}
	return u, err
}

// SendEmailChange mails a link to an address that is to be u's, after the answer. The epoch is
// that of who asks: the link ends with their session's.
func (l *Links) SendEmailChange(ctx context.Context, u domain.User, epoch int64, email string) error {
	asked := u
	asked.Epoch = epoch
	link, expires, err := l.Link(ctx, domain.EmailTicket, asked, email, "/confirm-email", EmailLife)
	if err != nil {
		return err
	}
	l.Report.Later(ctx, "prove a new address", func(ctx context.Context) error {
		return l.Report.Mail.Queue(ctx, domain.Mail{
			To: email, Template: domain.MailConfirmEmail,
			Data: domain.MailData{Username: u.Username, Link: link, Expires: expires},
		})
	})
	return nil
}

// ConfirmEmail uses the link that went to a new address. The old one is sent a
// link that undoes the change.
func (l *Links) ConfirmEmail(ctx context.Context, secret string, c report.Client) (domain.User, error) {
	undo := token.Secret()
	until := l.Report.Now().Add(UndoLife)
	var kept []byte
	if l.Report.Mail != nil { // else nobody gets the link
		kept = l.Keys.Hash(undo)
	}
	u, old, err := l.Store.ChangeEmail(ctx, l.Keys.Hash(secret), kept, until, l.Report.Now())
	if err != nil {
		return u, err
	}
	l.Report.Record(ctx, c, report.Event{Kind: domain.AuditEmailChange, User: u})
	if l.Report.Mail != nil && old != "" {
		l.Report.Later(ctx, "tell the old address", func(ctx context.Context) error {
			return l.Report.Mail.Queue(ctx, domain.Mail{To: old, Template: domain.MailEmailChanged, Data: domain.MailData{
				Username: u.Username, NewEmail: u.Email, Link: l.Report.URL + "/undo-email#token=" + undo, Expires: until,
			}})
		})
	}
	return u, nil
}

// UndoEmail uses the link that went to an earlier address, and ends all sessions.
// Somebody else may know the password: it is good no more, and a link by which to
// choose another one goes to the address that is the account's again. What was added
// since to sign in with is removed, and the owner is told of it.
func (l *Links) UndoEmail(ctx context.Context, secret string, c report.Client) (domain.User, error) {
	u, removed, err := l.Store.UndoEmail(ctx, l.Keys.Hash(secret), l.Report.Now())
	if err != nil {
		return u, err
	}
	l.Revoke(ctx, bus.Revocation{User: u.ID, Epoch: u.Epoch, Reason: "email_undone"})
	l.Report.Record(ctx, c, report.Event{Kind: domain.AuditEmailChange, User: u, Reason: "undone",
		Details: countsOf(removed)})
	if names := namesOf(removed); names != "" {
		l.Report.Notify(ctx, u, domain.MailSecondFactorRemoved, "", func(d *domain.MailData) {
			d.Factor = "what was added since the change of your address (" + names + ")"
		})
	}
	if l.Report.Mail != nil {
		l.Report.Later(ctx, "reset after an undone change", func(ctx context.Context) error {
			return l.SendReset(ctx, u)
		})
	}
	return u, nil
}

// countsOf tells the audit log what an undone change took away.
func countsOf(r domain.RemovedFactors) map[string]string {
	return map[string]string{
		"passkeys": fmt.Sprint(r.Passkeys), "totp": fmt.Sprint(r.TOTP),
		"recovery_codes": fmt.Sprint(r.RecoveryCodes), "identities": fmt.Sprint(r.Identities),
	}
}

// namesOf tells people what an undone change took away; empty: nothing.
func namesOf(r domain.RemovedFactors) string {
	var names []string
	for _, kind := range []struct {
		removed int64
		name    string
	}{
		{r.Passkeys, "passkeys"}, {r.TOTP, "an authenticator app"},
		{r.RecoveryCodes, "recovery codes"}, {r.Identities, "the sign-in by a provider"},
	} {
		if kind.removed > 0 {
			names = append(names, kind.name)
		}
	}
	return strings.Join(names, ", ")
}
