package auth

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/auth/factor"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/passkey"
	"github.com/unhidra/unhidra/internal/passkey/softkey"
)

// commits is how many writes the store commits for what do does.
func (f *fixture) commits(do func()) int64 {
	before := f.db.Load().Committed
	do()
	return f.db.Load().Committed - before
}

// rows is how many rows there are in a table.
func (f *fixture) rows(t *testing.T, table string) (n int) {
	t.Helper()
	if err := f.db.QueryRowContext(t.Context(), `SELECT count(*) FROM `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// completed signs ann in by her password and, if she is asked, by answer.
func (f *fixture) completed(t *testing.T, c Client, answer Answer) Signed {
	t.Helper()
	s, err := f.SignIn(t.Context(), "ann", passphrase, c)
	if err == nil && s.State == SecondFactor {
		s, err = f.AnswerFactor(t.Context(), s.Ticket, answer, c)
	}
	if err != nil || s.State != Complete {
		t.Fatal(s.State, err)
	}
	return s
}

// addPasskey gives a user a passkey that asks for a PIN, or does not.
func (f *fixture) addPasskey(t *testing.T, s Signed, verified bool) (*softkey.Key, Signed) {
	t.Helper()
	key, c, made := f.makePasskey(t, s, verified)
	_, next, err := f.AddPasskey(t.Context(), f.who(t, s), c.Ticket, "key", made, here)
	if err != nil {
		t.Fatal(err)
	}
	return key, next
}

// makePasskey begins to add a passkey, and returns what the browser answers.
func (f *fixture) makePasskey(t *testing.T, s Signed, verified bool) (*softkey.Key, factor.Ceremony, []byte) {
	t.Helper()
	var err error
	f.Factors.Passkeys, err = passkey.New("Unhidra", "chat.example.org", []string{"https://chat.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	key := softkey.New("https://chat.example.org")
	key.Verified = verified
	c, err := f.BeginPasskey(t.Context(), f.who(t, s))
	if err != nil {
		t.Fatal(err)
	}
	made, err := key.Make(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return key, c, made
}

// signed is the answer of a key to a question.
func signed(t *testing.T, key *softkey.Key, c factor.Ceremony, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := key.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (f *fixture) wantCommits(t *testing.T, want int64, do func()) {
	t.Helper()
	f.db.Search.Stop() // the indexer commits whenever it likes
	if n := f.commits(do); n != want {
		t.Errorf("%d commits, want %d", n, want)
	}
	if n := f.rows(t, "attempts"); n != 0 {
		t.Errorf("%d counters of failures after a success, want none", n)
	}
	if n := f.rows(t, "flows"); n != 0 {
		t.Errorf("%d sign-ins are still on their way", n)
	}
}

func TestASignInWithAPasswordTakesTwoCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.join(t, "ann")
		f.wantCommits(t, 2, func() { f.completed(t, here, Answer{}) })
	})
}

func TestASignInWithTOTPTakesFourCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		code, _, _ := f.enrol(t, f.join(t, "ann"))
		f.wantCommits(t, 4, func() { f.completed(t, here, Answer{Code: code()}) })
	})
}

func TestASignInWithARecoveryCodeTakesFourCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		_, codes, _ := f.enrol(t, f.join(t, "ann"))
		f.wantCommits(t, 4, func() { f.completed(t, here, Answer{Code: codes[0]}) })
	})
}

func TestASignInOfARememberedBrowserTakesTwoCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		code, _, _ := f.enrol(t, f.join(t, "ann"))
		browser := f.rememberedBrowser(t, code())
		f.wantCommits(t, 2, func() { f.completed(t, browser, Answer{}) })
	})
}

