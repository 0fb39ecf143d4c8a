package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/links"
	"github.com/unhidra/unhidra/internal/domain"
)

func TestCHK_RG_02_AnAddressIsProvenFirst(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		_, err := f.Register(ctx, Registration{Username: "ann", Password: passphrase}, here)
		if domain.KindOf(err) != domain.Invalid {
			t.Fatalf("without an address: %v", err)
		}
		s, err := f.Register(ctx, Registration{Username: "ann", Email: "Ann@Example.org", Password: passphrase}, here)
		if err != nil || s.State != verifyEmail || s.Access != "" {
			t.Fatal(s, err)
		}
		_, first := f.oneMail(t, domain.MailVerifyEmail)
		_, err = f.SignIn(ctx, "ann", passphrase, here)
		refused(t, err, domain.CodeEmailNotVerified)
		_, err = f.SignIn(ctx, "ann", "a wrong guess", here)
		refused(t, err, domain.CodeInvalidCredentials) // nobody else learns of it
		if err := f.ResendVerification(ctx, "ann@example.org", here); err != nil {
			t.Fatal(err)
		}
		_, second := f.oneMail(t, domain.MailVerifyEmail)
		_, err = f.VerifyEmail(ctx, first, here)
		refused(t, err, domain.CodeTicketEnded)
		if _, err := f.VerifyEmail(ctx, second, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.VerifyEmail(ctx, second, here)
		refused(t, err, domain.CodeTicketEnded) // CHK-RG-01
		if _, err := f.SignIn(ctx, "ANN@example.org", passphrase, here); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCHK_LG_02_ATakenAddressIsNobodysBusiness(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Mail = f.mails
		f.mailUser(t, "ann")
		s, err := f.Register(t.Context(), Registration{Username: "eve", Email: "ann@example.org", Password: passphrase}, here)
		if err != nil || s.State != verifyEmail {
			t.Fatal(s, err)
		}
		mail, secret := f.oneMail(t, domain.MailEmailTaken)
		if mail.To != "ann@example.org" || secret != "" {
			t.Errorf("%+v", mail)
		}
		if _, err := f.db.Accounts.UserByUsername(t.Context(), "eve"); domain.KindOf(err) != domain.NotFound {
			t.Error("eve has an account")
		}
	})
}

