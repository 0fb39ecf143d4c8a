package factor

import (
	"context"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/names"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/token"
)

// Ceremony is a question for a browser's authenticator, and the ticket that its
// answer comes with.
type Ceremony struct {
	Ticket  string
	Options json.RawMessage
}

func errNoPasskeys() error {
	return domain.Conflict.Errorf(domain.CodeNoPasskeys,
		"passkeys need the server to be reached by a name, not an address (UNHIDRA_PUBLIC_URL)")
}

// PasskeysReady refuses where there are no passkeys.
func (f *Factors) PasskeysReady() error {
	if f.Passkeys == nil {
		return errNoPasskeys()
	}
	return nil
}

func (f *Factors) party(ctx context.Context, u domain.User) (passkey.User, error) {
	keys, err := f.Store.Passkeys(ctx, u.ID)
	if err != nil {
		return passkey.User{}, err
	}
	v := passkey.User{ID: u.ID, Name: u.Username, DisplayName: u.DisplayName}
	for _, k := range keys {
		var c passkey.Credential
		if err := json.Unmarshal(k.Credential, &c); err != nil {
			return v, err
		}
		v.Credentials = append(v.Credentials, c)
	}
	return v, nil
}

// holder is the caller, with their passkeys.
func (f *Factors) holder(ctx context.Context, p domain.Principal) (domain.User, passkey.User, error) {
	u, err := f.Me(ctx, p)
	if err != nil {
		return u, passkey.User{}, err
	}
	v, err := f.party(ctx, u)
	return u, v, err
}

// ask keeps a ceremony until it is answered, once.
func (f *Factors) ask(ctx context.Context, u domain.User, v passkey.Ceremony, err error) (Ceremony, error) {
	if err != nil {
		return Ceremony{}, err
	}
	secret := token.Secret()
	k := domain.Ticket{Kind: domain.PasskeyTicket, User: u.ID, Epoch: u.Epoch, Data: string(v.State),
		Expires: f.Report.Now().Add(passkey.Life)}
	return Ceremony{secret, v.Options}, f.Store.CreateTicket(ctx, f.Keys.Hash(secret), k, f.Report.Now())
}

// BeginPasskey begins to add a passkey to the caller's account.
func (f *Factors) BeginPasskey(ctx context.Context, p domain.Principal) (Ceremony, error) {
	if f.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	if err := f.Fresh(ctx, p); err != nil {
		return Ceremony{}, err
	}
	u, v, err := f.holder(ctx, p)
	if err != nil {
		return Ceremony{}, err
	}
	c, err := f.Passkeys.BeginRegistration(v, f.Report.Now())
	return f.ask(ctx, u, c, err)
}

// AddPasskey ends it with what the browser made. Whoever had no second factor
// before gets recovery codes.
func (f *Factors) AddPasskey(
	ctx context.Context, p domain.Principal, ticket, name string, response []byte, c report.Client,
) (codes []string, u domain.User, err error) {
	if f.Passkeys == nil {
		return nil, u, errNoPasskeys()
	}
	if name, err = names.Check("/name", name, domain.MaxDisplayName, true); err != nil {
		return nil, u, err
	}
	k, err := f.useTicket(ctx, p, ticket)
	if err != nil {
		return nil, u, err
	}
	u, v, err := f.holder(ctx, p)
	if err != nil {
		return nil, u, err
	}
	cred, err := f.Passkeys.FinishRegistration(v, []byte(k.Data), response, f.Report.Now())
	if err != nil {
		return nil, u, err
	}
	has, err := f.Store.Factors(ctx, u.ID)
	if err != nil {
		return nil, u, err
	}
	var hashes [][]byte
	if !has.Any() {
		codes, hashes = f.newCodes(u.ID)
	}
	b, err := json.Marshal(cred)
	if err != nil {
		return nil, u, err
	}
	if err := f.Store.AddPasskey(ctx, domain.Passkey{ID: cred.ID, User: u.ID, Name: name, Credential: b}, k.Epoch, hashes,
		f.Report.Now()); err != nil {
		return nil, u, err
	}
	_, err = f.changed(ctx, p, c, domain.AuditPasskeyAdd, domain.MailSecondFactorAdded,
		"the passkey “"+name+"”")
	return codes, u, err
}

// useTicket ends a ceremony that the caller has begun.
func (f *Factors) useTicket(ctx context.Context, p domain.Principal, ticket string) (domain.Ticket, error) {
	k, err := f.Store.UseTicket(ctx, f.Keys.Hash(ticket), domain.PasskeyTicket, f.Report.Now())
	if err == nil && k.User != p.ID {
		err = errFlow()
	}
	return k, err
}

// Challenge returns what the caller was asked by the ceremony of a ticket, which ends.
func (f *Factors) Challenge(ctx context.Context, p domain.Principal, ticket string) (string, error) {
	k, err := f.useTicket(ctx, p, ticket)
	return k.Data, err
}

// RenamePasskey gives a passkey of the caller's another name.
func (f *Factors) RenamePasskey(ctx context.Context, p domain.Principal, id, name string) error {
	name, err := names.Check("/name", name, domain.MaxDisplayName, true)
	if err != nil {
		return err
	}
	return f.Store.RenamePasskey(ctx, p.ID, id, name)
}

