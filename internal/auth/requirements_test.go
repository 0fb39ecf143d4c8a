package auth

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/auth/links"
	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/password"
)

// records keeps what the audit log is told.
type records struct {
	mu   sync.Mutex
	list []domain.AuditEvent
}

func (r *records) Record(_ context.Context, e domain.AuditEvent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = append(r.list, e)
}

// count returns how many records of a kind there are, for a reason.
func (r *records) count(kind domain.AuditType, reason string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.list {
		if e.Type == kind && e.Reason == reason {
			n++
		}
	}
	return n
}

// Locks are recorded as they begin and as they end, also when they end by time.
func TestCHK_LG_09_LocksAndTheirEndsAreRecorded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		log := &records{}
		f.Mail, f.Audit = f.mails, log
		u := f.mailUser(t, "ann")
		lock := func() {
			t.Helper()
			for range lockout.PairFailures {
				g, err := f.lockout.Reserve(ctx, u, "ann", from("198.51.100.1"))
				if err != nil {
					t.Fatal(err)
				}
				f.failed(ctx, u, "ann", g, from("198.51.100.1"), "invalid_credentials")
			}
		}
		lock()
		if n := log.count(domain.AuditLock, "failures"); n != 1 {
			t.Fatalf("%d locks", n)
		}
		f.clock = f.clock.Add(2 * time.Hour)
		if _, err := f.SignIn(ctx, "ann", passphrase, from("198.51.100.1")); err != nil {
			t.Fatal(err)
		}
		if n := log.count(domain.AuditUnlock, "time"); n != 1 {
			t.Errorf("%d ends by time", n)
		}
		f.mailed(t)
		f.clock = f.clock.Add(25 * time.Hour)
		lock()
		_, secret := f.oneMail(t, domain.MailLocked)
		if _, err := f.Unlock(ctx, secret, from("203.0.113.1")); err != nil {
			t.Fatal(err)
		}
		if n := log.count(domain.AuditUnlock, "link"); n != 1 {
			t.Errorf("%d ends by a link", n)
		}
	})
}

// What is refused for another reason than the password is no failure of it.
func TestCHK_LG_11_RefusalsAreNoFailures(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		if _, err := f.Register(ctx, Registration{Username: "ann", Email: "ann@example.org", Password: passphrase},
			here); err != nil {
			t.Fatal(err)
		}
		for range lockout.PairFailures + 1 {
			_, err := f.SignIn(ctx, "ann", passphrase, here)
			refused(t, err, domain.CodeEmailNotVerified)
		}
		_, secret := f.oneMail(t, domain.MailVerifyEmail)
		if _, err := f.VerifyEmail(ctx, secret, here); err != nil {
			t.Fatal(err)
		}
		good := f.Hasher
		busyHasher := password.New(password.Options{Turns: 1, Memory: 48 << 20, Wait: time.Nanosecond, Waiting: 1})
		f.Hasher = busyHasher
		stop := keepBusy(t, busyHasher)
		busy := 0
		for i := 0; busy <= lockout.StrangerFailures && i < 100; i++ {
			if _, err := f.SignIn(ctx, "ann", passphrase, here); domain.CodeOf(err) == domain.CodeBusy {
				busy++
			}
		}
		stop()
		if busy <= lockout.StrangerFailures {
			t.Fatalf("only %d of 100 were told that the server is busy", busy)
		}
		f.Hasher = good
		if _, err := f.SignIn(ctx, "ann", passphrase, from("203.0.113.77")); err != nil {
			t.Errorf("after %d refusals because the server was busy: %v", busy, err)
		}
	})
}

// keepBusy has h, which has one turn, hash one password after the other.
func keepBusy(t *testing.T, h *password.Hasher) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var working sync.WaitGroup
	working.Go(func() {
		for ctx.Err() == nil {
			_, _ = h.Hash(ctx, passphrase, password.Stranger) // refused, if somebody else has the turn
		}
	})
	return func() { cancel(); working.Wait() }
}

