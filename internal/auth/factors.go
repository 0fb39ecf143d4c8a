package auth

import (
	"context"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/totp"
)

const (
	ticketTries = 5 // answers to one question for a second factor
	trialLife   = 10 * time.Minute
)

// Answer is what somebody shows for a second factor: one of these.
type Answer struct {
	Code     string // of an authenticator app, or a recovery code
	Passkey  []byte // the browser's answer, JSON
	Remember bool   // do not ask this browser again for a while
}

// factor is an answer for a second factor that was counted as a failure before it was
// looked at, and what it proves.
type factor struct {
	method   string
	amr      []string        // nil: nothing, it is wrong
	proof    domain.Proof    // what acting on it uses up
	reserved domain.Reserved // with the attempt
	left     int             // recovery codes, after this one
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
	shown, err := s.checkFactor(ctx, u, a, f.Data, r, c)
	if err != nil {
		return Signed{}, err
	}
	f.AMR = append(f.AMR, shown.amr...)
	if !slices.Contains(f.AMR, amrMFA) {
		f.AMR = append(f.AMR, amrMFA)
	}
	signed, err := s.completeFlow(ctx, f, u, shown, c)
	if err == nil && a.Remember && !slices.Contains(shown.amr, amrRecovery) {
		signed.Remember, err = s.remember(ctx, u, c)
	}
	return signed, err
}

// reserveFactor counts an answer of somebody who is signed in before it is looked at.
func (s *Service) reserveFactor(
	ctx context.Context, u domain.User, a Answer, challenge string, c Client,
) (factor, error) {
	r, err := s.lockout.ReserveFactor(ctx, u.ID)
	if err != nil {
		return factor{}, err
	}
	return s.checkFactor(ctx, u, a, challenge, r, c)
}

// checkFactor finds out whether an answer is right that was counted already. What it
// proves is to be acted on, and then settled.
func (s *Service) checkFactor(
	ctx context.Context, u domain.User, a Answer, challenge string, r domain.Reserved, c Client,
) (factor, error) {
	counted, err := s.lockout.MayTryFactor(ctx, u, r, c)
	if err != nil {
		return factor{}, err
	}
	shown, err := s.tryFactor(ctx, u, a, challenge)
	if err != nil {
		return factor{}, err
	}
	shown.reserved, shown.proof.Attempts = r, counted.Attempts
	if shown.amr == nil {
		return factor{}, s.wrongFactor(ctx, u, shown, c)
	}
	return shown, nil
}

// wrongFactor records an answer that was wrong.
func (s *Service) wrongFactor(ctx context.Context, u domain.User, shown factor, c Client) error {
	s.Record(ctx, c, report.Event{Kind: domain.AuditMFA, User: u, Outcome: domain.AuditFailure, Reason: "wrong_code",
		Method: shown.method})
	if shown.reserved.Began {
		s.Record(ctx, c, report.Event{Kind: domain.AuditLock, User: u, Reason: "second_factor"})
	}
	return domain.Unauthorized.Errorf(domain.CodeWrongCode,
		"this code is wrong, already used or expired; try the next one")
}

// settle records what became of an answer that was right, by the error of the commit
// that used it up. A code that was used up before, or at the same moment, is a wrong one.
func (s *Service) settle(ctx context.Context, u domain.User, shown factor, err error, c Client) error {
	switch {
	case shown.method == "": // none was asked for
		return err
	case domain.CodeOf(err) == domain.CodeWrongCode:
		return s.wrongFactor(ctx, u, shown, c)
	case err != nil:
		s.lockout.GiveBack(ctx, shown.proof)
		return err
	}
	if shown.proof.Recovery != nil {
		s.Record(ctx, c, report.Event{Kind: domain.AuditRecoveryUse, User: u})
		s.Notify(u, domain.MailRecoveryCodeUsed, "", func(d *domain.MailData) { d.Left = shown.left })
	}
	s.Record(ctx, c, report.Event{Kind: domain.AuditMFA, User: u, Method: shown.method, Factors: shown.amr})
	return nil
}

// tryFactor returns what an answer proves.
func (s *Service) tryFactor(ctx context.Context, u domain.User, a Answer, challenge string) (factor, error) {
	switch {
	case a.Passkey != nil:
		return s.tryPasskey(ctx, u, a.Passkey, challenge)
	case totp.IsCode(a.Code):
		return s.tryRecovery(ctx, u, a.Code)
	}
	wrong := factor{method: "totp"}
	v, err := s.Store.TOTP(ctx, u.ID)
	if domain.KindOf(err) == domain.NotFound || err == nil && v.Confirmed.IsZero() {
		return wrong, nil
	}
	if err != nil {
		return wrong, err
	}
	step, ok, err := s.checkCode(v, a.Code)
	if err != nil || !ok {
		return wrong, err
	}
	return factor{method: "totp", amr: []string{amrOTP, amrMFA}, proof: domain.Proof{TOTPStep: step}}, nil
}

func (s *Service) checkCode(v domain.TOTP, code string) (step int64, ok bool, err error) {
	seed, _, err := s.seeds.Open(v.User, string(v.Seed))
	if err != nil {
		return 0, false, err
	}
	step, ok = totp.Check(seed, code, s.Now(), 0)
	return step, ok, nil
}

