package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/audit"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/trace"
)

// at walks into decoded JSON: "event.category.0".
func at(v any, path string) any {
	for key := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			v = x[key[0]-'0']
		default:
			return nil
		}
	}
	return v
}

func TestFormats(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s := audit.New(deps(t, db.Audit))
	when := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.UTC)
	failed := login(1)
	failed.Time, failed.Outcome, failed.Reason, failed.Session, failed.Port = when, domain.AuditFailure, "wrong_password",
		"ses_1", 4711
	locked := domain.AuditEvent{Type: domain.AuditLock, Time: when, Target: domain.AuditTarget{Kind: "user", ID: "usr_9"},
		Addr: failed.Addr}
	device := domain.AuditEvent{Type: domain.AuditDeviceRegister, Time: when, Actor: failed.Actor,
		Target: domain.AuditTarget{Kind: "device", ID: "dev_1"}}
	rate := limited("192.0.2.1")
	rate.Time = when
	tracer, err := trace.New(trace.Options{URL: "http://127.0.0.1:1", Share: 1})
	if err != nil {
		t.Fatal(err)
	}
	traced, _ := tracer.Request(t.Context(), "HTTP", "", "")
	for i, e := range []domain.AuditEvent{failed, locked, device, rate} {
		ctx := t.Context()
		if i == 1 {
			ctx = traced
		}
		if err := s.RecordSync(ctx, e); err != nil {
			t.Fatal(err)
		}
	}
	rs := records(t, db.Audit)
	for _, c := range []struct {
		format string
		record int
		want   map[string]any
	}{
		{"native", 0, map[string]any{"type": "auth.login", "src_ip": "192.0.2.7", "src_port": 4711.0,
			"user_agent": "Mozilla/5.0", "actor_name": "Ann Example", "seq": 1.0}},
		{"ecs", 0, map[string]any{
			"@timestamp": "2026-01-02T03:04:05.6789Z", "event.kind": "event", "event.category.0": "authentication",
			"event.type.0": "start", "event.outcome": "failure",
			"event.action": "auth.login", "event.reason": "wrong_password", "user.id": "usr_1", "user.name": "Ann Example",
			"source.ip": "192.0.2.7", "source.port": 4711.0,
			"user_agent.original": "Mozilla/5.0", "related.ip.0": "192.0.2.7", "related.user.1": "Ann Example",
			"http.request.id": "req_1", "service.version": "1.2.3", "labels.method": "pwd", "trace.id": nil,
		}},
		{"ecs", 1, map[string]any{"event.category.0": "iam", "event.type.0": "user", "event.type.1": "change",
			"user.target.id": "usr_9", "trace.id": trace.ID(traced)}},
		{"ecs", 3, map[string]any{"event.category.0": "network", "event.type.0": "connection", "event.type.1": "denied",
			"event.outcome": "failure", "labels.rate_policy": "login"}},
		{"ocsf", 0, map[string]any{
			"class_uid": 3002.0, "category_uid": 3.0, "activity_id": 1.0, "type_uid": 300201.0, "severity_id": 2.0,
			"time": float64(when.UnixMilli()), "status_id": 2.0,
			"status_detail": "INVALID_CREDENTIALS", "is_mfa": true, "user.uid": "usr_1", "user.name": "Ann Example",
			"src_endpoint.ip": "192.0.2.7", "service.name": "unhidra",
			"dst_endpoint.hostname": "chat.example.org", "metadata.product.name": "Unhidra", "metadata.version": "1.5.0",
			"metadata.sequence": 1.0, "http_request.user_agent": "Mozilla/5.0",
		}},
		{"ocsf", 1, map[string]any{"class_uid": 3001.0, "activity_id": 9.0, "type_uid": 300109.0, "user.uid": "usr_9",
			"severity_id": 3.0, "status_id": 1.0}},
		{"ocsf", 2, map[string]any{"class_uid": 3004.0, "activity_id": 6.0, "entity.uid": "dev_1",
			"actor.user.uid": "usr_1"}},
		{"ocsf", 3, map[string]any{"class_uid": 6003.0, "category_uid": 6.0, "disposition_id": 2.0,
			"metadata.profiles.0": "security_control", "api.operation": "ratelimit.exceeded", "src_endpoint.ip": "192.0.2.7"}},
	} {
		line := audit.NewFormat(c.format, "1.2.3", "chat.example.org").Line(rs[c.record])
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for path, want := range c.want {
			if got := at(v, path); got != want {
				t.Errorf("%s of record %d: %s is %v, want %v\n%s", c.format, c.record, path, got, want, line)
			}
		}
	}
	cef := string(audit.NewFormat("cef", "1.2.3", "chat.example.org").Line(rs[0]))
	if !strings.HasPrefix(cef,
		"CEF:0|Unhidra|Unhidra|1.2.3|auth.login|auth login: failure|4|rt=1767323045678 externalId=1 src=192.0.2.7 spt=4711 "+
			"suid=usr_1 suser=Ann Example ") ||
		!strings.Contains(cef, "outcome=failure reason=wrong_password requestClientApplication=Mozilla/5.0") ||
		!strings.Contains(cef, "cs1Label=factors cs1=pwd totp") {
		t.Errorf("%s", cef)
	}
}

// What a receiver of native lines has is enough to follow the chain by.
func TestNativeLinesCarryTheChain(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s := audit.New(deps(t, db.Audit))
	fill(t, s, 8)
	for _, r := range records(t, db.Audit) {
		var m map[string]any
		if err := json.Unmarshal(native().Line(r), &m); err != nil {
			t.Fatal(err)
		}
		hashes, _ := m["personal"].(map[string]any)
		for name := range hashes {
			delete(m, name)
		}
		delete(m, "hash")
		delete(m, "salt")
		// Go's encoder sorts keys as well, and escapes nothing that is in here.
		text, err := json.Marshal(m)
		if err != nil || string(text) != string(r.Body) && r.Type != string(domain.AuditCheckpointed) {
			t.Errorf("%s\nis not\n%s", text, r.Body)
		}
	}
}

// TestNamesCannotBreakALine: whatever stands in a name or a browser's, a line of any
// format is one line for every reader, keeps its direction, and says the same to a
// parser; so is a message of syslog and an event of Splunk.
func TestNamesCannotBreakALine(t *testing.T) {
	t.Parallel()
	db := testkit.Open(t, testkit.SQLite(t))
	s := audit.New(deps(t, db.Audit))
	const steers = "a\n\r\t\v\f\x1b\x7f\u0085\u009b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069\ufeffz"
	e := login(1)
	e.Actor.Name, e.UserAgent, e.Details = steers, steers, map[string]string{"note": steers}
	if err := s.RecordSync(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	r := records(t, db.Audit)[0]
	for _, name := range audit.Formats() {
		line := string(audit.NewFormat(name, steers, steers).Line(r))
		if i := strings.IndexFunc(line, obs.IsControl); i >= 0 {
			t.Errorf("%s: raw %q in %q", name, line[i:min(i+3, len(line))], line)
		}
		if name == "cef" {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		path := map[string]string{"native": "user_agent", "ecs": "user_agent.original",
			"ocsf": "http_request.user_agent"}[name]
		if got := at(v, path); got != steers {
			t.Errorf("%s: a parser reads %q", name, got)
		}
	}
}
