package captcha

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// fakeProvider behaves as the providers' documentation says: it knows one site and
// tokens of it, takes each token once, and says which fields it takes.
type fakeProvider struct {
	kind, siteKey, secret string

	mu     sync.Mutex
	tokens map[string]map[string]any // what it answers; deleted once used
	forms  []url.Values
}

// ServeHTTP implements http.Handler.
func (s *fakeProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fail := func(codes ...string) {
		_ = json.NewEncoder(w).Encode(map[string]any{"success": false, "error-codes": codes})
	}
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" ||
		r.ParseForm() != nil || r.URL.RawQuery != "" {
		fail("bad-request")
		return
	}
	s.forms = append(s.forms, r.PostForm)
	token := r.PostForm.Get("response")
	switch got, known := s.tokens[token]; {
	case r.PostForm.Get("secret") != s.secret:
		fail("invalid-input-secret")
	case s.kind == KindHCaptcha && r.PostForm.Get("sitekey") != s.siteKey:
		fail("sitekey-secret-mismatch")
	case token == "":
		fail("missing-input-response")
	case token == "broken":
		fail("internal-error")
	case !known:
		fail("invalid-input-response")
	case got == nil:
		fail("timeout-or-duplicate")
	default:
		s.tokens[token] = nil
		_ = json.NewEncoder(w).Encode(got)
	}
}

