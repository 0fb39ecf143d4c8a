package factor

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/oidc"
	"github.com/unhidra/unhidra/internal/token"
)

// Provider is an OpenID provider that people sign in with.
type Provider struct {
	ID    string // in URLs
	Label string // on the button
	*oidc.Provider
}

// AttemptLife is how long a sign-in by a provider may take there.
const AttemptLife = 10 * time.Minute

// attempt is a sign-in by a provider that was begun.
type attempt struct {
	Provider string       `json:"provider"`
	Attempt  oidc.Attempt `json:"attempt"`
}

func (f *Factors) provider(id string) (Provider, error) {
	for _, p := range f.Providers {
		if p.ID == id {
			return p, nil
		}
	}
	return Provider{}, domain.NotFound.Errorf(domain.CodeNoProvider, "there is no such provider")
}

// BeginProvider begins to sign in by a provider. It returns where to send the
// browser, and a secret that the browser keeps: only with it the way back counts,
// so that nobody can be signed in as somebody else by a link. Whoever is signed in as
// link does not sign in, but links the account there.
func (f *Factors) BeginProvider(
	ctx context.Context, id string, link domain.Principal,
) (location, secret string, err error) {
	p, err := f.provider(id)
	if err != nil {
		return "", "", err
	}
	a, location, err := p.Begin(ctx)
	if err != nil {
		return "", "", err
	}
	data, err := json.Marshal(attempt{id, a})
	if err != nil {
		return "", "", err
	}
	secret = token.Secret()
	k := domain.Ticket{Kind: domain.ProviderTicket, User: link.ID, Epoch: link.Epoch, Data: string(data),
		Expires: f.Report.Now().Add(AttemptLife)}
	return location, secret, f.Store.CreateTicket(ctx, f.Keys.Hash(secret), k, f.Report.Now())
}

// FinishProvider goes on where the provider sent the browser back. It returns whose account
// at the provider this is; one that is not linked makes a new account here, if that is open.
// An account here is never found by an e-mail address alone: its owner signs in and links it.
// It reports whether this was done now, in place of a sign-in.
func (f *Factors) FinishProvider(
	ctx context.Context, secret string, back url.Values, c report.Client,
) (u domain.User, linked bool, err error) {
	k, err := f.Store.UseTicket(ctx, f.Keys.Hash(secret), domain.ProviderTicket, f.Report.Now())
	if err != nil {
		return u, false, errFlow()
	}
	var a attempt
	if err := json.Unmarshal([]byte(k.Data), &a); err != nil {
		return u, false, err
	}
	p, err := f.provider(a.Provider)
	if err != nil {
		return u, false, err
	}
	who, err := p.Finish(ctx, a.Attempt, back)
	if err != nil {
		f.Report.Record(ctx, c, report.Event{Kind: domain.AuditOIDCLogin, Outcome: domain.AuditFailure,
			Reason: string(domain.CodeOf(err)), Method: "oidc"})
		return u, false, err
	}
	if k.User != "" {
		return u, true, f.linkIdentity(ctx, k, who, c)
	}
	u, err = f.Store.IdentityUser(ctx, who.Issuer, who.Subject)
	if domain.KindOf(err) == domain.NotFound {
		u, err = f.Welcome(ctx, who, c)
	}
	if err != nil {
		return u, false, err
	}
	if u.GuestEnded(f.Report.Now()) {
		return u, false, domain.ErrGuestEnded(u.GuestUntil)
	}
	if u.Disabled {
		f.Report.Record(ctx, c, report.Event{Kind: domain.AuditOIDCLogin, User: u, Outcome: domain.AuditFailure,
			Reason: "disabled", Method: "oidc"})
		return u, false, domain.Forbidden.Errorf(domain.CodeDisabled,
			"this account is disabled; contact an administrator")
	}
	f.Report.Record(ctx, c, report.Event{Kind: domain.AuditOIDCLogin, User: u, Method: "oidc"})
	return u, false, nil
}

func (f *Factors) linkIdentity(ctx context.Context, k domain.Ticket, who oidc.Identity, c report.Client) error {
	err := f.Store.LinkIdentity(ctx, domain.Identity{Issuer: who.Issuer, Subject: who.Subject, User: k.User,
		Email: who.Email, CreatedAt: f.Report.Now()}, k.Epoch)
	if err != nil {
		return err
	}
	return f.providerChanged(ctx, k.User, domain.MailSecondFactorAdded, "", who.Issuer, c)
}

