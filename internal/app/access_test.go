package app_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/ws"
)

// operation is one of the OpenAPI document, with its parameters filled in by ids
// that exist, and belong to somebody else.
type operation struct {
	id, method, path string
	open             bool
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

func operations(t *testing.T, s *live.Server, fill map[string]string) []operation {
	t.Helper()
	_, body := get(t, s.URL+"/openapi.json")
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Security    []any  `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	var ops []operation
	for path, methods := range doc.Paths {
		for method, op := range methods {
			filled := parameter.ReplaceAllStringFunc(path, func(p string) string {
				v, ok := fill[p[1:len(p)-1]]
				if !ok {
					t.Errorf("%s %s: no value for %s; add one to the test", method, path, p)
				}
				return v
			})
			ops = append(ops, operation{op.OperationID, strings.ToUpper(method), filled, len(op.Security) == 0})
		}
	}
	return ops
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) string {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// try calls an operation with an empty JSON object and returns the answer.
func try(t *testing.T, s *live.Server, o operation, bearer string) (status int, code string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), o.method, s.URL+o.path, bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Fatal(err)
	}
	if o.method != http.MethodGet && o.method != http.MethodDelete {
		req.Header.Set("Content-Type", "application/json")
		if o.id == "set-avatar" {
			req.Header.Set("Content-Type", "image/png")
		}
	} else {
		req.Body = http.NoBody
	}
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var p struct{ Code string }
	_ = json.NewDecoder(res.Body).Decode(&p) // not every answer is JSON
	return res.StatusCode, p.Code
}

// Every operation is called as nobody, as a stranger to all that it names, and as
// somebody who must add a second factor first. A new operation is tested by being
// in the document.
func TestCHK_DV_03_NobodyReachesWhatIsNotTheirs(t *testing.T) {
	s := live.Start(t, testkit.SQLite(t))
	ann, eve := s.User("ann"), s.User("eve")
	var room client.RoomState
	must(t, ann.Do(t.Context(), "POST", "/rooms", map[string]any{"kind": "private", "name": "Den"}, &room))
	var issued struct{ Device struct{ ID string } }
	must(t, ann.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Door"}, &issued))
	me, err := ann.Me(t.Context())
	must(t, err)
	fill := map[string]string{
		"room": room.ID, "user": me.ID, "seq": "1", "invite": "inv_00000000000000000000000000", "code": "nothing", "hash": "nothing", "device": issued.Device.ID,
		"key": "nothing", "session": "ses_00000000000000000000000000", "browser": "rem_00000000000000000000000000", "passkey": "nothing", "provider": "oidc",
	}
	token := eve.Tokens().Access
	for _, o := range operations(t, s, fill) {
		if o.open {
			continue
		}
		if status, code := try(t, s, o, ""); status != http.StatusUnauthorized || code != "no_credentials" {
			t.Errorf("%s as nobody: %d %s", o.id, status, code)
		}
		if strings.HasPrefix(o.path, "/api/v1/me") { // one's own, whoever asks
			continue
		}
		status, code := try(t, s, o, token)
		if strings.HasPrefix(o.path, "/api/v1/admin/") {
			// A body that names nothing is refused before anything is looked at.
			if status != http.StatusForbidden && !(status == http.StatusBadRequest && (code == "one_change" || code == "invalid_request")) {
				t.Errorf("%s as a plain user: %d %s", o.id, status, code)
			}
			continue
		}
		if strings.Contains(o.path, room.ID) || strings.Contains(o.path, issued.Device.ID) {
			if status != http.StatusNotFound && status != http.StatusBadRequest {
				t.Errorf("%s on what is another's: %d %s", o.id, status, code)
			}
		}
	}
}

// Somebody who must add a second factor may do that, sign out, and nothing else.
func TestCHK_MF_06_ALimitedSession(t *testing.T) {
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_REQUIRE_SECOND_FACTOR=everyone")
	ann := s.User("ann")
	token := ann.Tokens().Access
	may := map[string]bool{
		"get-me": true, "step-up": true, "list-factors": true, "enrol-totp": true, "confirm-totp": true, "begin-passkey": true, "add-passkey": true,
		"begin-passkey-step-up": true,
	}
	fill := map[string]string{}
	for _, name := range []string{"room", "user", "seq", "invite", "code", "hash", "device", "key", "session", "browser", "passkey", "provider"} {
		fill[name] = "1"
	}
	for _, o := range operations(t, s, fill) {
		if o.open {
			continue
		}
		status, code := try(t, s, o, token)
		if refused := status == http.StatusForbidden && code == "second_factor_required"; refused == may[o.id] {
			t.Errorf("%s: %d %s", o.id, status, code)
		}
	}
	_, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/ws", nil, []string{"bearer", token}, nil)
	var refused *ws.Refused
	if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a WebSocket: %v", err)
	}
}

// What an administrator does, and what nobody can.
func TestAdministration(t *testing.T) {
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin := client.New(s.URL)
		_, setup, _ := strings.Cut(s.Setup, "#token=")
		must(t, admin.Register(t.Context(), client.Registration{Username: "root", Password: live.Password, SetupToken: setup}))
		bob := s.User("bob")
		me, err := bob.Me(t.Context())
		must(t, err)
		root, err := admin.Me(t.Context())
		must(t, err)
		do := func(want, method, path string, in, out any) {
			t.Helper()
			err := admin.Do(t.Context(), method, "/admin"+path, in, out)
			if code := codeOf(err); code != want {
				t.Errorf("%s %s: %q (%v), want %q", method, path, code, err, want)
			}
		}
		var users struct {
			Items []struct{ Username, Role string }
		}
		do("", "GET", "/users?q=bo", nil, &users)
		if len(users.Items) != 1 || users.Items[0].Username != "bob" {
			t.Errorf("%+v", users)
		}
		do("last_admin", "PATCH", "/users/"+root.ID, map[string]any{"role": "user"}, nil)
		do("last_admin", "PATCH", "/users/"+root.ID, map[string]any{"disabled": true}, nil)
		do("last_admin", "DELETE", "/users/"+root.ID, nil, nil)
		do("one_change", "PATCH", "/users/"+root.ID, map[string]any{}, nil)
		do("no_user", "PATCH", "/users/usr_nobody", map[string]any{"disabled": true}, nil)

		// CHK-TK-08: whoever is kept out is out at once.
		do("", "PATCH", "/users/"+me.ID, map[string]any{"disabled": true}, nil)
		if _, err := bob.Me(t.Context()); err == nil {
			t.Error("a disabled user is still in")
		}
		do("", "PATCH", "/users/"+me.ID, map[string]any{"disabled": false}, nil)
		must(t, bob.SignIn(t.Context(), "bob", live.Password))

		// CHK-RG-04: a password is chosen by its owner, by a link.
		var reset struct{ Link string }
		do("", "POST", "/users/"+me.ID+"/password", nil, &reset)
		if !strings.Contains(reset.Link, "/reset#token=") {
			t.Errorf("%+v", reset)
		}
		if _, err := bob.Me(t.Context()); err == nil {
			t.Error("still signed in after a reset")
		}

		var invite struct{ Link string }
		do("", "POST", "/invites", map[string]any{"note": "Cy"}, &invite)
		_, code, _ := strings.Cut(invite.Link, "#invite=")
		do("", "PATCH", "/settings", map[string]any{"registration": "invite"}, nil)
		do("invalid_request", "PATCH", "/settings", map[string]any{"registration": "perhaps"}, nil)
		wait(t, func() bool {
			err := client.New(s.URL).Register(t.Context(), client.Registration{Username: "dan", Password: live.Password})
			return codeOf(err) == "invite_needed" // within the five seconds that a server takes to follow
		})
		must(t, client.New(s.URL).Do(t.Context(), "POST", "/auth/register", map[string]any{
			"username": "cy", "password": live.Password, "invite": code, "client": "native",
		}, nil))

		// All of it is in the audit log.
		var log struct{ Records []struct{ Type string } }
		do("", "GET", "/audit?limit=500", nil, &log)
		seen := map[domain.AuditType]bool{}
		for _, r := range log.Records {
			seen[domain.AuditType(r.Type)] = true
		}
		for _, want := range []domain.AuditType{
			domain.AuditAdminUserDisable, domain.AuditAdminUserEnable, domain.AuditAdminPasswordReset, domain.AuditAdminInvite, domain.AuditConfigChange,
			domain.AuditRegister, domain.AuditLogin,
		} {
			if !seen[want] {
				t.Errorf("no %s in the audit log", want)
			}
		}
	})
}
