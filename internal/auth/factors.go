package auth

import (
	"context"
	"net/url"
	"slices"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/token"
)

const ticketTries = 5 // answers to one question for a second factor

// Answer is what somebody shows for a second factor.
type Answer = factor.Answer

// shown is what an answer proves that was counted as a failure before it was looked at.
type shown struct {
	factor.Shown
	reserved domain.Reserved // with the attempt
}

// AnswerFactor goes on with a sign-in that asks for a second factor.
func (s *Service) AnswerFactor(ctx context.Context, ticket string, a Answer, c Client) (Signed, error) {
	f, r, err := s.Store.TryFlow(ctx, s.Keys.Hash(ticket), SecondFactor, ticketTries, s.lockout.FactorCounters, s.Now())
	if err != nil {
		return Signed{}, err
	}
	u, err := s.user(ctx, f.User)
	if err != nil {
		return Signed{}, err
	}
	v, err := s.checkFactor(ctx, u, a, f.Data, r, c)
	if err != nil {
		return Signed{}, err
	}
	f.AMR = append(f.AMR, v.AMR...)
	if !slices.Contains(f.AMR, domain.AMRSecondFactor) {
		f.AMR = append(f.AMR, domain.AMRSecondFactor)
	}
	signed, err := s.completeFlow(ctx, f, u, v, c)
	if err == nil && a.Remember && !slices.Contains(v.AMR, domain.AMRRecovery) {
		signed.Remember, err = s.Remember(ctx, u, c)
	}
	return signed, err
}

// reserveFactor counts an answer of somebody who is signed in before it is looked at.
func (s *Service) reserveFactor(
	ctx context.Context, u domain.User, a Answer, challenge string, c Client,
) (shown, error) {
	r, err := s.lockout.ReserveFactor(ctx, u.ID)
	if err != nil {
		return shown{}, err
	}
	return s.checkFactor(ctx, u, a, challenge, r, c)
}

// checkFactor finds out whether an answer is right that was counted already. What it
// proves is to be acted on, and then settled.
func (s *Service) checkFactor(
	ctx context.Context, u domain.User, a Answer, challenge string, r domain.Reserved, c Client,
) (shown, error) {
	counted, err := s.lockout.MayTryFactor(ctx, u, r, c)
	if err != nil {
		return shown{}, err
	}
	proven, err := s.Try(ctx, u, a, challenge)
	if err != nil {
		s.lockout.GiveBack(ctx, counted)
		return shown{}, err
	}
	proven.Proof.Attempts = counted.Attempts
	v := shown{proven, r}
	if v.AMR == nil {
		return shown{}, s.wrongFactor(ctx, u, v, c)
	}
	return v, nil
}

// wrongFactor records an answer that was wrong.
func (s *Service) wrongFactor(ctx context.Context, u domain.User, v shown, c Client) error {
	s.Record(ctx, c, report.Event{Kind: domain.AuditMFA, User: u, Outcome: domain.AuditFailure, Reason: "wrong_code",
		Method: v.Method})
	if v.reserved.Began {
		s.Record(ctx, c, report.Event{Kind: domain.AuditLock, User: u, Reason: "second_factor"})
	}
	return domain.Unauthorized.Errorf(domain.CodeWrongCode,
		"this code is wrong, already used or expired; try the next one")
}

// settle records what became of an answer that was right, by the error of the commit
// that used it up. A code that was used up before, or at the same moment, is a wrong one.
func (s *Service) settle(ctx context.Context, u domain.User, v shown, err error, c Client) error {
	switch {
	case v.Method == "": // none was asked for
		return err
	case domain.CodeOf(err) == domain.CodeWrongCode:
		return s.wrongFactor(ctx, u, v, c)
	case err != nil:
		s.lockout.GiveBack(ctx, v.Proof)
		return err
	}
	if v.Proof.Recovery != nil {
		s.Record(ctx, c, report.Event{Kind: domain.AuditRecoveryUse, User: u})
		s.Notify(ctx, u, domain.MailRecoveryCodeUsed, "", func(d *domain.MailData) { d.Left = v.Left })
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditMFA, User: u, Method: v.Method, Factors: v.AMR})
	return nil
}

// remembered completes the sign-in of a browser that need not be asked, and gives it
// another secret for the next time. It reports whether this is one.
func (s *Service) remembered(
	ctx context.Context, u domain.User, g lockout.Attempt, amr []string, c Client,
) (Signed, bool, error) {
	use, next, found := s.Remembered(u, c)
	if !found {
		return Signed{}, false, nil
	}
	session, refresh := s.Draft(u, append(slices.Clip(amr), domain.AMRRemembered), c), token.Secret()
	ok, fresh, err := s.Store.BeginRemembered(ctx, session, u.Epoch, s.Keys.Hash(refresh), g.Proof, use)
	if err != nil || !ok {
		return Signed{}, false, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditRememberUse, User: u})
	signed, err := s.signedIn(ctx, u, session, refresh, g, c)
	if fresh { // else another tab has the next secret
		signed.Remember = next
	}
	return signed, true, err
}