// Without the store nobody is let in, and nobody learns why.
func TestCHK_AP_06_WithoutTheStoreNobodyIsLetIn(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		s := f.join(t, "ann")
		if err := f.db.Close(); err != nil {
			t.Fatal(err)
		}
		signed, err := f.SignIn(t.Context(), "ann", passphrase, here)
		if kind := domain.KindOf(err); err == nil || signed.Access != "" || kind != domain.Unavailable &&
			kind != domain.Internal {
			t.Errorf("%+v, %v", signed, err)
		}
		signed, err = f.Refresh(t.Context(), s.Refresh, here)
		if kind := domain.KindOf(err); err == nil || signed.Access != "" || kind != domain.Unavailable &&
			kind != domain.Internal {
			t.Errorf("%+v, %v", signed, err)
		}
	})
}

// A password is good for as long as it is nobody else's.
func TestCHK_PW_09_PasswordsDoNotExpire(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.join(t, "ann")
		f.clock = f.clock.Add(10 * 365 * 24 * time.Hour)
		if s, err := f.SignIn(t.Context(), "ann", passphrase, here); err != nil || s.State != Complete {
			t.Error(s.State, err)
		}
	})
}

// The link of a mail is good once, for a day, and until there is a newer one.
func TestCHK_RG_01_LinksAreGoodOnceForADay(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		if _, err := f.Register(ctx, Registration{Username: "ann", Email: "ann@example.org", Password: passphrase},
			here); err != nil {
			t.Fatal(err)
		}
		mail, late := f.oneMail(t, domain.MailVerifyEmail)
		if got := mail.Data.Expires.Sub(f.clock); got != links.VerifyLife || len(late) < 43 { // 256 bits
			t.Errorf("%v, %d characters", got, len(late))
		}
		f.clock = f.clock.Add(links.VerifyLife + time.Second)
		_, err := f.VerifyEmail(ctx, late, here)
		refused(t, err, domain.CodeTicketEnded)
		if err := f.ResendVerification(ctx, "ann@example.org", here); err != nil {
			t.Fatal(err)
		}
		_, good := f.oneMail(t, domain.MailVerifyEmail)
		_, err = f.ResetPassword(ctx, good, "another song, about snow", here) // made for something else
		refused(t, err, domain.CodeTicketEnded)
		if _, err := f.VerifyEmail(ctx, good, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.VerifyEmail(ctx, good, here)
		refused(t, err, domain.CodeTicketEnded)
	})
}

// Who has another password chosen by a link is asked for the second factor as
// before, also by a browser that was not asked.
func TestCHK_RG_05_AResetKeepsTheSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		f.Mail = f.mails
		u := f.mailUser(t, "ann")
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		code, _, _ := f.enrol(t, s)
		browser := f.rememberedBrowser(t, code())
		f.mailed(t)
		secret, _, err := f.Link(ctx, domain.ResetTicket, u, "", "/reset", links.ResetLife)
		if err != nil {
			t.Fatal(err)
		}
		const other = "another song, about snow"
		if _, err := f.ResetPassword(ctx, secret[len("https://chat.example.org/reset#token="):], other, browser); err != nil {
			t.Fatal(err)
		}
		if s, err := f.SignIn(ctx, "ann", other, browser); err != nil || s.State != SecondFactor {
			t.Error(s.State, err)
		}
	})
}

// rememberedBrowser signs ann in with a code, and returns a browser that is not
// asked for one again.
func (f *fixture) rememberedBrowser(t *testing.T, code string) Client {
	t.Helper()
	s, err := f.SignIn(t.Context(), "ann", passphrase, here)
	if err != nil {
		t.Fatal(err)
	}
	done, err := f.AnswerFactor(t.Context(), s.Ticket, Answer{Code: code, Remember: true}, here)
	if err != nil {
		t.Fatal(err)
	}
	f.clock = f.clock.Add(30 * time.Second) // the next code
	c := here
	c.Cookies = map[string]string{f.cookieName(done.Remember.Cookie): done.Remember.Value}
	return c
}

