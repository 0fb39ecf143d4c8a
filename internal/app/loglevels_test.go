package app_test

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/token"
)

// Log levels change while the server runs, by whoever has its key, and the audit log knows.
func TestLogLevelsChangeWithTheServersKey(t *testing.T) {
	t.Parallel()
	const key = "the key of this server, for levels"
	var logged testkit.Buffer
	audits := filepath.Join(t.TempDir(), "audit.jsonl")
	s := live.StartLogged(t, testkit.SQLite(t), obs.NewLogger(&logged, "debug", "json"), "UNHIDRA_LOG_LEVEL=info",
		"UNHIDRA_LOG_LEVELS=hub=error", "UNHIDRA_SERVER_KEY="+key, "UNHIDRA_AUDIT_LOG="+audits)
	keys, err := token.NewKeyring("", []byte(key))
	must(t, err)
	bearer := app.OperatorToken(keys)
	ask := func(method, bearer, body string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Operator+app.LogLevelsPath,
			strings.NewReader(body))
		must(t, err)
		req.Header.Set("Authorization", "Bearer "+bearer)
		res, err := http.DefaultClient.Do(req)
		must(t, err)
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		must(t, err)
		return res.StatusCode, string(b)
	}
	finely := func() bool {
		t.Helper()
		before := len(logged.String())
		get(t, s.URL+"/health") // a line of level debug
		return strings.Contains(logged.String()[before:], `"level":"DEBUG","msg":"request"`)
	}
	if finely() {
		t.Error("debug is on")
	}
	for _, c := range []struct {
		method, bearer, body string
		status               int
		says                 string
	}{
		{"PATCH", "", `{"http":"debug"}`, 401, "the server's key"},
		{"PATCH", bearer + "0", `{"http":"debug"}`, 401, "the server's key"},
		{"DELETE", "", "", 401, "the server's key"},
		{"PATCH", bearer, `{"htpp":"debug"}`, 400, "is no part"},
		{"PATCH", bearer, `{"http":"loud"}`, 400, "is no level"},
		{"PATCH", bearer, `http`, 400, "it is not JSON"},
		{"GET", "", "", 200, `"hub":"error"`},
	} {
		if status, body := ask(c.method, c.bearer, c.body); status != c.status || !strings.Contains(body, c.says) {
			t.Errorf("%s %s: %d %s", c.method, c.body, status, body)
		}
	}
	if finely() {
		t.Error("debug is on after what was refused")
	}
	if status, body := ask("PATCH", bearer, `{"http":"debug"}`); status != 200 ||
		!strings.Contains(body, `"http":"debug"`) {
		t.Errorf("%d %s", status, body)
	}
	if !finely() {
		t.Error("debug is not on")
	}
	if status, body := ask("DELETE", bearer, ""); status != 200 || !strings.Contains(body, `"http":"info"`) ||
		!strings.Contains(body, `"hub":"error"`) {
		t.Errorf("%d %s", status, body)
	}
	if finely() {
		t.Error("debug is still on")
	}
	s.Stop()
	records, err := os.ReadFile(audits)
	must(t, err)
	if n := strings.Count(string(records), `"log_levels"`); n != 2 {
		t.Errorf("%d changes recorded", n)
	}
	if strings.Contains(logged.String()+string(records), bearer) {
		t.Error("the token is in a log")
	}
}
