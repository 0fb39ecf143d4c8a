package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/mailtest"
	"github.com/unhidra/unhidra/internal/testkit/otlptest"
	"github.com/unhidra/unhidra/internal/token"
)

// A watcher sends requests, and keeps what must hold no secret: the URLs, and what
// the server says when it refuses.
type watcher struct {
	t       *testing.T
	s       *live.Server
	seen    bytes.Buffer
	secrets map[string]string
}

// call sends a request and returns the answer's fields.
func (w *watcher) call(method, path, bearer string, body any) map[string]any {
	w.t.Helper()
	b, err := json.Marshal(body)
	must(w.t, err)
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.s.URL+"/api/v1"+path, bytes.NewReader(b))
	must(w.t, err)
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	must(w.t, err)
	w.seen.WriteString(req.URL.String() + "\n")
	if res.StatusCode >= 400 {
		w.seen.Write(answer)
	}
	var out map[string]any
	_ = json.Unmarshal(answer, &out) // an empty answer
	return out
}

// secret keeps something that must be seen nowhere.
func (w *watcher) secret(name string, v any) string {
	w.t.Helper()
	s, _ := v.(string)
	if len(s) < 8 {
		w.t.Fatalf("no %s: %v", name, v)
	}
	w.secrets[name] = s
	return s
}

// Passwords of the account, and one that it does not have.
// changeLevels changes the log as unhidra log-level does, with a token made of the server's key.
func (w *watcher) changeLevels(key string) {
	w.t.Helper()
	keys, err := token.NewKeyring("", []byte(key))
	must(w.t, err)
	req, err := http.NewRequestWithContext(w.t.Context(), http.MethodPatch, "http://"+w.s.Operator+app.LogLevelsPath,
		strings.NewReader(`{"auth":"debug"}`))
	must(w.t, err)
	req.Header.Set("Authorization", "Bearer "+w.secret("operator token", app.OperatorToken(keys)))
	res, err := http.DefaultClient.Do(req)
	must(w.t, err)
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		w.t.Errorf("the levels are not changed: %d", res.StatusCode)
	}
}

const firstPassword, secondPassword, wrongPassword = "first-canary seven otters", "second-canary nine badgers",
	"wrong-canary twelve storks"

// mailed returns the token in the nth mail to the account.
func (w *watcher) mailed(smtp *mailtest.Server, n int) string {
	w.t.Helper()
	link := smtp.Wait(w.t, "ann@example.org", n).Link()
	_, token, _ := strings.Cut(link, "#token=")
	if u, err := url.Parse(link); err != nil || u.Fragment == "" || strings.Contains(u.Path+u.RawQuery, token) {
		w.t.Errorf("a secret in the part of %s that servers see", link)
	}
	return w.secret("link "+string(rune('0'+n)), token)
}

// signIn registers, verifies the address and signs in, with secrets in wrong fields too.
func (w *watcher) signIn(smtp *mailtest.Server) (access string) {
	w.secrets["password"], w.secrets["new password"], w.secrets["wrong password"] =
		firstPassword, secondPassword, wrongPassword
	_, setup, _ := strings.Cut(w.s.Setup, "#token=")
	w.secret("setup link", setup)
	w.call("POST", "/auth/register", "",
		map[string]any{"username": "ann", "email": "ann@example.org", "password": firstPassword})
	w.call("POST", "/auth/email/verify", "", map[string]any{"token": w.mailed(smtp, 1)})
	w.call("POST", "/auth/sign-in", "", map[string]any{"login": firstPassword, "password": "ann"}) // in the wrong field
	w.call("POST", "/auth/sign-in", "", map[string]any{"login": "ann", "password": wrongPassword})
	w.call("POST", "/auth/sign-in", "",
		map[string]any{"login": "ann", "password": firstPassword, "pasword": firstPassword})
	signed := w.call("POST", "/auth/sign-in", "", map[string]any{"login": "ann", "password": firstPassword})
	w.secret("access token", signed["access_token"])
	refresh := w.secret("refresh token", signed["refresh_token"])
	signed = w.call("POST", "/auth/refresh", "", map[string]any{"refresh_token": refresh})
	access = w.secret("second access token", signed["access_token"])
	w.secret("second refresh token", signed["refresh_token"])
	return access
}

// useDevice registers a device, and shows its key also where it does not belong.
func (w *watcher) useDevice(access string) {
	device := w.call("POST", "/devices", access, map[string]any{"name": "Door"})
	key := w.secret("device key", device["key"])
	w.secrets["device key's secret"] = key[14:46]
	dial(w.t, w.s, nil, "device", key)
	dial(w.t, w.s, nil, "bearer", key)
	w.call("GET", "/me", key, nil)
}

