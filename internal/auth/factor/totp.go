package factor

import (
	"context"
	"time"

	"github.com/unhidra/unhidra/internal/auth/report"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/totp"
)

const trialLife = 10 * time.Minute

func (f *Factors) tryTOTP(ctx context.Context, u domain.User, code string) (Shown, error) {
	wrong := Shown{Method: "totp"}
	v, err := f.Store.TOTP(ctx, u.ID)
	if domain.KindOf(err) == domain.NotFound || err == nil && v.Confirmed.IsZero() {
		return wrong, nil
	}
	if err != nil {
		return wrong, err
	}
	step, ok, err := f.checkCode(v, code)
	if err != nil || !ok {
		return wrong, err
	}
	return Shown{
		Method: "totp", AMR: []string{domain.AMROTP, domain.AMRSecondFactor}, Proof: domain.Proof{TOTPStep: step},
	}, nil
}

func (f *Factors) checkCode(v domain.TOTP, code string) (step int64, ok bool, err error) {
	seed, _, err := f.seeds.Open(v.User, string(v.Seed))
	if err != nil {
		return 0, false, err
	}
	step, ok = totp.Check(seed, code, f.Report.Now(), 0)
	return step, ok, nil
}

func (f *Factors) tryRecovery(ctx context.Context, u domain.User, code string) (Shown, error) {
	wrong := Shown{Method: "recovery"}
	hash, ok := totp.HashCode(f.Keys.Derive("recovery-codes"), u.ID, code)
	if !ok {
		return wrong, nil
	}
	has, err := f.Store.Factors(ctx, u.ID)
	if err != nil {
		return wrong, err
	}
	return Shown{
		Method: "recovery", AMR: []string{domain.AMRRecovery, domain.AMRSecondFactor}, Proof: domain.Proof{Recovery: hash},
		Left: has.RecoveryCodes - 1,
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
func (f *Factors) EnrolTOTP(ctx context.Context, p domain.Principal) (Enrolment, error) {
	if err := f.Fresh(ctx, p); err != nil {
		return Enrolment{}, err
	}
	u, err := f.Me(ctx, p)
	if err != nil {
		return Enrolment{}, err
	}
	seed := totp.NewSecret()
	err = f.Store.TryTOTP(ctx, domain.TOTP{User: u.ID, Seed: []byte(f.seeds.Seal(u.ID, seed)),
		Expires: f.Report.Now().Add(trialLife)})
	if err != nil {
		return Enrolment{}, err
	}
	e := Enrolment{Secret: totp.Text(seed), URI: totp.URI(f.Name, u.Username, seed)}
	e.Picture, err = totp.Draw(e.URI)
	return e, err
}

// ConfirmTOTP ends adding an app with a code of it. It returns the recovery codes, which
// are shown this once.
func (f *Factors) ConfirmTOTP(
	ctx context.Context, p domain.Principal, code string, c report.Client,
) (codes []string, u domain.User, err error) {
	if err := f.Fresh(ctx, p); err != nil {
		return nil, u, err
	}
	v, err := f.Store.TOTP(ctx, p.ID)
	if err != nil {
		return nil, u, err
	}
	step, ok, err := f.checkCode(v, code)
	if err != nil {
		return nil, u, err
	}
	if !ok {
		return nil, u, domain.InvalidField("/code", "this code is wrong; check that the clock of your device is right")
	}
	codes, hashes := f.newCodes(p.ID)
	if err := f.Store.ConfirmTOTP(ctx, p.ID, step, hashes, f.Report.Now()); err != nil {
		return nil, u, err
	}
	u, err = f.changed(ctx, p, c, domain.AuditTOTPEnroll, domain.MailSecondFactorAdded, "an authenticator app")
	return codes, u, err
}

func (f *Factors) newCodes(user string) (codes []string, hashes [][]byte) {
	codes = totp.NewCodes()
	for _, code := range codes {
		hash, _ := totp.HashCode(f.Keys.Derive("recovery-codes"), user, code)
		hashes = append(hashes, hash)
	}
	return codes, hashes
}

// RemoveTOTP takes the authenticator app away.
func (f *Factors) RemoveTOTP(ctx context.Context, p domain.Principal, c report.Client) error {
	if err := f.Fresh(ctx, p); err != nil {
		return err
	}
	if err := f.Store.DeleteTOTP(ctx, p.ID); err != nil {
		return err
	}
	_, err := f.changed(ctx, p, c, domain.AuditTOTPDisable, domain.MailSecondFactorRemoved, "an authenticator app")
	return err
}

// NewRecoveryCodes gives the user codes in place of those they have.
func (f *Factors) NewRecoveryCodes(ctx context.Context, p domain.Principal, c report.Client) ([]string, error) {
	if err := f.Fresh(ctx, p); err != nil {
		return nil, err
	}
	has, err := f.Store.Factors(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	if !has.Any() {
		return nil, domain.Conflict.Errorf(domain.CodeNoFactor,
			"recovery codes stand in for a second factor; add one first")
	}
	codes, hashes := f.newCodes(p.ID)
	if err := f.Store.ReplaceRecoveryCodes(ctx, p.ID, hashes, f.Report.Now()); err != nil {
		return nil, err
	}
	_, err = f.changed(ctx, p, c, domain.AuditRecoveryGenerate, domain.MailSecondFactorAdded,
		"a new set of recovery codes")
	return codes, err
}