func TestCHK_RG_02_AccountsThatNobodyProvesGo(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Mail = f.mails
		if _, err := f.Register(t.Context(), Registration{Username: "ann", Email: "ann@example.org", Password: passphrase},
			here); err != nil {
			t.Fatal(err)
		}
		if err := f.db.Sessions.ForgetExpired(t.Context(), f.clock.Add(6*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.db.Accounts.UserByUsername(t.Context(), "ann"); err != nil {
			t.Fatal("gone too early", err)
		}
		if err := f.db.Sessions.ForgetExpired(t.Context(), f.clock.Add(8*24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.db.Accounts.UserByUsername(t.Context(), "ann"); domain.KindOf(err) != domain.NotFound {
			t.Fatal("still there", err)
		}
	})
}

func TestCHK_LG_03_ForgottenPassword(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		f.mailUser(t, "ann")
		before, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		f.mailed(t)
		// CHK-LG-03: the same answer for everybody.
		for _, login := range []string{"nobody", "ann@example.org"} {
			if err := f.ForgotPassword(ctx, login, here); err != nil {
				t.Fatal(err)
			}
		}
		_, secret := f.oneMail(t, domain.MailResetPassword)
		_, err = f.ResetPassword(ctx, secret, "short", here)
		if domain.KindOf(err) != domain.Invalid {
			t.Fatal(err) // and the link is still good
		}
		const other = "another song, about snow"
		d, err := f.ResetPassword(ctx, secret, other, here)
		if err != nil || d.Value == "" {
			t.Fatal(err)
		}
		f.oneMail(t, domain.MailPasswordChanged)
		_, err = f.ResetPassword(ctx, secret, other, here)
		refused(t, err, domain.CodeTicketEnded)
		_, err = f.Authenticate(ctx, before.Access)
		refused(t, err, domain.CodeSignedOut)
		_, err = f.SignIn(ctx, "ann", passphrase, here)
		refused(t, err, domain.CodeInvalidCredentials)
		if _, err := f.SignIn(ctx, "ann", other, here); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCHK_RG_06_ANewAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		f.mailUser(t, "ann")
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		p, err := f.Authenticate(ctx, s.Access)
		if err != nil {
			t.Fatal(err)
		}
		f.mailed(t)
		if err := f.ChangeEmail(ctx, p, "new@example.org", here); err != nil {
			t.Fatal(err)
		}
		mail, secret := f.oneMail(t, domain.MailConfirmEmail)
		if mail.To != "new@example.org" {
			t.Fatalf("%+v", mail)
		}
		u, err := f.ConfirmEmail(ctx, secret, here)
		if err != nil || u.Email != "new@example.org" {
			t.Fatal(u, err)
		}
		mail, undo := f.oneMail(t, domain.MailEmailChanged)
		if mail.To != "ann@example.org" {
			t.Fatalf("%+v", mail)
		}
		f.clock = f.clock.Add(71 * time.Hour)
		if u, err = f.UndoEmail(ctx, undo, here); err != nil || u.Email != "ann@example.org" {
			t.Fatal(u, err)
		}
		_, err = f.Refresh(ctx, s.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
		// Whoever made the change knew the password.
		_, err = f.SignIn(ctx, "ann", passphrase, here)
		refused(t, err, domain.CodeInvalidCredentials)
		mail, _ = f.oneMail(t, domain.MailResetPassword)
		if mail.To != "ann@example.org" {
			t.Fatalf("%+v", mail)
		}
	})
}

// moveTo changes the address of who is signed in, and returns the secret by which
// the change is undone.
func (f *fixture) moveTo(t *testing.T, s Signed, email string) (undo string) {
	t.Helper()
	f.mailed(t)
	if err := f.ChangeEmail(t.Context(), f.who(t, s), email, here); err != nil {
		t.Fatal(err)
	}
	_, secret := f.oneMail(t, domain.MailConfirmEmail)
	f.clock = f.clock.Add(time.Second)
	if _, err := f.ConfirmEmail(t.Context(), secret, here); err != nil {
		t.Fatal(err)
	}
	_, undo = f.oneMail(t, domain.MailEmailChanged)
	return undo
}

func TestEachEarlierAddressHasItsWayBack(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		f.mailUser(t, "ann")
		thief, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		first := f.moveTo(t, thief, "thief@example.org")
		second := f.moveTo(t, thief, "thief2@example.org")
		// Nobody else gets the address, and whoever waits for a proof blocks nothing.
		eve, err := f.Register(ctx, Registration{Username: "eve", Email: "ann@example.org", Password: passphrase}, here)
		if err != nil || eve.State != verifyEmail { // the same answer as ever
			t.Fatal(eve, err)
		}
		if sent := f.mailed(t); len(sent) != 0 {
			t.Errorf("%+v", sent)
		}
		if err := f.ChangeEmail(ctx, f.who(t, thief), "thief3@example.org", here); err != nil {
			t.Fatal(err)
		}
		_, begun := f.oneMail(t, domain.MailConfirmEmail)
		u, err := f.UndoEmail(ctx, first, here)
		if err != nil || u.Email != "ann@example.org" {
			t.Fatal(u, err)
		}
		_, err = f.UndoEmail(ctx, second, here)
		refused(t, err, domain.CodeTicketEnded)
		_, err = f.ConfirmEmail(ctx, begun, here)
		refused(t, err, domain.CodeTicketEnded)
		_, err = f.SignIn(ctx, "ann", passphrase, here)
		refused(t, err, domain.CodeInvalidCredentials)
	})
}

// What a thief has added to the account goes with the thief, and the owner hears of it.
func TestAnUndoneChangeTellsWhatItRemoved(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		f.mailUser(t, "ann")
		thief, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		undo := f.moveTo(t, thief, "thief@example.org")
		f.enrol(t, thief)
		f.mailed(t)
		u, err := f.UndoEmail(ctx, undo, here)
		if err != nil {
			t.Fatal(err)
		}
		sent := f.mailed(t)
		if len(sent) != 2 || sent[0].Template != domain.MailSecondFactorRemoved || sent[0].To != "ann@example.org" ||
			sent[0].Data.Factor != "what was added since the change of your address (an authenticator app, recovery codes)" {
			t.Fatalf("%+v", sent)
		}
		_, link, _ := strings.Cut(sent[1].Data.Link, "#token=")
		if _, err := f.ResetPassword(ctx, link, "another song, about snow", here); err != nil {
			t.Fatal(err)
		}
		if s, err := f.SignIn(ctx, u.Username, "another song, about snow", here); err != nil || s.State != Complete {
			t.Error(s, err)
		}
	})
}