// providerChanged tells the user and the audit log: a provider is a way in, as a
// second factor is.
func (f *Factors) providerChanged(
	ctx context.Context, user string, template domain.MailTemplate, reason, issuer string, c report.Client,
) error {
	u, err := f.User(ctx, user)
	if err != nil {
		return err
	}
	f.Report.Record(ctx, c, report.Event{Kind: domain.AuditOIDCLink, User: u, Reason: reason,
		Details: map[string]string{"issuer": issuer}})
	f.Report.Notify(ctx, u, template, "", func(d *domain.MailData) { d.Factor = "the sign-in by " + issuer })
	return nil
}

// Welcome makes an account for somebody whom a provider vouches for.
func (f *Factors) Welcome(ctx context.Context, who oidc.Identity, c report.Client) (domain.User, error) {
	if !f.Open() {
		return domain.User{}, domain.Forbidden.Errorf(domain.CodeRegistrationClosed,
			"this server takes no new accounts by itself; sign in with your password and link this account in the settings, "+
				"or ask the administrator")
	}
	u := domain.User{ID: domain.NewID(domain.UserPrefix), Kind: domain.KindUser, Role: domain.SystemUser,
		CreatedAt: f.Report.Now()}
	if name, err := names.CheckPrincipal("/name", who.Name, domain.MaxDisplayName, true); err == nil {
		u.DisplayName = name // else it is the username
	}
	if email, err := domain.CheckEmail(who.Email); err == nil && who.EmailVerified {
		u.Email = email
	}
	for _, name := range usernames(who) {
		var err error
		if u.Username, err = names.CheckChosenUsername(name); err != nil {
			continue
		}
		if u.DisplayName == "" {
			u.DisplayName = u.Username
		}
		now := f.Report.Now()
		i := domain.Identity{Issuer: who.Issuer, Subject: who.Subject, User: u.ID, Email: who.Email, CreatedAt: now}
		err = f.Store.CreateLinkedUser(ctx, u, i, now)
		if domain.CodeOf(err) == domain.CodeNameTaken {
			continue
		}
		if domain.CodeOf(err) == domain.CodeEmailTaken {
			return u, domain.Conflict.Errorf(domain.CodeEmailTaken,
				"there is an account with this e-mail address; sign in to it, and link this one in the settings").Because(err)
		}
		if err == nil {
			f.Report.Record(ctx, c, report.Event{Kind: domain.AuditRegister, User: u, Method: "oidc",
				Details: map[string]string{"issuer": who.Issuer}})
		}
		return u, err
	}
	return u, domain.Conflict.Errorf(domain.CodeNameTaken,
		"no username could be found for you; register with one, and link this account in the settings")
}

// usernames are what somebody may be called here: as at the provider, or nearly.
func usernames(who oidc.Identity) []string {
	local, _, _ := strings.Cut(who.Email, "@")
	var names []string
	for _, name := range []string{who.Username, local, "user"} {
		name, _, _ = strings.Cut(strings.ToLower(name), "@")
		name = strings.Trim(strings.Map(usernameRune, name), "._-")
		if len(name) > 24 {
			name = strings.Trim(name[:24], "._-")
		}
		if name != "" {
			names = append(names, name, name+"-"+strings.ToLower(rand.Text()[:4]))
		}
	}
	return names
}

func usernameRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '.', r == '-', r == '_':
		return r
	case r == ' ':
		return '.'
	}
	return -1
}

// IdentitiesOf returns the accounts at providers that sign in as a user.
func (f *Factors) IdentitiesOf(ctx context.Context, user string) ([]domain.Identity, error) {
	return f.Store.Identities(ctx, user)
}

// Unlink ends the caller's sign-in by a provider. Whoever has no other way in
// keeps it.
func (f *Factors) Unlink(ctx context.Context, p domain.Principal, id string, c report.Client) error {
	if err := f.Fresh(ctx, p); err != nil {
		return err
	}
	provider, err := f.provider(id)
	if err != nil {
		return err
	}
	if err := f.Store.UnlinkIdentities(ctx, p.ID, provider.Issuer); err != nil {
		return err
	}
	return f.providerChanged(ctx, p.ID, domain.MailSecondFactorRemoved, "unlinked", provider.Issuer, c)
}
