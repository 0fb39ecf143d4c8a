package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
)

// send posts JSON as a browser would, with headers of the caller's own.
func send(t *testing.T, s *live.Server, path string, body any, header http.Header) *http.Response {
	t.Helper()
	b, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/api/v1"+path, bytes.NewReader(b))
	must(t, err)
	req.Header.Set("Content-Type", "application/json")
	for name, v := range header {
		req.Header[name] = v
	}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	_ = res.Body.Close()
	return res
}

// A secret that was made for one purpose opens nothing else.
func TestCHK_TK_03_OtherSecretsAreNoAccessTokens(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	var issued struct{ Key string }
	must(t, ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Door"}, &issued))
	for name, secret := range map[string]string{"refresh token": ann.Tokens().Refresh, "setup link": setup,
		"device key": issued.Key} {
		if secret == "" {
			t.Fatalf("no %s", name)
		}
		if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "",
			secret); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
		if res := send(t, s, "/auth/sign-in/factor", map[string]any{"ticket": secret, "code": "000000"},
			nil); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s as a ticket: %d", name, res.StatusCode)
		}
		if res := send(t, s, "/auth/password/reset", map[string]any{"token": secret, "password": live.Password},
			nil); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s as a reset link: %d", name, res.StatusCode)
		}
	}
}

// A role that was taken away is gone at once, not when the token ends.
func TestCHK_TK_11_RolesChangeAtOnce(t *testing.T) {
	s := live.Start(t, testkit.SQLite(t))
	root := client.New(s.URL)
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	must(t, root.Register(t.Context(), client.Registration{Username: "root", Password: live.Password, SetupToken: setup}))
	bob := s.User("bob")
	me, err := bob.Me(t.Context())
	must(t, err)
	must(t, root.Do(t.Context(), "PATCH", "/admin/users/"+me.ID, map[string]any{"role": "admin"}, nil))
	must(t, bob.SignIn(t.Context(), "bob", live.Password))
	old := bob.Tokens().Access
	must(t, bob.Do(t.Context(), "GET", "/admin/users", nil, nil))
	must(t, root.Do(t.Context(), "PATCH", "/admin/users/"+me.ID, map[string]any{"role": "user"}, nil))
	if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/admin/users"}, "",
		old); status != http.StatusUnauthorized {
		t.Errorf("the old token: %d", status)
	}
}

// Pages of other sites make the browser send requests; none of them counts.
func TestCHK_AP_02_OtherSitesPages(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	in := map[string]any{"login": "ann", "password": live.Password, "client": "web"}
	for name, header := range map[string]http.Header{
		"cross-site fetch":   {"Sec-Fetch-Site": {"cross-site"}},
		"same-site fetch":    {"Sec-Fetch-Site": {"same-site"}},
		"another origin":     {"Origin": {"https://evil.example"}},
		"an opaque origin":   {"Origin": {"null"}},
		"a form":             {"Content-Type": {"application/x-www-form-urlencoded"}},
		"a form's text":      {"Content-Type": {"text/plain"}},
		"another host's own": {"Origin": {"http://" + s.Public + ".evil.example"}},
	} {
		if res := send(t, s, "/auth/sign-in", in, header); res.StatusCode != http.StatusForbidden &&
			res.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

// Whoever can send a header cannot choose the address that is counted.
func TestCHK_AP_01_InventedAddresses(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_LOGIN_PER_MINUTE=3", "RATE_LIMIT_LOGIN_BURST=3")
	last := 0
	for i := range 6 {
		from := fmt.Sprintf("203.0.113.%d", i)
		res := send(t, s, "/auth/sign-in", map[string]any{"login": "nobody" + strconv.Itoa(i), "password": "a wrong guess"},
			http.Header{
				"X-Forwarded-For": {from}, "X-Real-Ip": {from}, "Forwarded": {"for=" + from},
			})
		last = res.StatusCode
		if last == http.StatusTooManyRequests && res.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if last != http.StatusTooManyRequests { // CHK-LG-04
		t.Errorf("the sixth attempt: %d", last)
	}
}

// What is said about credentials is kept by nobody on the way.
func TestCHK_AP_07_NothingIsCached(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	for _, path := range []string{"/auth/sign-in", "/auth/register", "/auth/refresh", "/auth/password/forgot",
		"/auth/sign-in/factor"} {
		if res := send(t, s, path, map[string]any{}, nil); res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %q", path, res.Header.Get("Cache-Control"))
		}
	}
	if res := send(t, s, "/auth/sign-in", map[string]any{"login": strings.Repeat("a", 20<<10), "password": ""},
		nil); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("20 KiB of a name: %d", res.StatusCode)
	}
}

// Whether a user exists shows in no answer's time: the medians of interleaved
// sign-ins as somebody and as nobody are close. Few of them on a machine with other
// work say little, so that a round which differs by more than a quarter is followed
// by another; with UNHIDRA_TEST_LONG=1 there are five hundred of each, and five per
// cent is too much.
func TestCHK_LG_01_TimeTellsNothing(t *testing.T) {
	tries, rounds, most := 15, 6, 1.25
	if os.Getenv("UNHIDRA_TEST_LONG") == "1" {
		tries, rounds, most = 500, 3, 1.05
	}
	s := live.StartHashing(t, testkit.SQLite(t), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1")
	n := 0
	once := func(name string) time.Duration {
		n++ // each from an address of its own, so that no lock shortens it
		from := http.Header{"X-Forwarded-For": {fmt.Sprintf("10.%d.%d.%d", n/62500, n/250%250, n%250+1)}}
		begin := time.Now()
		res := send(t, s, "/auth/sign-in", map[string]any{"login": name, "password": "a wrong guess"}, from)
		if res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s: %d", name, res.StatusCode)
		}
		return time.Since(begin)
	}
	ratio := 0.0
	for round := range rounds {
		var known, unknown []time.Duration
		name := ""
		for i := range tries {
			if i%8 == 0 { // before ten failures lock the name for strangers
				name = fmt.Sprintf("ann-%d-%d", round, i)
				s.User(name)
			}
			a, b := func() { known = append(known, once(name)) }, func() { unknown = append(unknown, once("no"+name)) }
			if i%2 == 1 { // neither is always the first
				a, b = b, a
			}
			a()
			b()
		}
		slices.Sort(known)
		slices.Sort(unknown)
		a, b := known[tries/2].Seconds(), unknown[tries/2].Seconds()
		ratio = max(a, b) / min(a, b)
		t.Logf("%d of each: medians of %.1f ms for a user, %.1f ms for nobody: a factor of %.3f", tries, a*1000, b*1000,
			ratio)
		if ratio <= most {
			return
		}
	}
	t.Errorf("the medians differ by a factor of %.3f in the last of %d rounds, and by more than %.2f in each", ratio,
		rounds, most)
}

// A session that is ended elsewhere is over for HTTP within a second, and its
// socket within two; the session that ended it goes on.
func TestCHK_TK_04_EndedEverywhereWithinSeconds(t *testing.T) {
	live.Each(t, func(t *testing.T, s *live.Server) {
		ctx := t.Context()
		ann, phone := s.User("ann"), client.New(s.URL)
		must(t, phone.SignIn(ctx, "ann", live.Password))
		ended := make(chan error, 10)
		l := phone.Live(ctx, client.LiveOptions{OnState: func(st client.State, err error) {
			if st == client.Ended || st == client.Waiting {
				ended <- err
			}
		}})
		t.Cleanup(l.Close)
		must(t, l.Ready(ctx))
		var list struct {
			Items []struct {
				ID      string
				Current bool
			}
		}
		must(t, ann.Do(ctx, "GET", "/me/sessions", nil, &list))
		old := phone.Tokens().Access
		for _, v := range list.Items {
			if !v.Current {
				must(t, ann.Do(ctx, "DELETE", "/me/sessions/"+v.ID, nil, nil))
			}
		}
		begin := time.Now()
		if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "", old); status != http.StatusUnauthorized {
			t.Errorf("the token answers %d", status)
		}
		if took := time.Since(begin); took > time.Second+busy {
			t.Errorf("HTTP took %v", took)
		}
		ends(t, ended, begin)
		if _, err := ann.Me(ctx); err != nil {
			t.Errorf("the other session: %v", err)
		}
	})
}

