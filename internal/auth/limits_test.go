package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestRefusedFormsCostNothing(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.join(t, "ann")
		d := f.Deps
		d.RegisterPerHour = 2
		var err error
		if f.Service, err = New(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		register := func(r Registration) error {
			t.Helper()
			_, err := f.Register(ctx, r, here)
			return err
		}
		refusedForms := func() {
			t.Helper()
			for range 2 {
				refused(t, register(Registration{Username: "ann", Password: passphrase}), domain.CodeNameTaken)
				if err := register(Registration{Username: "bob", Password: "short"}); domain.KindOf(err) != domain.Invalid {
					t.Error(err)
				}
			}
		}
		refusedForms()
		for _, name := range []string{"bob", "cleo"} {
			if err := register(Registration{Username: name, Password: passphrase}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused(t, register(Registration{Username: "dora", Password: passphrase}), domain.CodeTooManyAttempts)

		// An invitation opens the way, also while the rest is closed.
		f.Service.rules.Store(&Rules{Registration: RegisterClosed})
		i := domain.SignupInvite{ID: "sgn_1", CreatedBy: "usr_1", CreatedAt: f.clock, Expires: f.clock.Add(time.Hour),
			MaxUses: 1}
		if err := f.db.Accounts.CreateSignupInvite(ctx, i, f.Keys.Hash("code")); err != nil {
			t.Fatal(err)
		}
		refused(t, register(Registration{Username: "dora", Password: passphrase}), domain.CodeRegistrationClosed)
		refused(t, register(Registration{Username: "dora", Password: passphrase, Invite: "guess"}),
			domain.CodeInviteEnded)
		if err := register(Registration{Username: "dora", Password: passphrase, Invite: "code"}); err != nil {
			t.Error(err)
		}
	})
}

func TestMailsToAddressesOfStrangersAreFew(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		// By one user, to many addresses.
		f.mailUser(t, "ann")
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		f.mailed(t)
		for i := range 20 {
			err = f.ChangeEmail(ctx, f.who(t, s), fmt.Sprintf("stranger%d@example.org", i), here)
		}
		refused(t, err, domain.CodeTooManyAttempts)
		if n := len(f.mailed(t)); n > 5 {
			t.Errorf("one user sent %d mails", n)
		}
		// To one address, by many registrations.
		for i := range 20 {
			if _, err := f.Register(ctx, Registration{Username: fmt.Sprintf("eve%d", i), Email: "bob@example.org",
				Password: passphrase}, here); err != nil {
				t.Fatal(err)
			}
			f.finish(t)
		}
		if n := len(f.mailed(t)); n > 5 {
			t.Errorf("one address got %d mails", n)
		}
	})
}

func TestStepUpsOfOneUserAreLimited(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.join(t, "ann")
		var err error
		for range 11 {
			var next Signed
			if next, err = f.StepUp(t.Context(), f.who(t, s), passphrase, Answer{}, "", here); err == nil {
				s = next
			}
		}
		refused(t, err, domain.CodeTooManyAttempts)
	})
}
