package auth

import (
	"bytes"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/links"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/passkey/softkey"
)

// who returns the principal of a sign-in.
func (f *fixture) who(t *testing.T, s Signed) domain.Principal {
	t.Helper()
	p, err := f.Authenticate(t.Context(), s.Access)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// enrol gives somebody an authenticator app, and returns its codes.
func (f *fixture) enrol(t *testing.T, s Signed) (code func() string, recovery []string, next Signed) {
	t.Helper()
	e, err := f.EnrolTOTP(t.Context(), f.who(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := base32.StdEncoding.DecodeString(e.Secret); err != nil || e.Picture.Path == "" {
		t.Fatal(e, err)
	}
	code = func() string {
		c, err := totp.GenerateCode(e.Secret, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	recovery, next, err = f.ConfirmTOTP(t.Context(), f.who(t, s), code(), here)
	if err != nil || len(recovery) != 10 {
		t.Fatal(recovery, err)
	}
	f.clock = f.clock.Add(30 * time.Second)
	return code, recovery, next
}

func TestCHK_TK_06_RG_07_AuthenticatorApp(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		first := f.join(t, "ann")
		code, _, next := f.enrol(t, first)
		// CHK-TK-06: the session goes on under another id.
		if _, err := f.Authenticate(ctx, first.Access); err == nil {
			t.Error("the old session is alive")
		}
		if p := f.who(t, next); !slices.Contains(p.AMR, domain.AMRSecondFactor) {
			t.Errorf("%+v", p)
		}
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil || s.State != SecondFactor || s.Access != "" || s.Ticket == "" ||
			!slices.Equal(s.Methods, []string{"totp", "recovery"}) {
			t.Fatal(s, err)
		}
		used := code()
		done, err := f.AnswerFactor(ctx, s.Ticket, Answer{Code: used}, here)
		if err != nil || done.State != Complete {
			t.Fatal(done, err)
		}
		_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: used}, here)
		refused(t, err, domain.CodeFlowEnded) // CHK-RG-07
		// CHK-MF-01: the code was used.
		if s, err = f.SignIn(ctx, "ann", passphrase, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: used}, here)
		refused(t, err, domain.CodeWrongCode)
		// CHK-MF-02: a code of two steps before is too old.
		old := code()
		f.clock = f.clock.Add(61 * time.Second)
		_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: old}, here)
		refused(t, err, domain.CodeWrongCode)
		// Five answers to one question.
		for range 3 {
			_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: "000000"}, here)
			refused(t, err, domain.CodeWrongCode)
		}
		_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: code()}, here)
		refused(t, err, domain.CodeFlowEnded)
	})
}

func TestCHK_MF_01_ARecoveryCodeWorksOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, recovery, _ := f.enrol(t, f.join(t, "ann"))
		var signed atomic.Int32
		var wg sync.WaitGroup
		for range 2 {
			s, err := f.SignIn(t.Context(), "ann", passphrase, here)
			if err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := f.AnswerFactor(t.Context(), s.Ticket, Answer{Code: recovery[3]}, here); err == nil {
					signed.Add(1)
				}
			})
		}
		wg.Wait()
		if signed.Load() != 1 {
			t.Fatalf("it signed in %d times", signed.Load())
		}
		has, err := f.db.Factors.Factors(t.Context(), mustUser(t, f, "ann"))
		if err != nil || has.RecoveryCodes != 9 {
			t.Fatal(has, err)
		}
	})
}

func TestCHK_MF_05_AnAppOnTrial(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.join(t, "ann")
		e, err := f.EnrolTOTP(t.Context(), f.who(t, s))
		if err != nil {
			t.Fatal(err)
		}
		if in, err := f.SignIn(t.Context(), "ann", passphrase, here); err != nil || in.State != Complete {
			t.Fatal("an app on trial is asked for", in.State, err)
		}
		p := f.who(t, s)
		f.clock = f.clock.Add(11 * time.Minute)
		p.AuthTime = f.clock // stepped up
		code, err := totp.GenerateCode(e.Secret, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = f.ConfirmTOTP(t.Context(), p, code, here)
		refused(t, err, domain.CodeNoTrial)
	})
}

