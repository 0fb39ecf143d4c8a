package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
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
	s := live.Start(t, testkit.SQLite(t))
	ann := s.User("ann")
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	var issued struct{ Key string }
	must(t, ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Door"}, &issued))
	for name, secret := range map[string]string{"refresh token": ann.Tokens().Refresh, "setup link": setup, "device key": issued.Key} {
		if secret == "" {
			t.Fatalf("no %s", name)
		}
		if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "", secret); status != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, status)
		}
		if res := send(t, s, "/auth/sign-in/factor", map[string]any{"ticket": secret, "code": "000000"}, nil); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s as a ticket: %d", name, res.StatusCode)
		}
		if res := send(t, s, "/auth/password/reset", map[string]any{"token": secret, "password": live.Password}, nil); res.StatusCode != http.StatusForbidden {
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
	if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/admin/users"}, "", old); status != http.StatusUnauthorized {
		t.Errorf("the old token: %d", status)
	}
}

// Pages of other sites make the browser send requests; none of them counts.
func TestCHK_AP_02_OtherSitesPages(t *testing.T) {
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
		if res := send(t, s, "/auth/sign-in", in, header); res.StatusCode != http.StatusForbidden && res.StatusCode != http.StatusUnsupportedMediaType {
			t.Errorf("%s: %d", name, res.StatusCode)
		}
	}
}

// Whoever can send a header cannot choose the address that is counted.
func TestCHK_AP_01_InventedAddresses(t *testing.T) {
	s := live.Start(t, testkit.SQLite(t), "RATE_LIMIT_LOGIN_PER_MINUTE=3", "RATE_LIMIT_LOGIN_BURST=3")
	last := 0
	for i := range 6 {
		from := fmt.Sprintf("203.0.113.%d", i)
		res := send(t, s, "/auth/sign-in", map[string]any{"login": "nobody" + strconv.Itoa(i), "password": "a wrong guess"}, http.Header{
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
	s := live.Start(t, testkit.SQLite(t))
	for _, path := range []string{"/auth/sign-in", "/auth/register", "/auth/refresh", "/auth/password/forgot", "/auth/sign-in/factor"} {
		if res := send(t, s, path, map[string]any{}, nil); res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %q", path, res.Header.Get("Cache-Control"))
		}
	}
	if res := send(t, s, "/auth/sign-in", map[string]any{"login": strings.Repeat("a", 20<<10), "password": ""}, nil); res.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("20 KiB of a name: %d", res.StatusCode)
	}
}

// Whether a user exists shows in no answer's time. Five hundred of each take a
// few minutes, and are tried with UNHIDRA_TEST_LONG=1; fewer say less, and allow
// more.
func TestCHK_LG_01_TimeTellsNothing(t *testing.T) {
	tries, most := 12, 3.0
	if os.Getenv("UNHIDRA_TEST_LONG") == "1" {
		tries, most = 500, 1.05
	}
	t.Logf("%d sign-ins of each kind; the medians may differ by a factor of %.2f", tries, most)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1")
	s.User("ann")
	var known, unknown []time.Duration
	once := func(name string, i int) time.Duration {
		// Each from an address of its own, so that no lock shortens it.
		from := http.Header{"X-Forwarded-For": {fmt.Sprintf("10.%d.%d.%d", len(name), i/250, i%250+1)}}
		begin := time.Now()
		res := send(t, s, "/auth/sign-in", map[string]any{"login": name, "password": "a wrong guess"}, from)
		if res.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s: %d", name, res.StatusCode)
		}
		return time.Since(begin)
	}
	for i := range tries {
		if i%8 == 0 && i > 0 { // before ten failures lock the name for strangers
			s.User("ann" + strconv.Itoa(i))
		}
		name := "ann"
		if i >= 8 {
			name += strconv.Itoa(i / 8 * 8)
		}
		known = append(known, once(name, i))
		unknown = append(unknown, once("no"+name, i))
	}
	slices.Sort(known)
	slices.Sort(unknown)
	a, b := known[tries/2].Seconds(), unknown[tries/2].Seconds()
	t.Logf("medians: %.1f ms for a user, %.1f ms for nobody", a*1000, b*1000)
	if ratio := max(a, b) / min(a, b); ratio > most {
		t.Errorf("the medians differ by a factor of %.2f", ratio)
	}
}