func hosted(t *testing.T, kind string) (*Hosted, *fakeProvider) {
	t.Helper()
	s := &fakeProvider{kind: kind, siteKey: "site", secret: "provider-canary", tokens: map[string]map[string]any{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	h, err := NewHosted(HostedOptions{Kind: kind, SiteKey: s.siteKey, Secret: s.secret,
		Hosts: []string{"chat.example.org"}, Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return h, s
}

func kinds() []string { return []string{KindTurnstile, KindHCaptcha, KindReCaptcha, KindReCaptcha3} }

// solved is what the provider of kind answers for a good token.
func solved(kind string, change map[string]any) map[string]any {
	a := map[string]any{"success": true, "hostname": "chat.example.org",
		"challenge_ts": time.Now().UTC().Format("2006-01-02T15:04:05Z07:00"), "error-codes": []string{}}
	switch kind {
	case KindTurnstile:
		a["action"], a["cdata"] = "register", ""
	case KindReCaptcha3:
		a["action"], a["score"] = "register", 0.9
	case KindHCaptcha:
		a["credit"] = false
	}
	for k, v := range change {
		a[k] = v
	}
	return a
}

func TestHostedTakesAGoodTokenOnce(t *testing.T) {
	for _, kind := range kinds() {
		t.Run(kind, func(t *testing.T) {
			h, s := hosted(t, kind)
			s.tokens["good"] = solved(kind, nil)
			r, err := h.Verify(t.Context(), "good", "register", home)
			if err != nil || !r.OK || r.Hostname != "chat.example.org" || time.Since(r.At) > time.Minute {
				t.Fatalf("%+v, %v", r, err)
			}
			if got := s.forms[0]; got.Get("remoteip") != "192.0.2.7" || got.Has("sitekey") != (kind == KindHCaptcha) {
				t.Errorf("it was asked with %v", got)
			}
			if r, err := h.Verify(t.Context(), "good", "register", home); err != nil ||
				r.Reason != domain.CodeCaptchaReused {
				t.Errorf("the second time: %+v, %v", r, err)
			}
			if r, err := h.Verify(t.Context(), "made up", "register", home); err != nil ||
				r.Reason != domain.CodeCaptchaWrong {
				t.Errorf("made up: %+v, %v", r, err)
			}
			asked := len(s.forms)
			for _, token := range []string{"", strings.Repeat("x", maxToken+1)} {
				if r, err := h.Verify(t.Context(), token, "register", home); err != nil ||
					r.Reason != domain.CodeCaptchaMalformed || len(s.forms) != asked {
					t.Errorf("%d bytes: %+v, %v", len(token), r, err)
				}
			}
			if err := (Gate{h}).Check(t.Context(), "made up", "register", home); domain.KindOf(err) != domain.Forbidden {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

func TestHostedRefusesWhatWasSolvedForSomethingElse(t *testing.T) {
	for _, kind := range kinds() {
		tests := map[domain.Code]map[string]any{
			domain.CodeCaptchaWrongHost: {"hostname": "evil.example"},
			domain.CodeCaptchaExpired:   {"challenge_ts": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)},
		}
		if kind == KindTurnstile || kind == KindReCaptcha3 {
			tests[domain.CodeCaptchaWrongAction] = map[string]any{"action": "reset"}
		}
		if kind == KindReCaptcha3 {
			tests[domain.CodeCaptchaLowScore] = map[string]any{"score": 0.3}
		}
		for want, change := range tests {
			h, s := hosted(t, kind)
			s.tokens["token"] = solved(kind, change)
			if r, err := h.Verify(t.Context(), "token", "register", home); err != nil || r.OK || r.Reason != want {
				t.Errorf("%s, %s: %+v, %v", kind, want, r, err)
			}
		}
	}
}

func TestHostedFailsClosed(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"500 success": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			_, _ = fmt.Fprint(w, `{"success":true}`)
		},
		"403 success": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(403)
			_, _ = fmt.Fprint(w, `{"success":true}`)
		},
		"not JSON": func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, "<html>") },
		"endless": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprint(w, strings.Repeat(" ", 2*maxAnswer)+`{"success":true}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
		},
		"no connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		server := httptest.NewServer(answer)
		h, err := NewHosted(HostedOptions{Kind: KindTurnstile, SiteKey: "site", Secret: "provider-canary",
			Hosts: []string{"chat.example.org"}, Endpoint: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		err = Gate{h}.Check(t.Context(), "token", "register", home)
		server.Close()
		if domain.KindOf(err) != domain.Unavailable || strings.Contains(fmt.Sprint(err), "provider-canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	h, s := hosted(t, KindTurnstile)
	s.secret = "another"
	if err := (Gate{h}).Check(t.Context(), "token", "register", home); domain.KindOf(err) != domain.Unavailable ||
		!strings.Contains(err.Error(), "UNHIDRA_CAPTCHA_SECRET") {
		t.Errorf("a wrong secret: %v", err)
	}
	s.secret = "provider-canary"
	if err := (Gate{h}).Check(t.Context(), "broken", "register", home); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("internal-error: %v", err)
	}
}

func TestHostedWaitsThreeSeconds(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	h, err := NewHosted(HostedOptions{Kind: KindHCaptcha, SiteKey: "site", Secret: "s", Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = Gate{h}.Check(t.Context(), "token", "register", home)
	if took := time.Since(begin); domain.KindOf(err) != domain.Unavailable || took < askTimeout || took > 10*askTimeout {
		t.Errorf("after %v: %v", took, err)
	}
}

func TestClientConfig(t *testing.T) {
	for _, kind := range kinds() {
		h, _ := hosted(t, kind)
		c := h.ClientConfig("register")
		b, _ := json.Marshal(c)
		if h.Kind() != kind || c["kind"] != kind || c["site_key"] != "site" || strings.Contains(string(b), "canary") {
			t.Errorf("%s: %s", kind, b)
		}
		if !slices.ContainsFunc(h.Origins(), func(o string) bool {
			u, err := url.Parse(c["script"].(string))
			return err == nil && (o == u.Scheme+"://"+u.Host || strings.HasSuffix(u.Host, strings.TrimPrefix(o, "https://*")))
		}) {
			t.Errorf("%s: the page may not load %v from %v", kind, c["script"], h.Origins())
		}
		if _, err := h.Challenge(t.Context(), "register", home); domain.KindOf(err) != domain.NotFound {
			t.Errorf("%s gives a challenge: %v", kind, err)
		}
	}
	if _, err := NewHosted(HostedOptions{Kind: "none"}); err == nil {
		t.Error("a kind that does not exist is taken")
	}
}