func TestCHK_MF_07_FailuresOfCodesAreCountedApart(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		code, _, _ := f.enrol(t, f.join(t, "ann"))
		var last error
		for range 3 {
			s, err := f.SignIn(ctx, "ann", passphrase, here) // right every time
			if err != nil {
				t.Fatal(err)
			}
			for range ticketTries {
				_, last = f.AnswerFactor(ctx, s.Ticket, Answer{Code: "000000"}, here)
			}
		}
		refused(t, last, domain.CodeLocked)
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		_, err = f.AnswerFactor(ctx, s.Ticket, Answer{Code: code()}, here)
		refused(t, err, domain.CodeLocked)
	})
}

func TestCHK_MF_08_RememberedBrowsers(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		code, recovery, next := f.enrol(t, f.join(t, "ann"))
		begin := func(c Client) Signed {
			t.Helper()
			s, err := f.SignIn(ctx, "ann", passphrase, c)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		done, err := f.AnswerFactor(ctx, begin(here).Ticket, Answer{Code: recovery[0], Remember: true}, here)
		if err != nil || done.Remember.Value != "" {
			t.Fatal("a recovery code is remembered", err)
		}
		done, err = f.AnswerFactor(ctx, begin(here).Ticket, Answer{Code: code(), Remember: true}, here)
		if err != nil || done.Remember.Value == "" {
			t.Fatal(err)
		}
		show := func(r factor.Browser) Client {
			c := here
			c.Cookies = map[string]string{f.cookieName(r.Cookie): r.Value}
			return c
		}
		again := begin(show(done.Remember))
		if again.State != Complete || again.Remember.Value == done.Remember.Value {
			t.Fatalf("%+v", again)
		}
		if p := f.who(t, again); slices.Contains(p.AMR, domain.AMRSecondFactor) ||
			!slices.Contains(p.AMR, domain.AMRRemembered) {
			t.Errorf("%v", p.AMR)
		}
		// Two tabs at once: the secret before is good for a moment, and no longer.
		if s := begin(show(done.Remember)); s.State != Complete {
			t.Error("the other tab is asked")
		}
		f.clock = f.clock.Add(time.Minute)
		if s := begin(show(done.Remember)); s.State != SecondFactor {
			t.Error("a stolen secret is good")
		}
		if err := f.ForgetBrowser(ctx, f.who(t, next), "", here); err != nil {
			t.Fatal(err)
		}
		if s := begin(show(again.Remember)); s.State != SecondFactor {
			t.Error("a browser that was forgotten is not asked")
		}
	})
}

func TestCHK_MF_04_StepUp(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		code, _, s := f.enrol(t, f.join(t, "ann"))
		f.clock = f.clock.Add(6 * time.Minute)
		p := f.who(t, s)
		for what, err := range map[string]error{
			"remove the app": f.RemoveTOTP(ctx, p, here), "delete": f.Delete(ctx, p, here),
		} {
			if domain.CodeOf(err) != domain.CodeStepUpRequired {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := f.NewRecoveryCodes(ctx, p, here)
		refused(t, err, domain.CodeStepUpRequired)
		_, err = f.ChangePassword(ctx, p, passphrase, "another song, about snow", here)
		refused(t, err, domain.CodeStepUpRequired)
		_, err = f.StepUp(ctx, p, "a wrong guess", Answer{Code: code()}, "", here)
		refused(t, err, domain.CodeWrongPassword)
		_, err = f.StepUp(ctx, p, passphrase, Answer{}, "", here)
		refused(t, err, domain.CodeSecondFactor)
		next, err := f.StepUp(ctx, p, passphrase, Answer{Code: code()}, "", here)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Authenticate(ctx, s.Access); err == nil {
			t.Error("the old session is alive") // CHK-TK-06
		}
		if tab, err := f.Refresh(ctx, s.Refresh, here); err != nil || tab.Refresh != next.Refresh {
			t.Error("another tab, which has the old cookie", err)
		}
		if err := f.RemoveTOTP(ctx, f.who(t, next), here); err != nil {
			t.Fatal(err)
		}
		if in, err := f.SignIn(ctx, "ann", passphrase, here); err != nil || in.State != Complete {
			t.Fatal(in.State, err)
		}
	})
}

