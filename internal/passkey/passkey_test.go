package passkey

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/passkey/softkey"
)

const origin = "https://chat.example.org"

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func party(t *testing.T) *Party {
	t.Helper()
	p, err := New("Unhidra", "chat.example.org", []string{origin})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// enrolled is Ann with a passkey, and the key that holds it.
func enrolled(t *testing.T, p *Party, k *softkey.Key) User {
	t.Helper()
	u := User{ID: "u_0123456789", Name: "ann", DisplayName: "Ann Smith"}
	c, err := p.BeginRegistration(u, start)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Make(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	made, err := p.FinishRegistration(u, c.State, response, start)
	if err != nil {
		t.Fatal(err)
	}
	u.Credentials = []Credential{made}
	return u
}

func finder(users ...User) func(string) (User, error) {
	return func(id string) (User, error) {
		for _, u := range users {
			if u.ID == id {
				return u, nil
			}
		}
		return User{}, domain.NotFound.Errorf(domain.CodeNoUser, "no such user")
	}
}

// signIn is a sign-in with nothing but k's passkey.
func signIn(t *testing.T, p *Party, k *softkey.Key, users ...User) (User, Use, error) {
	t.Helper()
	c, err := p.BeginSignIn(start)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return p.FinishSignIn(c.State, response, finder(users...), start)
}

// second is a second factor of u with k.
func second(t *testing.T, p *Party, k *softkey.Key, u User) (Use, error) {
	t.Helper()
	c, err := p.BeginSecond(u, start)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	return p.FinishSecond(u, c.State, response, start)
}

func refusedAs(t *testing.T, err error, code domain.Code) {
	t.Helper()
	if domain.CodeOf(err) != code {
		t.Errorf("%v, want %s", err, code)
	}
}

func TestAPasskeyFromItsMakingToItsUse(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	k.BackupEligible, k.BackedUp = true, false
	ann := enrolled(t, p, k)
	made := ann.Credentials[0]
	if !made.Verified || !made.BackupEligible || made.BackedUp || made.Model != "00000000-0000-0000-0000-000000000000" ||
		len(made.Transports) != 2 || made.ID == "" {
		t.Errorf("%+v", made)
	}
	k.BackedUp = true
	who, use, err := signIn(t, p, k, User{ID: "u_other"}, ann)
	if err != nil || who.ID != ann.ID || !use.Verified || use.Suspect || !use.Credential.BackedUp ||
		use.Credential.ID != made.ID {
		t.Errorf("%+v, %+v, %v", who, use, err)
	}
	if use, err := second(t, p, k, ann); err != nil || !use.Verified || use.Credential.ID != made.ID {
		t.Errorf("%+v, %v", use, err)
	}
	if _, err := json.Marshal(use.Credential); err != nil {
		t.Error(err)
	}
}

// A passkey that stands in for the password must have verified its user; one
// beside it need not have.
func TestVerificationIsRequiredWithoutAPassword(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	ann := enrolled(t, p, k)
	k.Verified = false
	_, _, err := signIn(t, p, k, ann)
	refusedAs(t, err, domain.CodePasskeyRefused)
	if use, err := second(t, p, k, ann); err != nil || use.Verified {
		t.Errorf("%+v, %v", use, err)
	}
	c, err := p.BeginSignIn(start)
	if err != nil || !strings.Contains(string(c.Options), `"userVerification":"required"`) {
		t.Errorf("%s, %v", c.Options, err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	p := party(t)
	for what, change := range map[string]func(k *softkey.Key){
		"another origin":         func(k *softkey.Key) { k.Origin = "https://chat.example.org.evil.example" },
		"an origin in the clear": func(k *softkey.Key) { k.Origin = "http://chat.example.org" },
		"another domain":         func(k *softkey.Key) { k.Domain = "example.org" },
		"nobody's touch":         func(k *softkey.Key) { k.Absent = true },
		"BE that changes":        func(k *softkey.Key) { k.BackupEligible = true },
		"BS without BE":          func(k *softkey.Key) { k.BackedUp = true },
		"another user's handle":  func(k *softkey.Key) { k.Handle = []byte("u_eve") },
		"another key":            func(k *softkey.Key) { k.Private = other(t).Private },
		"another credential":     func(k *softkey.Key) { k.ID = []byte("0123456789abcdef") },
	} {
		k := softkey.New(origin)
		ann := enrolled(t, p, k)
		eve := User{ID: "u_eve", Name: "eve"}
		change(k)
		if _, _, err := signIn(t, p, k, ann, eve); domain.CodeOf(err) != domain.CodePasskeyRefused {
			t.Errorf("%s: %v", what, err)
		}
		if what == "another credential" {
			continue // the key does not answer
		}
		if _, err := second(t, p, k, ann); domain.CodeOf(err) != domain.CodePasskeyRefused {
			t.Errorf("%s as second factor: %v", what, err)
		}
	}
}

func other(t *testing.T) *softkey.Key {
	t.Helper()
	k := softkey.New(origin)
	enrolled(t, party(t), k)
	return k
}

func TestCHK_RG_07_AStateServesItsOwnCeremonyAlone(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	ann := enrolled(t, p, k)
	one, err := p.BeginSignIn(start)
	if err != nil {
		t.Fatal(err)
	}
	two, err := p.BeginSecond(ann, start)
	if err != nil {
		t.Fatal(err)
	}
	three, err := p.BeginRegistration(ann, start)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := k.Sign(two.Options)
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range [][]byte{one.State, three.State} {
		_, err = p.FinishSecond(ann, wrong, answer, start)
		refusedAs(t, err, domain.CodePasskeyRefused)
	}
	_, _, err = p.FinishSignIn(two.State, answer, finder(ann), start)
	refusedAs(t, err, domain.CodePasskeyRefused)
	_, err = p.FinishSecond(User{ID: "u_eve", Credentials: ann.Credentials}, two.State, answer, start)
	refusedAs(t, err, domain.CodePasskeyRefused)
	_, err = p.FinishSecond(ann, two.State, answer, start.Add(Life))
	refusedAs(t, err, domain.CodePasskeyLate)
	if _, err = p.FinishSecond(ann, two.State, answer, start.Add(Life-time.Second)); err != nil {
		t.Error(err)
	}
	for _, junk := range []string{"", "{}", "null", strings.Repeat("x", maxResponse+1)} {
		_, err = p.FinishSecond(ann, two.State, []byte(junk), start)
		refusedAs(t, err, domain.CodePasskeyRefused)
		_, err = p.FinishRegistration(ann, three.State, []byte(junk), start)
		refusedAs(t, err, domain.CodePasskeyRefused)
	}
}

func TestACounterThatGoesBackIsSuspect(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	k.Counts, k.Count = true, 7
	ann := enrolled(t, p, k)
	_, use, err := signIn(t, p, k, ann)
	if err != nil || use.Suspect || use.Credential.SignCount != 8 {
		t.Fatalf("%+v, %v", use, err)
	}
	ann.Credentials[0] = use.Credential
	k.Count = 3 // a copy of before
	if _, use, err = signIn(t, p, k, ann); err != nil || !use.Suspect || use.Credential.SignCount != 8 {
		t.Errorf("%+v, %v", use, err)
	}
	k.Counts, k.Count, ann.Credentials[0].SignCount = false, 0, 0 // those of phones do not count
	if _, use, err = signIn(t, p, k, ann); err != nil || use.Suspect {
		t.Errorf("%+v, %v", use, err)
	}
}

func TestAnAuthenticatorIsNotRegisteredTwice(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	ann := enrolled(t, p, k)
	c, err := p.BeginRegistration(ann, start)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Make(c.Options); err == nil {
		t.Error("the key was not told of the passkey it has")
	}
}

// One passkey that was removed meanwhile does not spoil the ceremony of the
// others; with none left it is over.
func TestAPasskeyRemovedMeanwhile(t *testing.T) {
	p, k, gone := party(t), softkey.New(origin), softkey.New(origin)
	ann := enrolled(t, p, k)
	both := ann
	both.Credentials = append(enrolled(t, p, gone).Credentials, ann.Credentials...)
	c, err := p.BeginSecond(both, start)
	if err != nil {
		t.Fatal(err)
	}
	good, err := k.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	bad, err := gone.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.FinishSecond(ann, c.State, bad, start)
	refusedAs(t, err, domain.CodePasskeyRefused)
	if _, err := p.FinishSecond(ann, c.State, good, start); err != nil {
		t.Error(err)
	}
	ann.Credentials = nil
	_, err = p.FinishSecond(ann, c.State, good, start)
	refusedAs(t, err, domain.CodePasskeyRefused)
}

// A store that is away is no fault of the passkey's.
func TestAStoreThatIsAway(t *testing.T) {
	p, k := party(t), softkey.New(origin)
	enrolled(t, p, k)
	c, err := p.BeginSignIn(start)
	if err != nil {
		t.Fatal(err)
	}
	response, err := k.Sign(c.Options)
	if err != nil {
		t.Fatal(err)
	}
	away := domain.Unavailable.Errorf(domain.CodeStoreUnavailable, "try again")
	if _, _, err := p.FinishSignIn(c.State, response, func(string) (User, error) { return User{}, away },
		start); !errors.Is(err, away) {
		t.Error(err)
	}
}

func TestPartiesThatCannotHavePasskeys(t *testing.T) {
	if _, err := New("Unhidra", "localhost", []string{"http://localhost:9000"}); err != nil {
		t.Error(err)
	}
	for domainName, origins := range map[string][]string{"": {origin}, "192.0.2.1": {"https://192.0.2.1"},
		"example.org": nil, "https://example.org": {origin}} {
		if _, err := New("Unhidra", domainName, origins); err == nil {
			t.Errorf("%q with %v is taken", domainName, origins)
		}
	}
}

// TestOriginsAreWhereBrowsersUseThem: those of the domain and below it. The server may have
// other addresses, where a browser refuses.
func TestOriginsAreWhereBrowsersUseThem(t *testing.T) {
	t.Parallel()
	p, err := New("Unhidra", "chat.example.org", []string{
		"https://chat.example.org:8443", "https://www.Chat.example.org", "https://example.org", "https://notchat.example.org",
		"http://192.0.2.1",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Origins(), " "); got != "https://chat.example.org:8443 https://www.chat.example.org" {
		t.Error(got)
	}
}
