package auth

import (
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/passkey/softkey"
)

// notStrong checks that what is dangerous is refused to a session that is seconds old.
func (f *fixture) notStrong(t *testing.T, p domain.Principal) {
	t.Helper()
	ctx := t.Context()
	refused(t, f.Fresh(ctx, p), domain.CodeStepUpRequired)
	refused(t, f.Delete(ctx, p, here), domain.CodeStepUpRequired)
	refused(t, f.RemoveTOTP(ctx, p, here), domain.CodeStepUpRequired)
	_, err := f.EnrolTOTP(ctx, p)
	refused(t, err, domain.CodeStepUpRequired)
	_, err = f.NewRecoveryCodes(ctx, p, here)
	refused(t, err, domain.CodeStepUpRequired)
	_, err = f.exported(ctx, p, here)
	refused(t, err, domain.CodeStepUpRequired)
	_, err = f.ChangePassword(ctx, p, passphrase, "another song, about snow", here)
	refused(t, err, domain.CodeStepUpRequired)
	f.Mail = f.mails
	refused(t, f.ChangeEmail(ctx, p, "thief@example.org", here), domain.CodeStepUpRequired)
	f.Mail = nil
}

func TestAProofCoversTheFactorsThatThereAreNow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		before := f.join(t, "ann")
		enrolling, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		p := f.who(t, before)
		if err := f.Fresh(ctx, p); err != nil {
			t.Fatal(err)
		}
		code, _, _ := f.enrol(t, enrolling)
		f.notStrong(t, p) // a session from before the factor

		browser := f.rememberedBrowser(t, code())
		s, err := f.SignIn(ctx, "ann", passphrase, browser)
		if err != nil || s.State != Complete {
			t.Fatal(s.State, err)
		}
		f.notStrong(t, f.who(t, s)) // a browser that was not asked
	})
}

func TestATouchAloneIsNoProof(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var err error
		f.Factors.Passkeys, err = passkey.New("Unhidra", "chat.example.org", []string{"https://chat.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		s := f.join(t, "ann")
		key := softkey.New("https://chat.example.org")
		key.Verified = false
		c, err := f.BeginPasskey(ctx, f.who(t, s))
		if err != nil {
			t.Fatal(err)
		}
		made, err := key.Make(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		if _, s, err = f.AddPasskey(ctx, f.who(t, s), c.Ticket, "key", made, here); err != nil {
			t.Fatal(err)
		}
		stepUp := func(pass string) (Signed, error) {
			t.Helper()
			c, err := f.BeginPasskeyStepUp(ctx, f.who(t, s))
			if err != nil {
				t.Fatal(err)
			}
			touched, err := key.Sign(c.Options)
			if err != nil {
				t.Fatal(err)
			}
			return f.StepUp(ctx, f.who(t, s), pass, Answer{Passkey: touched}, c.Ticket, here)
		}
		f.clock = f.clock.Add(factor.FreshFor + 1)
		_, err = stepUp("")
		refused(t, err, domain.CodePasswordNeeded)
		_, err = stepUp("a wrong guess")
		refused(t, err, domain.CodeWrongPassword)
		if s, err = stepUp(passphrase); err != nil {
			t.Fatal(err)
		}
		if err := f.Fresh(ctx, f.who(t, s)); err != nil {
			t.Error(err)
		}
	})
}

// Whoever lost the answer of a step-up goes on with the session that it has begun, which
// counts as proven no more than before: they may be somebody else.
func TestALostAnswerOfAStepUpIsGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		stepUp := func(s Signed) Signed {
			t.Helper()
			f.clock = f.clock.Add(factor.FreshFor + time.Second)
			next, err := f.StepUp(ctx, f.who(t, s), passphrase, Answer{}, "", here)
			if err != nil {
				t.Fatal(err)
			}
			return next
		}
		s := f.join(t, "ann")
		lost := stepUp(s)
		var again Signed
		for _, late := range []time.Duration{0, time.Second, time.Minute, time.Hour} {
			f.clock = f.clock.Add(late)
			var err error
			if again, err = f.Refresh(ctx, s.Refresh, here); err != nil || again.Refresh != lost.Refresh {
				t.Fatalf("after %v: another one (%v)", late, err)
			}
			refused(t, f.Fresh(ctx, f.who(t, again)), domain.CodeStepUpRequired)
		}
		next := stepUp(again)
		if err := f.Fresh(ctx, f.who(t, next)); err != nil {
			t.Error(err)
		}
		next, err := f.Refresh(ctx, next.Refresh, here)
		if err != nil {
			t.Fatal(err)
		}
		f.clock = f.clock.Add(time.Minute)
		_, err = f.Refresh(ctx, again.Refresh, here) // its successor was used: this one was stolen
		refused(t, err, domain.CodeSignedOut)
		_, err = f.Refresh(ctx, next.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
	})
}

// Another password is there to put out whoever has a token of the session.
func TestALostAnswerOfANewPasswordIsNotGivenAgain(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.join(t, "ann")
		next, err := f.ChangePassword(t.Context(), f.who(t, s), passphrase, "another song, about snow", here)
		if err != nil {
			t.Fatal(err)
		}
		f.clock = f.clock.Add(time.Minute)
		_, err = f.Refresh(t.Context(), s.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
		if _, err := f.Refresh(t.Context(), next.Refresh, here); err != nil {
			t.Error(err)
		}
	})
}
