package app_test

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/auth"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// A hook is a receiver of the audit log that checks signatures.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	text strings.Builder
	last int64
}

const hookSecret = "jx8Vq2Lm-9fRt0ZbW4cYh7Kp1sNd6GaE"

func newHook(t *testing.T) *hook {
	h := &hook{}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("X-Audit-Signature") != "v1="+
			hex.EncodeToString(audit.Signature([]byte(hookSecret), r.Header.Get("X-Audit-Timestamp"), body)) {
			t.Errorf("signature %q", r.Header.Get("X-Audit-Signature"))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		for line := range strings.Lines(string(body)) {
			var m struct{ Seq int64 }
			if err := json.Unmarshal([]byte(line), &m); err != nil || m.Seq > h.last+1 {
				t.Errorf("after %d came %q, %v", h.last, line, err)
			}
			h.last = max(h.last, m.Seq) // each comes at least once
		}
		h.text.Write(body)
	}))
	t.Cleanup(h.Close)
	return h
}

// On a whole server: what people do is recorded with where they did it from,
// administrators and nobody else can read it, receivers get it, nothing secret is
// in it, and the chain holds.
func TestCHK_AU_01_AuditOfAWholeServer(t *testing.T) {
	t.Parallel()
	testkit.Each(t, func(t *testing.T, o store.Options) {
		const canary = "canary-b7Qx seven wrong otters"
		h := newHook(t)
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		s := live.Start(t, o, "UNHIDRA_AUDIT_WEBHOOK="+h.URL, "UNHIDRA_AUDIT_WEBHOOK_SECRET="+hookSecret,
			"UNHIDRA_AUDIT_LOG="+file)
		ctx := t.Context()
		ann, bob := s.User("ann"), s.User("bob")
		if err := client.New(s.URL).SignIn(ctx, "ann", canary); err == nil {
			t.Fatal("signed in with a wrong password")
		}
		admin(t, o, "ann")
		if err := ann.SignIn(ctx, "ann", live.Password); err != nil {
			t.Fatal(err)
		}
		var page struct{ Records []audit.Entry }
		if err := bob.Do(ctx, "GET", "/admin/audit", nil, &page); err == nil {
			t.Error("bob may read the audit log")
		}
		seen := func() map[string]audit.Entry {
			page.Records = nil
			if err := ann.Do(ctx, "GET", "/admin/audit?type=auth.*&limit=500", nil, &page); err != nil {
				t.Fatal(err)
			}
			m := make(map[string]audit.Entry)
			for _, e := range page.Records {
				m[e.Type+" "+e.Outcome] = e
			}
			return m
		}
		want := []string{"auth.register success", "auth.login failure", "auth.login success"}
		got := seen()
		for end := time.Now().Add(patience); time.Now().Before(end) &&
			(got[want[0]].Seq == 0 || got[want[1]].Seq == 0 || got[want[2]].Seq == 0); got = seen() {
		}
		for _, name := range want {
			e := got[name]
			if e.Seq == 0 || e.Addr != "127.0.0.1" || e.UserAgent == "" || e.RequestID == "" || e.Time == "" || e.Node == "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
		if got["auth.login failure"].Reason == "" {
			t.Errorf("no reason: %+v", got["auth.login failure"])
		}
		var verdict struct {
			Intact   bool
			Problems []string
		}
		if err := ann.Do(ctx, "POST", "/admin/audit/verify", nil, &verdict); err != nil || !verdict.Intact {
			t.Errorf("verify: %+v, %v", verdict, err)
		}
		tokens := ann.Tokens()
		s.Stop()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if !strings.Contains(h.text.String(), "audit.stop") || !strings.Contains(string(b), "audit.stop") {
			t.Error("a receiver does not have the end of the log")
		}
		for _, secret := range []string{canary, live.Password, tokens.Access, tokens.Refresh} {
			if secret != "" && (strings.Contains(h.text.String(), secret) || strings.Contains(string(b), secret)) {
				t.Errorf("a secret is in what receivers get: %.10s...", secret)
			}
		}
	})
}

func admin(t *testing.T, o store.Options, name string) {
	t.Helper()
	o.Tool = true
	db, err := all.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	op := &auth.Operator{Store: app.OperatorStore(db), Log: testkit.Logger(t)}
	if _, err := op.SetRole(t.Context(), name, domain.SystemAdmin); err != nil {
		t.Fatal(err)
	}
}