func TestCHK_PW_06_ChangedPasswordEndsOtherSessions(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		mine := f.join(t, "ann")
		other, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		p := f.who(t, mine)
		_, err = f.ChangePassword(ctx, p, "a wrong guess", "another song, about snow", here)
		refused(t, err, domain.CodeWrongPassword) // CHK-PW-06
		next, err := f.ChangePassword(ctx, p, passphrase, "another song, about snow", here)
		if err != nil {
			t.Fatal(err)
		}
		f.who(t, next)
		_, err = f.Authenticate(ctx, other.Access)
		refused(t, err, domain.CodeSignedOut)
		_, err = f.Refresh(ctx, other.Refresh, here)
		refused(t, err, domain.CodeSignedOut)
		if _, err := f.Refresh(ctx, next.Refresh, here); err != nil {
			t.Fatal(err)
		}
	})
}

func TestWhoMustHaveASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.rules.Store(&Rules{Registration: RegisterOpen, SecondFactor: domain.FactorAll})
		s := f.join(t, "ann")
		if !s.Limited || !f.who(t, s).Limited {
			t.Fatal("not asked")
		}
		_, _, next := f.enrol(t, s)
		if next.Limited || f.who(t, next).Limited {
			t.Fatal("asked still")
		}
		if r, err := f.Refresh(t.Context(), next.Refresh, here); err != nil || r.Limited {
			t.Fatal(r.Limited, err)
		}
	})
}

func TestPasskeys(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		var err error
		f.Factors.Passkeys, err = passkey.New("Unhidra", "chat.example.org", []string{"https://chat.example.org"})
		if err != nil {
			t.Fatal(err)
		}
		s := f.join(t, "ann")
		key := softkey.New("https://chat.example.org")
		key.Verified = true
		c, err := f.BeginPasskey(ctx, f.who(t, s))
		if err != nil {
			t.Fatal(err)
		}
		made, err := key.Make(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		codes, next, err := f.AddPasskey(ctx, f.who(t, s), c.Ticket, "phone", made, here)
		if err != nil || len(codes) != 10 {
			t.Fatal(err)
		}
		_, _, err = f.AddPasskey(ctx, f.who(t, next), c.Ticket, "phone", made, here)
		refused(t, err, domain.CodeTicketEnded)

		// Alone.
		if c, err = f.BeginPasskeySignIn(ctx, here); err != nil {
			t.Fatal(err)
		}
		answer, err := key.Sign(c.Options)
		if err != nil {
			t.Fatal(err)
		}
		in, err := f.PasskeySignIn(ctx, c.Ticket, answer, here)
		if err != nil || in.State != Complete || !slices.Contains(f.who(t, in).AMR, domain.AMRSecondFactor) {
			t.Fatal(in, err)
		}
		_, err = f.PasskeySignIn(ctx, c.Ticket, answer, here)
		refused(t, err, domain.CodeFlowEnded)

		// After the password.
		in, err = f.SignIn(ctx, "ann", passphrase, here)
		if err != nil || in.State != SecondFactor || in.Methods[0] != "passkey" {
			t.Fatal(in, err)
		}
		if c, err = f.BeginPasskeyFactor(ctx, in.Ticket); err != nil {
			t.Fatal(err)
		}
		if answer, err = key.Sign(c.Options); err != nil {
			t.Fatal(err)
		}
		if in, err = f.AnswerFactor(ctx, in.Ticket, Answer{Passkey: answer}, here); err != nil || in.State != Complete {
			t.Fatal(in, err)
		}

		// To prove anew who one is.
		p := f.who(t, in)
		f.clock = f.clock.Add(6 * time.Minute)
		if c, err = f.BeginPasskeyStepUp(ctx, p); err != nil {
			t.Fatal(err)
		}
		if answer, err = key.Sign(c.Options); err != nil {
			t.Fatal(err)
		}
		if in, err = f.StepUp(ctx, p, "", Answer{Passkey: answer}, c.Ticket, here); err != nil {
			t.Fatal(err)
		}
		keys, err := f.db.Factors.Passkeys(ctx, p.ID)
		if err != nil || len(keys) != 1 || keys[0].UsedAt.IsZero() {
			t.Fatal(keys, err)
		}
		if err := f.RemovePasskey(ctx, f.who(t, in), keys[0].ID, here); err != nil {
			t.Fatal(err)
		}
	})
}