// ConfirmTOTP ends adding an app, as factor.Factors does. It returns the recovery codes, and
// new tokens, whose session has shown two factors.
func (s *Service) ConfirmTOTP(
	ctx context.Context, p domain.Principal, code string, c Client,
) (codes []string, signed Signed, err error) {
	codes, u, err := s.Factors.ConfirmTOTP(ctx, p, code, c)
	if err != nil {
		return nil, Signed{}, err
	}
	signed, err = s.renew(ctx, p, u, shown{},
		[]string{domain.AMRPassword, domain.AMROTP, domain.AMRSecondFactor}, c)
	return codes, signed, err
}

// AddPasskey ends adding a passkey, as factor.Factors does. It returns the recovery codes of
// whoever had no second factor before, and new tokens, whose session has shown two.
func (s *Service) AddPasskey(
	ctx context.Context, p domain.Principal, ticket, name string, response []byte, c Client,
) (codes []string, signed Signed, err error) {
	codes, u, err := s.Factors.AddPasskey(ctx, p, ticket, name, response, c)
	if err != nil {
		return nil, signed, err
	}
	signed, err = s.renew(ctx, p, u, shown{}, []string{domain.AMRPasskey, domain.AMRSecondFactor}, c)
	return codes, signed, err
}

// BeginPasskeySignIn begins a sign-in with nothing but a passkey: nobody has said
// who they are yet.
func (s *Service) BeginPasskeySignIn(ctx context.Context, c Client) (factor.Ceremony, error) {
	if err := s.PasskeysReady(); err != nil {
		return factor.Ceremony{}, err
	}
	if err := s.lockout.Within(ctx, s.logins, "login", c); err != nil {
		return factor.Ceremony{}, err
	}
	return s.Factors.BeginPasskeySignIn(ctx)
}

// PasskeySignIn ends it. A passkey whose authenticator has verified its user is
// two factors; no password is asked for, and no lock of the name counts.
func (s *Service) PasskeySignIn(ctx context.Context, ticket string, response []byte, c Client) (Signed, error) {
	u, proof, err := s.FinishPasskeySignIn(ctx, ticket, response, c)
	if err != nil {
		return Signed{}, err
	}
	return s.complete(ctx, u, lockout.Attempt{Proof: proof}, []string{domain.AMRPasskey, domain.AMRSecondFactor}, c)
}

// BeginPasskeyFactor asks for a passkey as the second factor of a sign-in.
func (s *Service) BeginPasskeyFactor(ctx context.Context, ticket string) (factor.Ceremony, error) {
	if err := s.PasskeysReady(); err != nil {
		return factor.Ceremony{}, err
	}
	hash := s.Keys.Hash(ticket)
	user, err := s.Store.FlowUser(ctx, hash, SecondFactor, ticketTries, s.Now())
	if err != nil {
		return factor.Ceremony{}, err
	}
	u, err := s.user(ctx, user)
	if err != nil {
		return factor.Ceremony{}, err
	}
	c, err := s.Factors.BeginPasskeyFactor(ctx, u)
	if err != nil {
		return factor.Ceremony{}, err
	}
	return factor.Ceremony{Ticket: ticket, Options: c.Options},
		s.Store.ChallengeFlow(ctx, hash, SecondFactor, ticketTries, string(c.State), s.Now())
}

// BeginProvider begins to sign in by a provider, as factor.Factors does.
func (s *Service) BeginProvider(
	ctx context.Context, id string, link domain.Principal, c Client,
) (location, secret string, err error) {
	if err := s.lockout.Within(ctx, s.logins, "login", c); err != nil {
		return "", "", err
	}
	return s.Factors.BeginProvider(ctx, id, link)
}

// FinishProvider goes on where the provider sent the browser back. The answer to whoever
// linked an account is complete, and without tokens: they are signed in as before.
func (s *Service) FinishProvider(ctx context.Context, secret string, back url.Values, c Client) (Signed, error) {
	u, linked, err := s.Factors.FinishProvider(ctx, secret, back, c)
	if err != nil {
		return Signed{}, err
	}
	if linked {
		return Signed{State: Complete}, nil
	}
	return s.proven(ctx, u, lockout.Attempt{}, []string{domain.AMRProvider}, c)
}