// RemovePasskey takes a passkey of the caller's away.
func (f *Factors) RemovePasskey(ctx context.Context, p domain.Principal, id string, c report.Client) error {
	if err := f.Fresh(ctx, p); err != nil {
		return err
	}
	if err := f.Store.DeletePasskey(ctx, p.ID, id); err != nil {
		return err
	}
	_, err := f.changed(ctx, p, c, domain.AuditPasskeyRemove, domain.MailSecondFactorRemoved, "a passkey")
	return err
}

// BeginPasskeySignIn begins a sign-in with nothing but a passkey: nobody has said
// who they are yet.
func (f *Factors) BeginPasskeySignIn(ctx context.Context) (Ceremony, error) {
	v, err := f.Passkeys.BeginSignIn(f.Report.Now())
	return f.ask(ctx, domain.User{}, v, err)
}

// FinishPasskeySignIn ends it, and returns who signs in, with what that uses up.
func (f *Factors) FinishPasskeySignIn(
	ctx context.Context, ticket string, response []byte, c report.Client,
) (u domain.User, proof domain.Proof, err error) {
	if f.Passkeys == nil {
		return u, proof, errNoPasskeys()
	}
	k, err := f.Store.UseTicket(ctx, f.Keys.Hash(ticket), domain.PasskeyTicket, f.Report.Now())
	if err != nil || k.User != "" {
		return u, proof, errFlow()
	}
	_, use, err := f.Passkeys.FinishSignIn([]byte(k.Data), response, func(id string) (passkey.User, error) {
		var err error
		if u, err = f.User(ctx, id); err != nil {
			return passkey.User{}, err
		}
		return f.party(ctx, u)
	}, f.Report.Now())
	if err == nil && u.GuestEnded(f.Report.Now()) {
		err = domain.ErrGuestEnded(u.GuestUntil)
	} else if err == nil && (u.Disabled || u.Pending) {
		err = domain.Unauthorized.Errorf(domain.CodeWrongPasskey, "no account here uses this passkey")
	}
	if err != nil {
		f.Report.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Outcome: domain.AuditFailure,
			Reason: string(domain.CodeOf(err)), Method: "passkey"})
		return u, proof, err
	}
	proof, err = f.proofOf(ctx, u, use)
	return u, proof, err
}

// BeginPasskeyFactor asks u for a passkey as the second factor of a sign-in.
func (f *Factors) BeginPasskeyFactor(ctx context.Context, u domain.User) (passkey.Ceremony, error) {
	v, err := f.party(ctx, u)
	if err != nil {
		return passkey.Ceremony{}, err
	}
	if len(v.Credentials) == 0 {
		return passkey.Ceremony{}, domain.Conflict.Errorf(domain.CodeNoPasskey,
			"this account has no passkey; use another way")
	}
	return f.Passkeys.BeginSecond(v, f.Report.Now())
}

// BeginPasskeyStepUp asks somebody who is signed in for a passkey.
func (f *Factors) BeginPasskeyStepUp(ctx context.Context, p domain.Principal) (Ceremony, error) {
	if f.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	u, v, err := f.holder(ctx, p)
	if err != nil {
		return Ceremony{}, err
	}
	if len(v.Credentials) == 0 {
		return Ceremony{}, domain.Conflict.Errorf(domain.CodeNoPasskey, "this account has no passkey")
	}
	c, err := f.Passkeys.BeginSecond(v, f.Report.Now())
	return f.ask(ctx, u, c, err)
}

// tryPasskey returns what an answer to challenge proves about u.
func (f *Factors) tryPasskey(ctx context.Context, u domain.User, response []byte, challenge string) (Shown, error) {
	shown := Shown{Method: "passkey"}
	if f.Passkeys == nil {
		return shown, errNoPasskeys()
	}
	v, err := f.party(ctx, u)
	if err != nil {
		return shown, err
	}
	use, err := f.Passkeys.FinishSecond(v, []byte(challenge), response, f.Report.Now())
	if kind := domain.KindOf(err); err != nil &&
		(kind == domain.Invalid || kind == domain.Unauthorized || kind == domain.Forbidden) {
		return shown, nil
	}
	if err == nil {
		shown.Proof, err = f.proofOf(ctx, u, use)
	}
	shown.AMR = []string{domain.AMRPasskey}
	if use.Verified {
		shown.AMR = append(shown.AMR, domain.AMRSecondFactor)
	}
	return shown, err
}

// proofOf is what the use of a passkey changes: its counter.
func (f *Factors) proofOf(ctx context.Context, u domain.User, use passkey.Use) (domain.Proof, error) {
	if use.Suspect {
		f.Report.Log.WarnContext(ctx, "the counter of a passkey went back: there may be a copy of it",
			"user", u.ID, "passkey",
			use.Credential.ID)
	}
	b, err := json.Marshal(use.Credential)
	return domain.Proof{Passkey: &domain.Passkey{ID: use.Credential.ID, User: u.ID, Credential: b}}, err
}