// A browser that is not asked for the second factor is asked again after another
// password, another factor, "end all other sessions", and thirty days.
func TestCHK_MF_08_WhatForgetsBrowsers(t *testing.T) {
	for name, what := range map[string]func(f *fixture, p domain.Principal) error{
		"the password changes": func(f *fixture, p domain.Principal) error {
			_, err := f.ChangePassword(context.Background(), p, passphrase, passphrase+" and snow", here)
			return err
		},
		"the codes are made anew and the app removed": func(f *fixture, p domain.Principal) error {
			if err := f.RemoveTOTP(context.Background(), p, here); err != nil {
				return err
			}
			return f.db.Factors.TryTOTP(context.Background(),
				domain.TOTP{User: p.ID, Seed: []byte("x"), Expires: f.clock.Add(time.Hour)})
		},
		"all other sessions end": func(f *fixture,
			p domain.Principal) error {
			return f.EndOthers(context.Background(), p, here)
		},
		"thirty days pass": func(f *fixture, _ domain.Principal) error {
			f.clock = f.clock.Add(factor.RememberLife)
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, f *fixture) {
				code, _, s := f.enrol(t, f.join(t, "ann"))
				browser := f.rememberedBrowser(t, code())
				u, err := f.user(t.Context(), "ann")
				if err != nil {
					t.Fatal(err)
				}
				_, ok, err := f.remembered(t.Context(), u, lockout.Attempt{}, []string{domain.AMRPassword}, browser)
				if err != nil || !ok {
					t.Fatal(ok, err)
				}
				if err := what(f, f.who(t, s)); err != nil {
					t.Fatal(err)
				}
				if u, err = f.user(t.Context(), "ann"); err != nil {
					t.Fatal(err)
				}
				_, ok, err = f.remembered(t.Context(), u, lockout.Attempt{}, []string{domain.AMRPassword}, browser)
				if err != nil || ok {
					t.Errorf("it is still not asked (%v)", err)
				}
			})
		})
	}
}

// A user sees where they are signed in, ends one or all others, and nobody else's.
func TestCHK_TK_08_SessionsAreListedAndEnded(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		mine := f.join(t, "ann")
		eve := f.who(t, f.join(t, "eve"))
		phone, err := f.SignIn(ctx, "ann", passphrase, from("203.0.113.9"))
		if err != nil {
			t.Fatal(err)
		}
		laptop, err := f.SignIn(ctx, "ann", passphrase, from("203.0.113.9"))
		if err != nil {
			t.Fatal(err)
		}
		p := f.who(t, mine)
		list, err := f.sessionsOf(ctx, p)
		if err != nil || len(list.Body.Items) != 3 {
			t.Fatalf("%+v, %v", list, err)
		}
		for _, s := range list.Body.Items {
			if s.Current != (s.ID == p.SessionID) || s.Device == "" || s.IP == "" || s.Seen.IsZero() || s.Expires.IsZero() {
				t.Errorf("%+v", s)
			}
		}
		id := f.who(t, phone).SessionID
		if err := f.EndSession(ctx, eve, id, here); domain.KindOf(err) != domain.NotFound {
			t.Errorf("eve ends ann's session: %v", err)
		}
		f.who(t, phone) // and it is there
		if err := f.EndSession(ctx, p, id, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.Authenticate(ctx, phone.Access)
		refused(t, err, domain.CodeSignedOut)
		f.who(t, laptop)
		if err := f.EndOthers(ctx, p, here); err != nil {
			t.Fatal(err)
		}
		_, err = f.Authenticate(ctx, laptop.Access)
		refused(t, err, domain.CodeSignedOut)
		f.who(t, mine)
	})
}

// Whoever adds or takes a second factor away is told, by a mail and in the log.
func TestFactorsAreToldOf(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		log := &records{}
		f.Mail, f.Audit = f.mails, log
		f.mailUser(t, "ann")
		s, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		f.mailed(t)
		_, _, s = f.enrol(t, s)
		f.oneMail(t, domain.MailSecondFactorAdded)
		p := f.who(t, s)
		if _, err := f.NewRecoveryCodes(ctx, p, here); err != nil {
			t.Fatal(err)
		}
		f.oneMail(t, domain.MailSecondFactorAdded)
		if err := f.RemoveTOTP(ctx, p, here); err != nil {
			t.Fatal(err)
		}
		f.oneMail(t, domain.MailSecondFactorRemoved)
		u, err := f.user(ctx, "ann")
		if err != nil {
			t.Fatal(err)
		}
		f.FactorsReset(ctx, u) // by an administrator
		f.oneMail(t, domain.MailSecondFactorRemoved)
		for _, kind := range []domain.AuditType{domain.AuditTOTPEnroll, domain.AuditRecoveryGenerate,
			domain.AuditTOTPDisable} {
			if log.count(kind, "") != 1 {
				t.Errorf("%d records of %s", log.count(kind, ""), kind)
			}
		}
	})
}