func TestAnEarlierAddressIsKeptForThreeDays(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		f.mailUser(t, "ann")
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		f.moveTo(t, s, "new@example.org")
		bob := f.mailUser(t, "bob")
		take := func() error {
			secret, _, err := f.Link(ctx, domain.EmailTicket, bob, "ann@example.org", "/confirm-email", links.EmailLife)
			if err != nil {
				t.Fatal(err)
			}
			_, secret, _ = strings.Cut(secret, "#token=")
			_, err = f.ConfirmEmail(ctx, secret, here)
			return err
		}
		refused(t, take(), domain.CodeEmailTaken)
		f.clock = f.clock.Add(links.UndoLife + time.Second)
		if err := take(); err != nil {
			t.Error(err)
		}
	})
}

func TestAProofBelongsToOneRegistration(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		register := func(name, pass string) string {
			t.Helper()
			if _, err := f.Register(ctx, Registration{Username: name, Email: "ann@example.org", Password: pass},
				here); err != nil {
				t.Fatal(err)
			}
			mail, secret := f.oneMail(t, domain.MailVerifyEmail)
			if mail.Data.Username != name {
				t.Errorf("the mail is about %s, not %s", mail.Data.Username, name)
			}
			return secret
		}
		thiefs := register("eve", "a password of the thief")
		anns := register("ann", passphrase)
		_, err := f.VerifyEmail(ctx, thiefs, here)
		refused(t, err, domain.CodeTicketEnded)
		if u, err := f.VerifyEmail(ctx, anns, here); err != nil || u.Username != "ann" {
			t.Fatal(u, err)
		}
		for _, login := range []string{"eve", "ann@example.org", "ann"} {
			_, err := f.SignIn(ctx, login, "a password of the thief", here)
			refused(t, err, domain.CodeInvalidCredentials)
		}
		if _, err := f.SignIn(ctx, "ann@example.org", passphrase, here); err != nil {
			t.Error(err)
		}
	})
}

// An address that nobody can prove is nobody's: else whoever asks learns whose it is.
func TestWithoutMailNobodyHasAnAddress(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		err := f.db.Accounts.CreateUser(ctx, domain.User{ID: "usr_ann", Username: "ann", Email: "ann@example.org",
			CreatedAt: f.clock}, "", domain.Signup{}, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"ann@example.org", "free@example.org"} {
			_, err := f.Register(ctx, Registration{Username: "bob", Email: email, Password: passphrase}, here)
			if domain.KindOf(err) != domain.Invalid {
				t.Errorf("%s: %v", email, err)
			}
		}
		refused(t, f.ChangeEmail(ctx, f.who(t, f.join(t, "cleo")), "ann@example.org", here), domain.CodeNoMail)
	})
}

func TestAUsernameIsFreeWhenItsProofIsOver(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		register := func(email string) error {
			_, err := f.Register(ctx, Registration{Username: "ann", Email: email, Password: passphrase}, here)
			f.mailed(t)
			return err
		}
		if err := register("eve@example.org"); err != nil {
			t.Fatal(err)
		}
		refused(t, register("ann@example.org"), domain.CodeNameTaken)
		f.clock = f.clock.Add(links.VerifyLife + time.Second)
		if err := register("ann@example.org"); err != nil {
			t.Error(err)
		}
	})
}

func TestInvitationsToTheServer(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.rules.Store(&Rules{Registration: RegisterInvite})
		register := func(name, invite string) error {
			_, err := f.Register(ctx, Registration{Username: name, Password: passphrase, Invite: invite}, here)
			return err
		}
		refused(t, register("ann", ""), domain.CodeInviteNeeded)
		refused(t, register("ann", "guess"), domain.CodeInviteEnded)
		err := f.db.Accounts.CreateSignupInvite(ctx,
			domain.SignupInvite{ID: "sgn_1", CreatedBy: "usr_1", CreatedAt: f.clock, Expires: f.clock.Add(time.Hour),
				MaxUses: 1}, f.Keys.Hash("code"))
		if err != nil {
			t.Fatal(err)
		}
		if err := register("ann", "code"); err != nil {
			t.Fatal(err)
		}
		refused(t, register("bob", "code"), domain.CodeInviteEnded)
	})
}
