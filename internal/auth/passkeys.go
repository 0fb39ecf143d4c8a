package auth

import (
	"context"
	"encoding/json"

	"github.com/unhidra/unhidra/internal/auth/lockout"
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

func (s *Service) party(ctx context.Context, u domain.User) (passkey.User, error) {
	keys, err := s.Store.Passkeys(ctx, u.ID)
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
func (s *Service) holder(ctx context.Context, p domain.Principal) (domain.User, passkey.User, error) {
	u, err := s.me(ctx, p)
	if err != nil {
		return u, passkey.User{}, err
	}
	v, err := s.party(ctx, u)
	return u, v, err
}

// ask keeps a ceremony until it is answered, once.
func (s *Service) ask(ctx context.Context, u domain.User, v passkey.Ceremony, err error) (Ceremony, error) {
	if err != nil {
		return Ceremony{}, err
	}
	secret := token.Secret()
	k := domain.Ticket{Kind: domain.PasskeyTicket, User: u.ID, Epoch: u.Epoch, Data: string(v.State),
		Expires: s.Now().Add(passkey.Life)}
	return Ceremony{secret, v.Options}, s.Store.CreateTicket(ctx, s.Keys.Hash(secret), k, s.Now())
}

// BeginPasskey begins to add a passkey to the caller's account.
func (s *Service) BeginPasskey(ctx context.Context, p domain.Principal) (Ceremony, error) {
	if s.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	if err := s.Fresh(ctx, p); err != nil {
		return Ceremony{}, err
	}
	u, v, err := s.holder(ctx, p)
	if err != nil {
		return Ceremony{}, err
	}
	c, err := s.Passkeys.BeginRegistration(v, s.Now())
	return s.ask(ctx, u, c, err)
}

// AddPasskey ends it with what the browser made. Whoever had no second factor
// before gets recovery codes, and new tokens, whose session has shown two.
func (s *Service) AddPasskey(
	ctx context.Context, p domain.Principal, ticket, name string, response []byte, c Client,
) (codes []string, signed Signed, err error) {
	if s.Passkeys == nil {
		return nil, signed, errNoPasskeys()
	}
	if name, err = names.Check("/name", name, domain.MaxDisplayName, true); err != nil {
		return nil, signed, err
	}
	k, err := s.Store.UseTicket(ctx, s.Keys.Hash(ticket), domain.PasskeyTicket, s.Now())
	if err != nil {
		return nil, signed, err
	}
	if k.User != p.ID {
		return nil, signed, errFlow()
	}
	u, v, err := s.holder(ctx, p)
	if err != nil {
		return nil, signed, err
	}
	cred, err := s.Passkeys.FinishRegistration(v, []byte(k.Data), response, s.Now())
	if err != nil {
		return nil, signed, err
	}
	has, err := s.Store.Factors(ctx, u.ID)
	if err != nil {
		return nil, signed, err
	}
	var hashes [][]byte
	if !has.Any() {
		codes, hashes = s.newCodes(u.ID)
	}
	b, err := json.Marshal(cred)
	if err != nil {
		return nil, signed, err
	}
	if err := s.Store.AddPasskey(ctx, domain.Passkey{ID: cred.ID, User: u.ID, Name: name, Credential: b}, k.Epoch, hashes,
		s.Now()); err != nil {
		return nil, signed, err
	}
	if _, err := s.factorChanged(ctx, p, c, domain.AuditPasskeyAdd, domain.MailSecondFactorAdded,
		"the passkey “"+name+"”"); err != nil {
		return nil, signed, err
	}
	signed, err = s.renew(ctx, p, u, factor{}, []string{amrKey, amrMFA}, c)
	return codes, signed, err
}

func errFlow() error {
	return domain.Unauthorized.Errorf(domain.CodeFlowEnded,
		"this took too long, or was started by someone else; start again")
}

// RemovePasskey takes a passkey of the caller's away.
func (s *Service) RemovePasskey(ctx context.Context, p domain.Principal, id string, c Client) error {
	if err := s.Fresh(ctx, p); err != nil {
		return err
	}
	if err := s.Store.DeletePasskey(ctx, p.ID, id); err != nil {
		return err
	}
	_, err := s.factorChanged(ctx, p, c, domain.AuditPasskeyRemove, domain.MailSecondFactorRemoved, "a passkey")
	return err
}

// BeginPasskeySignIn begins a sign-in with nothing but a passkey: nobody has said
// who they are yet.
func (s *Service) BeginPasskeySignIn(ctx context.Context, c Client) (Ceremony, error) {
	if s.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	if err := s.lockout.Within(ctx, s.logins, "login", c); err != nil {
		return Ceremony{}, err
	}
	v, err := s.Passkeys.BeginSignIn(s.Now())
	return s.ask(ctx, domain.User{}, v, err)
}

// PasskeySignIn ends it. A passkey whose authenticator has verified its user is
// two factors; no password is asked for, and no lock of the name counts.
func (s *Service) PasskeySignIn(ctx context.Context, ticket string, response []byte, c Client) (Signed, error) {
	if s.Passkeys == nil {
		return Signed{}, errNoPasskeys()
	}
	k, err := s.Store.UseTicket(ctx, s.Keys.Hash(ticket), domain.PasskeyTicket, s.Now())
	if err != nil || k.User != "" {
		return Signed{}, errFlow()
	}
	var u domain.User
	_, use, err := s.Passkeys.FinishSignIn([]byte(k.Data), response, func(id string) (passkey.User, error) {
		var err error
		if u, err = s.user(ctx, id); err != nil {
			return passkey.User{}, err
		}
		return s.party(ctx, u)
	}, s.Now())
	if err == nil && (u.Disabled || u.Pending) {
		err = domain.Unauthorized.Errorf(domain.CodeWrongPasskey, "no account here uses this passkey")
	}
	if err != nil {
		s.Record(ctx, c, report.Event{Kind: domain.AuditLogin, User: u, Outcome: domain.AuditFailure,
			Reason: string(domain.CodeOf(err)), Method: "passkey"})
		return Signed{}, err
	}
	proof, err := s.proofOf(u, use)
	if err != nil {
		return Signed{}, err
	}
	return s.complete(ctx, u, lockout.Attempt{Proof: proof}, []string{amrKey, amrMFA}, c)
}

// BeginPasskeyFactor asks for a passkey as the second factor of a sign-in.
func (s *Service) BeginPasskeyFactor(ctx context.Context, ticket string) (Ceremony, error) {
	if s.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	hash := s.Keys.Hash(ticket)
	user, err := s.Store.FlowUser(ctx, hash, SecondFactor, ticketTries, s.Now())
	if err != nil {
		return Ceremony{}, err
	}
	u, err := s.user(ctx, user)
	if err != nil {
		return Ceremony{}, err
	}
	v, err := s.party(ctx, u)
	if err != nil {
		return Ceremony{}, err
	}
	if len(v.Credentials) == 0 {
		return Ceremony{}, domain.Conflict.Errorf(domain.CodeNoPasskey, "this account has no passkey; use another way")
	}
	c, err := s.Passkeys.BeginSecond(v, s.Now())
	if err != nil {
		return Ceremony{}, err
	}
	return Ceremony{ticket, c.Options}, s.Store.ChallengeFlow(ctx, hash, SecondFactor, ticketTries, string(c.State),
		s.Now())
}

// BeginPasskeyStepUp asks somebody who is signed in for a passkey.
func (s *Service) BeginPasskeyStepUp(ctx context.Context, p domain.Principal) (Ceremony, error) {
	if s.Passkeys == nil {
		return Ceremony{}, errNoPasskeys()
	}
	u, v, err := s.holder(ctx, p)
	if err != nil {
		return Ceremony{}, err
	}
	if len(v.Credentials) == 0 {
		return Ceremony{}, domain.Conflict.Errorf(domain.CodeNoPasskey, "this account has no passkey")
	}
	c, err := s.Passkeys.BeginSecond(v, s.Now())
	return s.ask(ctx, u, c, err)
}

// tryPasskey returns what an answer to challenge proves about u.
func (s *Service) tryPasskey(ctx context.Context, u domain.User, response []byte, challenge string) (factor, error) {
	shown := factor{method: "passkey"}
	if s.Passkeys == nil {
		return shown, errNoPasskeys()
	}
	v, err := s.party(ctx, u)
	if err != nil {
		return shown, err
	}
	use, err := s.Passkeys.FinishSecond(v, []byte(challenge), response, s.Now())
	if kind := domain.KindOf(err); err != nil &&
		(kind == domain.Invalid || kind == domain.Unauthorized || kind == domain.Forbidden) {
		return shown, nil
	}
	if err == nil {
		shown.proof, err = s.proofOf(u, use)
	}
	shown.amr = []string{amrKey}
	if use.Verified {
		shown.amr = append(shown.amr, amrMFA)
	}
	return shown, err
}

// proofOf is what the use of a passkey changes: its counter.
func (s *Service) proofOf(u domain.User, use passkey.Use) (domain.Proof, error) {
	if use.Suspect {
		s.Log.Warn("the counter of a passkey went back: there may be a copy of it", "user", u.ID, "passkey",
			use.Credential.ID)
	}
	b, err := json.Marshal(use.Credential)
	return domain.Proof{Passkey: &domain.Passkey{ID: use.Credential.ID, User: u.ID, Credential: b}}, err
}