// addApp adds an authenticator app, and uses a recovery code twice.
func (w *watcher) addApp(access string) (next string) {
	app := w.call("POST", "/me/totp", access, map[string]any{})
	seed := w.secret("TOTP seed", app["secret"])
	code, err := totp.GenerateCode(seed, time.Now())
	must(w.t, err)
	added := w.call("POST", "/me/totp/confirm", access, map[string]any{"code": code})
	next = w.secret("third access token", added["access_token"])
	codes, _ := added["recovery_codes"].([]any)
	if len(codes) != 10 {
		w.t.Fatalf("%v", added)
	}
	recovery := w.secret("recovery code", codes[0])
	ticket := w.secret("ticket", w.call("POST", "/auth/sign-in", "",
		map[string]any{"login": "ann", "password": firstPassword})["ticket"])
	w.call("POST", "/auth/sign-in/factor", "", map[string]any{"ticket": ticket, "code": recovery, "client": "native"})
	w.call("POST", "/auth/sign-in/factor", "", map[string]any{"ticket": ticket, "code": recovery})
	return next
}

// resetPassword changes the password by a link.
func (w *watcher) resetPassword(smtp *mailtest.Server, access string) {
	w.call("POST", "/auth/password/forgot", "", map[string]any{"login": "ann"})
	for n := 2; ; n++ { // after mails that tell of the factor and the code
		if m := smtp.Wait(w.t, "ann@example.org", n); strings.Contains(m.Link(), "/reset#") {
			w.call("POST", "/auth/password/reset", "", map[string]any{"token": w.mailed(smtp, n), "password": secondPassword})
			break
		}
	}
	w.call("GET", "/me", access, nil) // over
}

// Canaries: a whole life of an account, with every kind of secret that there is,
// also at the wrong places. None of them is in a log at its finest level, an audit
// record, an error, a metric or a URL; and what is hashed or sealed is in no file of
// the database either.
func TestCHK_AU_02_SecretsAreNowhere(t *testing.T) {
	t.Parallel()
	var logged testkit.Buffer
	smtp, otlp := mailtest.Start(t, mailtest.Options{Clear: true, Auth: "PLAIN"}), otlptest.Start(t)
	o := testkit.SQLite(t)
	audits := filepath.Join(t.TempDir(), "audit.jsonl")
	const jwt, server = "jwt-canary-Zk8wq2LmT5xVb9Rd0cYhU4", "server-canary-Qp3sN7eGfAo6Hj1uWiXk"
	s := live.StartLogged(t, o, slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		"UNHIDRA_SMTP_URL="+smtp.URL+"?tls=off", "UNHIDRA_MAIL_FROM=Unhidra <chat@example.org>", "JWT_SECRET="+jwt,
		"UNHIDRA_SERVER_KEY="+server, "UNHIDRA_AUDIT_LOG="+audits, "UNHIDRA_OTLP_URL="+otlp.HTTP, "UNHIDRA_TRACE_SAMPLE=1")
	w := &watcher{t: t, s: s, secrets: map[string]string{"JWT_SECRET": jwt, "UNHIDRA_SERVER_KEY": server,
		"SMTP password": mailtest.Password}}
	w.changeLevels(server)
	access := w.signIn(smtp)
	w.useDevice(access)
	access = w.addApp(access)
	w.resetPassword(smtp, access)

	// With every one of them in a URL that there is not.
	for _, v := range w.secrets {
		if _, body := get(t, s.URL+"/api/v1/rooms?q="+url.QueryEscape(v)); strings.Contains(body, v) {
			t.Errorf("an answer repeats a secret: %s", body)
		}
	}
	_, metrics := get(t, "http://"+s.Operator+"/metrics")
	_, stats := get(t, "http://"+s.Operator+"/stats")
	s.Stop()
	spans := fmt.Sprint(otlp.Spans())

	records, err := os.ReadFile(audits)
	must(t, err)
	if !strings.Contains(logged.String(), "auth.login") || !strings.Contains(string(records), "auth.totp_enroll") ||
		!strings.Contains(metrics, "http_requests_total") || !strings.Contains(spans, "mail.send") {
		t.Error("the logs say nothing")
	}
	var database []byte
	files, err := filepath.Glob(o.Path + "*")
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		database = append(database, b...)
	}
	for where, text := range map[string]string{
		"the log": logged.String(), "the audit log": string(records), "the metrics": metrics, "the stats": stats,
		"a span": spans, "an error or a URL": w.seen.String(), "the database": string(database),
	} {
		t.Run("not in "+where, func(t *testing.T) {
			for name, v := range w.secrets {
				if strings.Contains(text, v) {
					t.Errorf("the %s is in %s", name, where)
				}
			}
		})
	}
}
