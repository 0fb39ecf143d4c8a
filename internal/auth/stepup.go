package auth

import (
	"context"
	"slices"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/bus"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
)

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
	amr := []string{domain.AMRPassword}
	has, err := s.FactorsOf(ctx, u.ID)
	if err != nil {
		return Signed{}, err
	}
	if !has.Any() {
		return s.renew(ctx, p, u, shown{}, amr, c)
	}
	if a.Code == "" {
		return Signed{}, domain.Forbidden.Errorf(domain.CodeSecondFactor, "a code is needed as well")
	}
	v, err := s.reserveFactor(ctx, u, a, "", c)
	if err != nil {
		return Signed{}, err
	}
	return s.renew(ctx, p, u, v, append(amr, v.AMR...), c)
}

func (s *Service) stepUpByPasskey(
	ctx context.Context, p domain.Principal, u domain.User, pass string, a Answer, ticket string, c Client,
) (Signed, error) {
	challenge, err := s.Challenge(ctx, p, ticket)
	if err != nil {
		return Signed{}, err
	}
	v, err := s.reserveFactor(ctx, u, a, challenge, c)
	if err != nil {
		return Signed{}, err
	}
	if slices.Contains(v.AMR, domain.AMRSecondFactor) {
		return s.renew(ctx, p, u, v, v.AMR, c)
	}
	if pass == "" {
		err = domain.Forbidden.Errorf(domain.CodePasswordNeeded,
			"this passkey asked for no PIN or fingerprint; type your passphrase, then use it again")
	} else {
		err = s.confirmPassword(ctx, u, pass, c)
	}
	if err != nil {
		s.lockout.GiveBack(ctx, v.Proof)
		return Signed{}, err
	}
	return s.renew(ctx, p, u, v, []string{domain.AMRPassword, domain.AMRPasskey, domain.AMRSecondFactor}, c)
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
	ctx context.Context, p domain.Principal, u domain.User, v shown, amr []string, c Client,
) (Signed, error) {
	session, refresh, err := s.Renew(ctx, p, u, v.Proof, amr, c)
	if err := s.settle(ctx, u, v, err, c); err != nil {
		return Signed{}, err
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditStepUp, User: u, Session: session.ID, Method: amr[0], Factors: amr})
	s.Revoke(ctx, bus.Revocation{User: u.ID, Session: p.SessionID, Reason: bus.Renewed})
	return s.sign(u, session, refresh)
}
