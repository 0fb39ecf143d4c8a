package auth

import (
	"context"
	"slices"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
)

// Fresh refuses what is dangerous to somebody who proved who they are too long ago:
// the session may have been left open on a table. The proof must cover the factors
// that the account has now: neither a browser that was remembered nor a session from
// before a factor was added does. The error is step_up_required.
func (s *Service) Fresh(ctx context.Context, p domain.Principal) error {
	if s.Now().Sub(p.AuthTime) > freshFor {
		return domain.Forbidden.Errorf(domain.CodeStepUpRequired,
			"confirm it's you first: the last time was more than five minutes ago")
	}
	has, err := s.Store.Factors(ctx, p.ID)
	if err == nil && !strong(p, has) {
		err = domain.Forbidden.Errorf(domain.CodeStepUpRequired, "confirm it's you first, with your second factor")
	}
	return err
}

// StepUp proves anew who the caller is: by the password, and by the second factor
// if there is one; or by a passkey alone, which is both if it has verified its user
// (by a PIN or a fingerprint), and wants the password as well if not. The session goes on
// under another id, with new tokens.
func (s *Service) StepUp(
	ctx context.Context, p domain.Principal, pass string, a Answer, ticket string, c Client,
) (Signed, error) {
	u, err := s.me(ctx, p)
	if err != nil {
		return Signed{}, err
	}
	if a.Passkey != nil {
		return s.stepUpByPasskey(ctx, p, u, pass, a, ticket, c)
	}
	if err := s.confirmPassword(ctx, u, pass, c); err != nil {
		return Signed{}, err
	}
	amr := []string{amrPassword}
	has, err := s.Store.Factors(ctx, u.ID)
	if err != nil {
		return Signed{}, err
	}
	if !has.Any() {
		return s.renew(ctx, p, u, factor{}, amr, c)
	}
	if a.Code == "" {
		return Signed{}, domain.Forbidden.Errorf(domain.CodeSecondFactor, "a code is needed as well")
	}
	shown, err := s.reserveFactor(ctx, u, a, "", c)
	if err != nil {
		return Signed{}, err
	}
	return s.renew(ctx, p, u, shown, append(amr, shown.amr...), c)
}

func (s *Service) stepUpByPasskey(
	ctx context.Context, p domain.Principal, u domain.User, pass string, a Answer, ticket string, c Client,
) (Signed, error) {
	k, err := s.Store.UseTicket(ctx, s.Keys.Hash(ticket), domain.PasskeyTicket, s.Now())
	if err == nil && k.User != p.ID {
		err = errFlow()
	}
	if err != nil {
		return Signed{}, err
	}
	shown, err := s.reserveFactor(ctx, u, a, k.Data, c)
	if err != nil {
		return Signed{}, err
	}
	if slices.Contains(shown.amr, amrMFA) {
		return s.renew(ctx, p, u, shown, shown.amr, c)
	}
	if pass == "" {
		err = domain.Forbidden.Errorf(domain.CodePasswordNeeded,
			"this passkey asked for no PIN or fingerprint; type your passphrase, then use it again")
	} else {
		err = s.confirmPassword(ctx, u, pass, c)
	}
	if err != nil {
		s.lockout.GiveBack(ctx, shown.proof)
		return Signed{}, err
	}
	return s.renew(ctx, p, u, shown, []string{amrPassword, amrKey, amrMFA}, c)
}

// confirmPassword asks a signed-in user for their password, and counts failures
// as a sign-in does.
func (s *Service) confirmPassword(ctx context.Context, u domain.User, pass string, c Client) error {
	if len(pass) > password.MaxBytes {
		return errCredentials()
	}
	if ok, wait := s.checks.Allow(u.ID, s.Now()); !ok {
		return domain.RateLimited.Errorf(domain.CodeTooManyAttempts,
			"your password was asked for often just now; wait").After(wait)
	}
	_, g, err := s.checkPassword(ctx, u.Username, pass, c)
	if domain.CodeOf(err) == domain.CodeInvalidCredentials {
		err = domain.Forbidden.Errorf(domain.CodeWrongPassword, "wrong password")
	}
	if err != nil {
		return err
	}
	return s.lockout.Forgive(ctx, g.Proof)
}

// renew puts a new session in the place of p's, for what was shown.
func (s *Service) renew(
	ctx context.Context, p domain.Principal, u domain.User, shown factor, amr []string, c Client,
) (Signed, error) {
	session, refresh, err := s.Renew(ctx, p, u, shown.proof, amr, c)
	if err := s.settle(ctx, u, shown, err, c); err != nil {
		return Signed{}, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditStepUp, User: u, Session: session.ID, Method: amr[0], Factors: amr})
	s.Revoke(bus.Revocation{User: u.ID, Session: p.SessionID, Reason: bus.Renewed})
	return s.sign(u, session, refresh)
}

// strong reports whether p's session has shown all the factors that there are. An
// operator's token needs none: whoever makes it has access to the data.
func strong(p domain.Principal, has domain.Factors) bool {
	return !has.Any() || slices.Contains(p.AMR, amrMFA) || slices.Contains(p.AMR, amrOperator)
}
