package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/unhidra/unhidra/internal/domain"
)

// fakeProvider is a provider that does what it is told, right or wrong. That a real
// one is understood, package realtest shows.
type fakeProvider struct {
	*httptest.Server
	key    *rsa.PrivateKey
	asked  atomic.Int32 // discoveries
	down   atomic.Bool
	names  bool // that it names its issuer when it answers
	token  func(claims jwt.MapClaims) *jwt.Token
	signer any
	claims jwt.MapClaims // of the next token
	info   map[string]any
	form   url.Values // of the last exchange
	auth   string     // and its Authorization
	status int
}

func newFakeProvider(t *testing.T) *fakeProvider {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	r := &fakeProvider{key: key, signer: key, status: http.StatusOK}
	r.token = func(c jwt.MapClaims) *jwt.Token { return jwt.NewWithClaims(jwt.SigningMethodRS256, c) }
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *fakeProvider) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if r.down.Load() {
		r.asked.Add(1)
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	answer := map[string]any{}
	switch req.URL.Path {
	case "/.well-known/openid-configuration":
		r.asked.Add(1)
		answer = map[string]any{
			"issuer": r.URL, "authorization_endpoint": r.URL + "/auth", "token_endpoint": r.URL + "/token", "jwks_uri": r.URL + "/keys",
			"userinfo_endpoint": r.URL + "/info", "authorization_response_iss_parameter_supported": r.names,
			"id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		}
	case "/keys":
		answer["keys"] = []any{map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "k",
			"n": base64.RawURLEncoding.EncodeToString(r.key.N.Bytes()), "e": base64.RawURLEncoding.EncodeToString(big.NewInt(int64(r.key.E)).Bytes()),
		}}
	case "/token":
		_ = req.ParseForm()
		r.form, r.auth = req.PostForm, req.Header.Get("Authorization")
		if r.status != http.StatusOK {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(r.status)
			_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"no\nsuch code"}`))
			return
		}
		answer = map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 60}
		if r.claims != nil {
			token := r.token(r.claims)
			token.Header["kid"] = "k"
			answer["id_token"], _ = token.SignedString(r.signer)
		}
	case "/info":
		answer = r.info
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

func (r *fakeProvider) provider(t *testing.T, change func(*Config)) *Provider {
	t.Helper()
	c := Config{Issuer: r.URL, ClientID: "unhidra", Secret: "client-secret", Redirect: "https://chat.example.org/oidc/callback"}
	if change != nil {
		change(&c)
	}
	p, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// begin begins an attempt, to which good claims are the answer.
func (r *fakeProvider) begin(t *testing.T, p *Provider) (a Attempt, good jwt.MapClaims, back url.Values) {
	t.Helper()
	a, _, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	good = jwt.MapClaims{
		"iss": r.URL, "sub": "s1", "aud": "unhidra", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "nonce": a.Nonce,
		"email": "ann@example.org", "email_verified": true, "name": "Ann Smith", "preferred_username": "ann",
	}
	return a, good, url.Values{"state": {a.State}, "code": {"the-code"}}
}

func TestTheCodeFlow(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, func(c *Config) { c.Scopes = []string{"groups"} })
	a, to, err := p.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q, sum := u.Query(), sha256.Sum256([]byte(a.Verifier))
	for name, want := range map[string]string{
		"response_type": "code", "client_id": "unhidra", "state": a.State, "nonce": a.Nonce, "scope": "openid email profile groups", "redirect_uri": p.Redirect,
		"code_challenge_method": "S256", "code_challenge": base64.RawURLEncoding.EncodeToString(sum[:]),
	} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, q.Get(name), want)
		}
	}
	if strings.Contains(to, a.Verifier) || strings.Contains(to, "client-secret") || len(a.State) < 22 || a.State == a.Nonce {
		t.Errorf("%s", to)
	}
	a, good, back := r.begin(t, p)
	r.claims = good
	who, err := p.Finish(t.Context(), a, back)
	if want := (Identity{r.URL, "s1", "ann@example.org", true, "Ann Smith", "ann"}); who != want || err != nil {
		t.Errorf("%+v, %v", who, err)
	}
	if r.form.Get("code_verifier") != a.Verifier || r.form.Get("code") != "the-code" || r.auth == "" || r.form.Get("client_secret") != "" {
		t.Errorf("%v, %q", r.form, r.auth)
	}
}

func TestAPublicClientSendsNoSecret(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, func(c *Config) { c.Secret = "" })
	a, good, back := r.begin(t, p)
	r.claims = good
	if _, err := p.Finish(t.Context(), a, back); err != nil || r.auth != "" || r.form.Get("client_id") != "unhidra" {
		t.Errorf("%v, %v, %q", err, r.form, r.auth)
	}
}

func TestTokensThatAreRefused(t *testing.T) {
	r := newFakeProvider(t)
	p := r.provider(t, nil)
	for what, change := range map[string]func(c jwt.MapClaims){
		"no token":              func(jwt.MapClaims) { r.claims = nil },
		"another issuer":        func(c jwt.MapClaims) { c["iss"] = r.URL + "/" },
		"another audience":      func(c jwt.MapClaims) { c["aud"] = "other" },
		"two audiences":         func(c jwt.MapClaims) { c["aud"] = []string{"unhidra", "other"} },
		"another party":         func(c jwt.MapClaims) { c["azp"] = "other" },
		"another nonce":         func(c jwt.MapClaims) { c["nonce"] = "x" },
		"no nonce":              func(c jwt.MapClaims) { delete(c, "nonce") },
		"no subject":            func(c jwt.MapClaims) { delete(c, "sub") },
		"a long subject":        func(c jwt.MapClaims) { c["sub"] = strings.Repeat("x", 256) },
		"an old one":            func(c jwt.MapClaims) { c["exp"] = time.Now().Add(-time.Minute).Unix() },
		"no expiry":             func(c jwt.MapClaims) { delete(c, "exp") },
		"not yet":               func(c jwt.MapClaims) { c["nbf"] = time.Now().Add(time.Hour).Unix() },
		"another access token":  func(c jwt.MapClaims) { c["at_hash"] = "x" },
		"none":                  func(jwt.MapClaims) { r.token, r.signer = with(jwt.SigningMethodNone), jwt.UnsafeAllowNoneSignatureType },
		"our secret as its key": func(jwt.MapClaims) { r.token, r.signer = with(jwt.SigningMethodHS256), []byte("client-secret") },
		"another key":           func(jwt.MapClaims) { r.signer = newFakeProvider(t).key },
	} {
		a, c, back := r.begin(t, p)
		r.claims, r.token, r.signer = c, with(jwt.SigningMethodRS256), r.key
		change(c)
		if who, err := p.Finish(t.Context(), a, back); domain.CodeOf(err) != domain.CodeOIDCRefused ||
			who != (Identity{}) {
			t.Errorf("%s: %+v, %v", what, who, err)
		}
	}
}

func with(m jwt.SigningMethod) func(jwt.MapClaims) *jwt.Token {
	return func(c jwt.MapClaims) *jwt.Token { return jwt.NewWithClaims(m, c) }
}

func TestAnswersThatAreRefused(t *testing.T) {
	r := newFakeProvider(t)
	r.names = true
	p := r.provider(t, nil)
	for what, row := range map[string]struct {
		code   domain.Code
		change func(back url.Values)
	}{
		"another state":       {domain.CodeOIDCRefused, func(b url.Values) { b.Set("state", "x") }},
		"no state":            {domain.CodeOIDCRefused, func(b url.Values) { b.Del("state") }},
		"another issuer":      {domain.CodeOIDCRefused, func(b url.Values) { b.Set("iss", "https://evil.example") }},
		"no issuer":           {domain.CodeOIDCRefused, func(b url.Values) { b.Del("iss") }},
		"no code":             {domain.CodeOIDCRefused, func(b url.Values) { b.Del("code") }},
		"a refusal":           {domain.CodeOIDCDenied, func(b url.Values) { b.Set("error", "access_denied") }},
		"an error":            {domain.CodeOIDCRefused, func(b url.Values) { b.Set("error", "x\ny") }},
		"an error of another": {domain.CodeOIDCRefused, func(b url.Values) { b.Set("error", "access_denied"); b.Set("iss", "https://evil.example") }},
	} {
		a, good, back := r.begin(t, p)
		back.Set("iss", r.URL)
		r.claims = good
		row.change(back)
		if _, err := p.Finish(t.Context(), a, back); domain.CodeOf(err) != row.code || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := p.Finish(t.Context(), Attempt{},
		url.Values{"code": {"x"}}); domain.CodeOf(err) != domain.CodeOIDCRefused {
		t.Errorf("an attempt of nobody: %v", err)
	}
	a, good, back := r.begin(t, p)
	back.Set("iss", r.URL)
	r.claims, r.status = good, http.StatusBadRequest
	if _, err := p.Finish(t.Context(), a, back); domain.CodeOf(err) != domain.CodeOIDCRefused || strings.Contains(err.Error(), "\n") {
		t.Error(err)
	}
	r.status = http.StatusServiceUnavailable
	if _, err := p.Finish(t.Context(), a, back); domain.KindOf(err) != domain.Unavailable {
		t.Error(err)
	}
}