func TestDeletedAccount(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		s := f.join(t, "ann")
		p := f.who(t, s)
		st, _, err := f.db.Rooms.CreateRoom(ctx, p.ID,
			domain.NewRoom{Kind: domain.PublicRoom, Name: "Yard", Members: []string{f.who(t, f.join(t, "bob")).ID}}, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		said, _, err := f.db.Messages.AppendMessage(ctx, p.ID, domain.Draft{Room: st.Room.ID, Key: "1", Text: "hello"}, nil,
			false, f.clock)
		if err != nil {
			t.Fatal(err)
		}
		thumb := domain.Reacting{Room: st.Room.ID, Seq: said.Seq, Emoji: "👍"}
		if _, _, err := f.db.Messages.React(ctx, p.ID, thumb, f.clock); err != nil {
			t.Fatal(err)
		}
		account, err := f.exported(ctx, p, here)
		if err != nil {
			t.Fatal(err)
		}
		var lines bytes.Buffer
		if err := f.writeExport(ctx, &lines, account); err != nil || !strings.Contains(lines.String(), `"text":"hello"`) ||
			!strings.Contains(lines.String(), `"emoji":"👍"`) ||
			!strings.HasSuffix(lines.String(), "\"messages\":1,\"others\":0,\"reactions\":1,\"reports\":0,\"votes\":0}\n") {
			t.Fatal(lines.String(), err)
		}
		refused(t, f.Delete(ctx, p, here), domain.CodeLastOwner)
		if _, err := f.db.Rooms.TransferOwnership(ctx, p.ID, st.Room.ID, mustUser(t, f, "bob"), f.clock); err != nil {
			t.Fatal(err)
		}
		if err := f.Delete(ctx, p, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.SignIn(ctx, "ann", passphrase, here)
		refused(t, err, domain.CodeInvalidCredentials)
		_, err = f.Authenticate(ctx, s.Access)
		refused(t, err, domain.CodeSignedOut)
		page, err := f.db.Log.Timeline(ctx, domain.WholeLog(st.Room.ID), domain.PageQuery{Limit: 10})
		if err != nil || len(page.Events) == 0 {
			t.Fatal(page, err)
		}
		f.join(t, "ann") // the name is free
	})
}

func TestATicketForASecondFactorEndsWithWhatItStoodOn(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, f *fixture, u domain.User){
		"disabled": func(t *testing.T, f *fixture, u domain.User) {
			if _, err := f.db.Accounts.SetUserDisabled(t.Context(), u.ID, true, f.clock); err != nil {
				t.Fatal(err)
			}
		},
		"password reset": func(t *testing.T, f *fixture, u domain.User) {
			secret, _, err := f.Link(t.Context(), domain.ResetTicket, u, "", "/reset", links.ResetLife)
			if err != nil {
				t.Fatal(err)
			}
			_, secret, _ = strings.Cut(secret, "#token=")
			if _, err := f.ResetPassword(t.Context(), secret, "another song, about snow", here); err != nil {
				t.Fatal(err)
			}
		},
		"sessions ended": func(t *testing.T, f *fixture, u domain.User) {
			if err := f.EndOthers(t.Context(), domain.Principal{ID: u.ID}, here); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				code, _, _ := f.enrol(t, f.join(t, "ann"))
				s, err := f.SignIn(t.Context(), "ann", passphrase, here)
				if err != nil || s.Ticket == "" {
					t.Fatal(s, err)
				}
				u, err := f.db.Accounts.UserByUsername(t.Context(), "ann")
				if err != nil {
					t.Fatal(err)
				}
				end(t, f, u)
				_, err = f.AnswerFactor(t.Context(), s.Ticket, Answer{Code: code()}, here)
				refused(t, err, domain.CodeFlowEnded)
			})
		})
	}
}