// The question is a commit of its own: its answer is good once.
func TestASignInWithAPasskeyTakesThreeCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		key, _ := f.addPasskey(t, f.join(t, "ann"), true)
		f.wantCommits(t, 3, func() {
			c, err := f.BeginPasskeySignIn(t.Context(), here)
			answer := signed(t, key, c, err)
			if _, err := f.PasskeySignIn(t.Context(), c.Ticket, answer, here); err != nil {
				t.Fatal(err)
			}
		})
	})
}

func TestASignInWithAPasswordAndAPasskeyTakesFiveCommits(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		key, _ := f.addPasskey(t, f.join(t, "ann"), false)
		f.wantCommits(t, 5, func() {
			s, err := f.SignIn(t.Context(), "ann", passphrase, here)
			if err != nil {
				t.Fatal(err)
			}
			c, err := f.BeginPasskeyFactor(t.Context(), s.Ticket)
			answer := signed(t, key, c, err)
			if _, err := f.AnswerFactor(t.Context(), s.Ticket, Answer{Passkey: answer}, here); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// Of many sign-ins that show one code at the same moment, one gets a session, and the
// others count as failures.
func TestACodeThatIsShownTwiceAtOnceSignsInOnce(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		code, codes, _ := f.enrol(t, f.join(t, "ann"))
		for name, shown := range map[string]string{"of an app": code(), "for recovery": codes[0]} {
			const tries = 4
			var tickets [tries]string
			for i := range tickets {
				s, err := f.SignIn(t.Context(), "ann", passphrase, here)
				if err != nil {
					t.Fatal(err)
				}
				tickets[i] = s.Ticket
			}
			var in, wrong atomic.Int64
			var all sync.WaitGroup
			for _, ticket := range tickets {
				all.Go(func() {
					_, err := f.AnswerFactor(t.Context(), ticket, Answer{Code: shown}, here)
					switch {
					case err == nil:
						in.Add(1)
					case domain.CodeOf(err) == domain.CodeWrongCode:
						wrong.Add(1)
					default:
						t.Error(err)
					}
				})
			}
			all.Wait()
			if in.Load() != 1 || wrong.Load() != tries-1 {
				t.Errorf("a code %s: %d signed in, %d were wrong", name, in.Load(), wrong.Load())
			}
		}
	})
}

// A code that has led to no session, since the account changed under it, is not used up.
func TestACodeIsUsedUpWithItsSessionOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		ctx := t.Context()
		code, _, s := f.enrol(t, f.join(t, "ann"))
		in, err := f.SignIn(ctx, "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		flow, r, err := f.Store.TryFlow(ctx, f.Keys.Hash(in.Ticket), SecondFactor, ticketTries, f.lockout.FactorCounters,
			f.clock)
		if err != nil {
			t.Fatal(err)
		}
		u := s.User
		shown, err := f.checkFactor(ctx, u, Answer{Code: code()}, "", r, here)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.db.Sessions.EndSessions(ctx, u.ID, "test", f.clock); err != nil {
			t.Fatal(err)
		}
		_, err = f.completeFlow(ctx, flow, u, shown, here)
		refused(t, err, domain.CodeFlowEnded)
		f.clock = f.clock.Add(time.Second)
		f.completed(t, here, Answer{Code: code()})
	})
}

func TestAnAnswerThatCannotBeCheckedCountsAsNoFailure(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		f.enrol(t, f.join(t, "ann"))
		in, err := f.SignIn(t.Context(), "ann", passphrase, here)
		if err != nil {
			t.Fatal(err)
		}
		f.Factors.Passkeys = nil // the server cannot check any
		if _, err := f.AnswerFactor(t.Context(), in.Ticket, Answer{Passkey: []byte(`{}`)}, here); err == nil {
			t.Fatal("a passkey was checked")
		}
		var failures int
		err = f.db.QueryRowContext(t.Context(), `SELECT COALESCE(sum(failures + streak), 0) FROM attempts`).Scan(&failures)
		if err != nil || failures != 0 {
			t.Errorf("%d failures, %v; want none", failures, err)
		}
	})
}
