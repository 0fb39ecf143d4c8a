package auth

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/lockout"
	"github.com/unhidra/unhidra/internal/domain"
)

// from returns a browser elsewhere.
func from(addr string) Client {
	return Client{Addr: netip.MustParseAddr(addr), UserAgent: "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}
}

// with returns c showing the cookie by which it is known.
func (f *fixture) with(c Client, d lockout.Device) Client {
	c.Cookies = map[string]string{f.cookieName(d.Cookie): d.Value}
	return c
}

func TestCHK_LG_05_NobodyLocksAUserOut(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		ann := f.join(t, "ann")
		known := f.with(from("192.0.2.7"), ann.Device)
		for i := range 50 {
			_, err := f.SignIn(ctx, "ann", "a wrong guess", from(netip.AddrFrom4([4]byte{198, 51, 100, byte(i)}).String()))
			if code := domain.CodeOf(err); code != domain.CodeInvalidCredentials && code != domain.CodeLocked {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		_, err := f.SignIn(ctx, "ann", passphrase, from("203.0.113.1"))
		refused(t, err, domain.CodeLocked) // strangers wait, whoever they are
		if _, err := f.SignIn(ctx, "ann", passphrase, known); err != nil {
			t.Fatalf("a browser that is known: %v", err)
		}
		// Somebody else's cookie, and a made-up one, open nothing.
		bob := f.join(t, "bob")
		_, err = f.SignIn(ctx, "ann", passphrase, f.with(from("203.0.113.1"),
			lockout.Device{Cookie: ann.Device.Cookie, Value: bob.Device.Value}))
		refused(t, err, domain.CodeLocked)
		f.clock = f.clock.Add(16 * time.Minute)
		if _, err := f.SignIn(ctx, "ann", passphrase, from("203.0.113.1")); err != nil {
			t.Fatalf("after the lock: %v", err)
		}
	})
}

func TestCHK_LG_06_AtOnceNoMoreThanInARow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.join(t, "ann")
		var mu sync.Mutex
		tried := 0
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				_, err := f.SignIn(t.Context(), "ann", "a wrong guess", from("198.51.100.1"))
				if domain.CodeOf(err) == domain.CodeInvalidCredentials {
					mu.Lock()
					tried++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if tried > lockout.PairFailures {
			t.Fatalf("%d passwords were tried", tried)
		}
	})
}

func TestCHK_LG_01_ANameThatNobodyHasLocksLikeAnother(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.join(t, "ann")
		for i := range lockout.PairFailures + 2 {
			_, ann := f.SignIn(t.Context(), "ann", "a wrong guess", from("198.51.100.1"))
			_, nobody := f.SignIn(t.Context(), "nobody", "a wrong guess", from("198.51.100.1"))
			if ann == nil || nobody == nil || ann.Error() != nobody.Error() || domain.CodeOf(ann) != domain.CodeOf(nobody) {
				t.Fatalf("attempt %d: %v and %v", i, ann, nobody)
			}
		}
	})
}

// CHK-LG-07: a hundred failures in a row, however slowly, lock until the user
// acts; a browser that is known has a hundred of its own.
func TestCHK_LG_07_AHundredInARow(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Mail = f.mails
		u := f.mailUser(t, "ann")
		tried := 0
		for range 400 {
			g, err := f.lockout.Reserve(t.Context(), u, "ann", from("198.51.100.1"))
			if err == nil {
				tried++
				_ = g
			}
			f.clock = f.clock.Add(61 * time.Minute)
		}
		if tried != lockout.MostFailures {
			t.Fatalf("%d attempts", tried)
		}
		// The link of a mail ends it, in the browser that used it.
		secret, _, err := f.Link(t.Context(), domain.UnlockTicket, u, "", "/unlock", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		d, err := f.Unlock(t.Context(), secret[len("https://chat.example.org/unlock#token="):], from("203.0.113.1"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.SignIn(t.Context(), "ann", passphrase, f.with(from("203.0.113.1"), d)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestCHK_LG_08_AMailAtTheFirstLock(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.Mail = f.mails
		f.mailUser(t, "ann")
		f.mailed(t)
		for range lockout.PairFailures {
			_, err := f.SignIn(t.Context(), "ann", "a wrong guess", from("198.51.100.1"))
			refused(t, err, domain.CodeInvalidCredentials)
		}
		mail, secret := f.oneMail(t, domain.MailLocked)
		if mail.To != "ann@example.org" || mail.Once == "" {
			t.Errorf("%+v", mail)
		}
		if _, err := f.Unlock(t.Context(), secret, from("203.0.113.1")); err != nil {
			t.Fatal(err)
		}
		_, err := f.Unlock(t.Context(), secret, from("203.0.113.1"))
		refused(t, err, domain.CodeTicketEnded)
	})
}

// mailUser returns somebody who has proven their address.
func (f *fixture) mailUser(t *testing.T, name string) domain.User {
	t.Helper()
	s, err := f.Register(t.Context(), Registration{Username: name, Email: name + "@example.org", Password: passphrase},
		here)
	if err != nil || s.State != verifyEmail {
		t.Fatal(s.State, err)
	}
	_, secret := f.oneMail(t, domain.MailVerifyEmail)
	u, err := f.VerifyEmail(t.Context(), secret, here)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
