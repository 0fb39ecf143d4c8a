package realtest

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/oidc"
)

const redirect = "https://chat.example.org/signed-in"

// start runs the provider and returns us, as it knows us.
func start(t *testing.T, change func(*oidc.Config)) *oidc.Provider {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	c := oidc.Config{Issuer: server.URL + "/", ClientID: ClientID, Secret: Secret, Redirect: redirect}
	handler = Provider(c.Issuer, redirect)
	if change != nil {
		change(&c)
	}
	p, err := oidc.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var formID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// signIn is a browser at the provider: it opens the page, fills in the form
// and stops where it is sent back to us.
func signIn(t *testing.T, to, name, password string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	page, err := browser.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	_ = page.Body.Close()
	id := formID.FindSubmatch(body)
	if id == nil {
		t.Fatalf("no form at %s: %d %s", to, page.StatusCode, body)
	}
	back, err := browser.PostForm(page.Request.URL.String(),
		url.Values{"id": {string(id[1])}, "username": {name}, "password": {password}})
	if err != nil {
		t.Fatal(err)
	}
	_ = back.Body.Close()
	u, err := back.Location()
	if err != nil {
		t.Fatalf("not sent back, but answered with status %d", back.StatusCode)
	}
	return u.Query()
}

func TestPeopleSignIn(t *testing.T) {
	p := start(t, nil)
	for name, want := range map[string]oidc.Identity{
		"ann": {Issuer: p.Issuer, Subject: "id-ann", Email: "ann@example.org", EmailVerified: true, Name: "Ann Smith",
			Username: "ann"},
		"bob": {Issuer: p.Issuer, Subject: "id-bob", Email: "bob@example.org", Name: "Bob Jones", Username: "bob"},
	} {
		a, to, err := p.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		who, err := p.Finish(t.Context(), a, signIn(t, to, name, Password))
		if who != want || err != nil {
			t.Errorf("%+v, %v", who, err)
		}
	}
}

// What an attacker could bring back, the provider itself refuses or we do.
func TestWhatIsRefused(t *testing.T) {
	p := start(t, nil)
	a, to, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back := signIn(t, to, "ann", Password)
	b, _, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.State = a.State // so that the provider is asked at all
	for what, attempt := range map[string]oidc.Attempt{
		"another attempt's verifier": b,
		"no verifier":                {State: a.State, Nonce: a.Nonce},
	} {
		if _, err := p.Finish(t.Context(), attempt, back); domain.CodeOf(err) != domain.CodeOIDCRefused {
			t.Errorf("%s: %v", what, err)
		}
	}

	// The code of another person's sign-in, slipped into ours.
	c, to, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	eve := signIn(t, to, "bob", Password)
	eve.Set("state", a.State)
	if _, err := p.Finish(t.Context(), a, eve); domain.CodeOf(err) != domain.CodeOIDCRefused {
		t.Errorf("another's code: %v", err)
	}
	eve.Set("state", c.State)
	wrong := c
	wrong.Nonce = a.Nonce
	if _, err := p.Finish(t.Context(), wrong, eve); domain.CodeOf(err) != domain.CodeOIDCRefused {
		t.Errorf("another's nonce: %v", err)
	}
}

func TestACodeServesOnce(t *testing.T) {
	p := start(t, nil)
	a, to, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	back := signIn(t, to, "ann", Password)
	if _, err := p.Finish(t.Context(), a, back); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), a, back); domain.CodeOf(err) != domain.CodeOIDCRefused {
		t.Error(err)
	}
}

func TestAWrongSecretIsRefused(t *testing.T) {
	p := start(t, func(c *oidc.Config) { c.Secret = "another" })
	a, to, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Finish(t.Context(), a, signIn(t, to, "ann", Password)); domain.CodeOf(err) != domain.CodeOIDCRefused ||
		strings.Contains(err.Error(), "another") {
		t.Error(err)
	}
}