// A page of another site opens no socket, with or without a good token: it would
// have the visitor's cookies, which count for nothing, and an origin, which does.
func TestCHK_WS_01_OtherSitesPages(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	token := s.User("ann").Tokens().Access
	for origin, want := range map[string]int{
		"": http.StatusSwitchingProtocols, s.URL: http.StatusSwitchingProtocols,
		"https://evil.example": http.StatusForbidden, "null": http.StatusForbidden,
		s.URL + ".evil.example": http.StatusForbidden, "https://" + s.Public + ":1": http.StatusForbidden,
	} {
		h := http.Header{"Cookie": {"unhidra=whatever"}}
		if origin != "" {
			h.Set("Origin", origin)
		}
		if got := dial(t, s, h, "bearer", token); got != want {
			t.Errorf("from %q: %d, want %d", origin, got, want)
		}
	}
	if got := dial(t, s, http.Header{"Cookie": {"unhidra=" + token}, "Origin": {s.URL}}); got != http.StatusUnauthorized {
		t.Errorf("by a cookie alone: %d", got)
	}
}

// Links and redirects lead to where the operator says that the server is, whatever
// host a request names and whatever a path or a query would like.
func TestCHK_AP_04_NobodyChoosesWhereLinksLead(t *testing.T) {
	t.Parallel()
	smtp := mailtest.Start(t, mailtest.Options{Clear: true})
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_SMTP_URL="+smtp.URL+"?tls=off", "UNHIDRA_MAIL_FROM=chat@example.org",
		"UNHIDRA_PUBLIC_URL=https://chat.example.org")
	body := `{"username":"ann","email":"ann@example.org","password":"` + live.Password + `"}`
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+s.Public+"/api/v1/auth/register",
		strings.NewReader(body))
	must(t, err)
	req.Host = "evil.example"
	req.Header.Set("Content-Type", "application/json")
	req.Header["X-Forwarded-Host"] = []string{"evil.example"}
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	_ = res.Body.Close()
	if mail := smtp.Wait(t, "ann@example.org", 1); !strings.HasPrefix(mail.Link(),
		"https://chat.example.org/verify#token=") || strings.Contains(mail.Raw, "evil.example") {
		t.Errorf("%d: the mail has %s", res.StatusCode, mail.Link())
	}
	follow := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, path := range []string{
		"//evil.example", "//evil.example/%2e%2e", "/%5cevil.example", "/signed-in?next=https://evil.example",
		"/api/v1//evil.example",
		"/docs?url=https://evil.example/x.json", "/api/v1/auth/provider?redirect=https://evil.example",
		"/assets/..//evil.example",
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+s.Public, nil)
		must(t, err)
		req.URL.Opaque = path // as it stands
		res, err := follow.Do(req)
		must(t, err)
		_ = res.Body.Close()
		location := res.Header.Get("Location")
		if to, err := url.Parse(location); err != nil || to.Host != "" && to.Host != s.Public {
			t.Errorf("%s leads to %q", path, location)
		}
	}
}