func (s *Service) tryRecovery(ctx context.Context, u domain.User, code string) (factor, error) {
	wrong := factor{method: "recovery"}
	hash, ok := totp.HashCode(s.Keys.Derive("recovery-codes"), u.ID, code)
	if !ok {
		return wrong, nil
	}
	has, err := s.Store.Factors(ctx, u.ID)
	if err != nil {
		return wrong, err
	}
	return factor{
		method: "recovery", amr: []string{amrRecovery, amrMFA}, proof: domain.Proof{Recovery: hash},
		left: has.RecoveryCodes - 1,
	}, nil
}

// Enrolment is what an authenticator app needs.
type Enrolment struct {
	Secret  string
	URI     string
	Picture totp.Picture
}

// EnrolTOTP begins to add an authenticator app. It counts once ConfirmTOTP has
// seen a code of it.
func (s *Service) EnrolTOTP(ctx context.Context, p domain.Principal) (Enrolment, error) {
	if err := s.Fresh(ctx, p); err != nil {
		return Enrolment{}, err
	}
	u, err := s.me(ctx, p)
	if err != nil {
		return Enrolment{}, err
	}
	seed := totp.NewSecret()
	err = s.Store.TryTOTP(ctx, domain.TOTP{User: u.ID, Seed: []byte(s.seeds.Seal(u.ID, seed)),
		Expires: s.Now().Add(trialLife)})
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Secret: totp.Text(seed), URI: totp.URI(s.Name, u.Username, seed)}
	e.Picture, err = totp.Draw(e.URI)
	return e, err
}

// ConfirmTOTP ends adding an app with a code of it. It returns the recovery
// codes, which are shown this once, and new tokens, whose session has shown two
// factors.
func (s *Service) ConfirmTOTP(
	ctx context.Context, p domain.Principal, code string, c Client,
) (codes []string, signed Signed, err error) {
	if err := s.Fresh(ctx, p); err != nil {
		return nil, Signed{}, err
	}
	v, err := s.Store.TOTP(ctx, p.ID)
	if err != nil {
		return nil, Signed{}, err
	}
	step, ok, err := s.checkCode(v, code)
	if err != nil {
		return nil, Signed{}, err
	}
	if !ok {
		return nil, Signed{}, domain.InvalidField("/code", "this code is wrong; check that the clock of your device is right")
	}
	codes, hashes := s.newCodes(p.ID)
	if err := s.Store.ConfirmTOTP(ctx, p.ID, step, hashes, s.Now()); err != nil {
		return nil, Signed{}, err
	}
	u, err := s.factorChanged(ctx, p, c, domain.AuditTOTPEnroll, domain.MailSecondFactorAdded, "an authenticator app")
	if err != nil {
		return nil, Signed{}, err
	}
	signed, err = s.renew(ctx, p, u, factor{}, []string{amrPassword, amrOTP, amrMFA}, c)
	return codes, signed, err
}

func (s *Service) newCodes(user string) (codes []string, hashes [][]byte) {
	codes = totp.NewCodes()
	for _, code := range codes {
		hash, _ := totp.HashCode(s.Keys.Derive("recovery-codes"), user, code)
		hashes = append(hashes, hash)
	}
	return codes, hashes
}

// factorChanged tells the user and the audit log.
func (s *Service) factorChanged(
	ctx context.Context, p domain.Principal, c Client, kind domain.AuditType, template domain.MailTemplate, factor string,
) (domain.User, error) {
	u, err := s.me(ctx, p)
	if err != nil {
		return u, err
	}
	s.Record(ctx, c, report.Event{Kind: kind, User: u, Session: p.SessionID})
	s.Notify(u, template, "", func(d *domain.MailData) { d.Factor = factor })
	return u, nil
}

// RemoveTOTP takes the authenticator app away.
func (s *Service) RemoveTOTP(ctx context.Context, p domain.Principal, c Client) error {
	if err := s.Fresh(ctx, p); err != nil {
		return err
	}
	if err := s.Store.DeleteTOTP(ctx, p.ID); err != nil {
		return err
	}
	_, err := s.factorChanged(ctx, p, c, domain.AuditTOTPDisable, domain.MailSecondFactorRemoved, "an authenticator app")
	return err
}

// NewRecoveryCodes gives the user codes in place of those they have.
func (s *Service) NewRecoveryCodes(ctx context.Context, p domain.Principal, c Client) ([]string, error) {
	if err := s.Fresh(ctx, p); err != nil {
		return nil, err
	}
	has, err := s.Store.Factors(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if !has.Any() {
		return nil, domain.Conflict.Errorf(domain.CodeNoFactor,
			"recovery codes stand in for a second factor; add one first")
	}
	codes, hashes := s.newCodes(p.ID)
	if err := s.Store.ReplaceRecoveryCodes(ctx, p.ID, hashes, s.Now()); err != nil {
		return nil, err
	}
	_, err = s.factorChanged(ctx, p, c, domain.AuditRecoveryGenerate, domain.MailSecondFactorAdded,
		"a new set of recovery codes")
	return codes, err
}
