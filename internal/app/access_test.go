package app_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/ws"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) domain.Code {
	var refused *client.Error
	if errors.As(err, &refused) {
		return refused.Code
	}
	return ""
}

// isOut checks that the tokens of c have ended: on the node that ended them before it
// answered, and on the others of a cluster, one of which is asked here, in a moment.
func isOut(t *testing.T, c *client.Client) {
	t.Helper()
	out := func() bool { return codeOf(c.Do(t.Context(), "GET", "/me", nil, nil)) == domain.CodeSignedOut }
	if strings.HasSuffix(t.Name(), "/cluster") {
		wait(t, out)
	} else if !out() {
		t.Error("still signed in")
	}
}

// Somebody who must add a second factor may do that, sign out, and nothing else.
func TestCHK_MF_06_ALimitedSession(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_REQUIRE_SECOND_FACTOR=everyone")
	ann := s.User("ann")
	token := ann.Tokens().Access
	may := map[string]bool{
		"get-me": true, "step-up": true, "list-factors": true, "enrol-totp": true, "confirm-totp": true,
		"begin-passkey": true, "add-passkey": true,
		"begin-passkey-step-up": true,
	}
	for _, o := range operations(t, s, anything) {
		if o.open {
			continue
		}
		status, code := try(t, s, o, "", token)
		if o.ofBots() && status == http.StatusUnauthorized {
			continue
		}
		if refused := status == http.StatusForbidden && code == domain.CodeSecondFactorRequired; refused == may[o.id] {
			t.Errorf("%s: %d %s", o.id, status, code)
		}
	}
	_, _, err := ws.Dial(t.Context(), "ws"+strings.TrimPrefix(s.URL, "http")+"/ws", nil, []string{"bearer", token}, nil)
	var refused *ws.Refused
	if !errors.As(err, &refused) || refused.Status != http.StatusForbidden {
		t.Errorf("a WebSocket: %v", err)
	}
}

// A page learns from the server where people should have opened it.
func TestServerTellsItsAddress(t *testing.T) {
	t.Parallel()
	const url = "https://chat.example.org"
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_PUBLIC_URL="+url)
	var server struct{ URL string }
	must(t, client.New("http://"+s.Public).Do(t.Context(), "GET", "/server", nil, &server))
	if server.URL != url {
		t.Errorf("it says %q", server.URL)
	}
}

// A setting that was changed counts at once on the server where that was done.
func TestAChangedSettingCountsAtOnce(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	admin := client.New(s.URL)
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	must(t, admin.Register(t.Context(), client.Registration{Username: "root", Password: live.Password, SetupToken: setup}))
	for i, way := range []string{"invite", "open", "invite"} {
		must(t, admin.Do(t.Context(), "PATCH", "/admin/settings", map[string]any{"registration": way}, nil))
		err := client.New(s.URL).Register(t.Context(), client.Registration{Username: fmt.Sprint("dan", i),
			Password: live.Password})
		if refused := codeOf(err) == domain.CodeInviteNeeded; refused != (way == "invite") {
			t.Errorf("after it was set to %s: %v", way, err)
		}
	}
}

// What an administrator does, and what nobody can.
func TestCHK_RG_04_TK_08_Administration(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin := client.New(s.URL)
		_, setup, _ := strings.Cut(s.Setup, "#token=")
		must(t, admin.Register(t.Context(), client.Registration{Username: "root", Password: live.Password,
			SetupToken: setup}))
		bob := s.User("bob")
		me, err := bob.Me(t.Context())
		must(t, err)
		root, err := admin.Me(t.Context())
		must(t, err)
		do := func(want domain.Code, method, path string, in, out any) {
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
		do(domain.CodeLastAdmin, "PATCH", "/users/"+root.ID, map[string]any{"role": "user"}, nil)
		do(domain.CodeLastAdmin, "PATCH", "/users/"+root.ID, map[string]any{"disabled": true}, nil)
		do(domain.CodeLastAdmin, "DELETE", "/users/"+root.ID, nil, nil)
		do(domain.CodeOneChange, "PATCH", "/users/"+root.ID, map[string]any{}, nil)
		do(domain.CodeNoUser, "PATCH", "/users/usr_nobody", map[string]any{"disabled": true}, nil)

		// CHK-TK-08: whoever is kept out is out at once.
		do("", "PATCH", "/users/"+me.ID, map[string]any{"disabled": true}, nil)
		isOut(t, bob)
		do("", "PATCH", "/users/"+me.ID, map[string]any{"disabled": false}, nil)
		must(t, bob.SignIn(t.Context(), "bob", live.Password))

		// CHK-RG-04: a password is chosen by its owner, by a link.
		var reset struct{ Link string }
		do("", "POST", "/users/"+me.ID+"/password", nil, &reset)
		if !strings.Contains(reset.Link, "/reset#token=") {
			t.Errorf("%+v", reset)
		}
		isOut(t, bob)

		var invite struct{ Link string }
		do("", "POST", "/invites", map[string]any{"note": "Cy"}, &invite)
		_, code, _ := strings.Cut(invite.Link, "#invite=")
		do("", "PATCH", "/settings", map[string]any{"registration": "invite"}, nil)
		do(domain.CodeInvalidRequest, "PATCH", "/settings", map[string]any{"registration": "perhaps"}, nil)
		wait(t, func() bool {
			err := client.New(s.URL).Register(t.Context(), client.Registration{Username: "dan", Password: live.Password})
			return codeOf(err) == domain.CodeInviteNeeded // within the five seconds that a server takes to follow
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
			domain.AuditAdminUserDisable, domain.AuditAdminUserEnable, domain.AuditAdminPasswordReset, domain.AuditAdminInvite,
			domain.AuditConfigChange,
			domain.AuditRegister, domain.AuditLogin,
		} {
			if !seen[want] {
				t.Errorf("no %s in the audit log", want)
			}
		}
	})
}

// People find all of a server, and those of their rooms alone if they ask for them.
func TestPeopleOfOnesRooms(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	ann, bob, _ := s.User("ann"), s.User("bob"), s.User("zed")
	_, err := ann.CreateRoom(t.Context(), client.NewRoom{Kind: "private", Name: "Den", Members: []string{id(t, bob)}})
	must(t, err)
	for query, want := range map[string]string{
		"": "ann bob zed", "?shared=false": "ann bob zed", "?shared=true": "ann bob", "?shared=true&q=b": "bob",
		"?shared=true&q=z": "",
	} {
		var found struct{ Items []struct{ Username string } }
		must(t, ann.Do(t.Context(), "GET", "/users"+query, nil, &found))
		var names []string
		for _, u := range found.Items {
			names = append(names, u.Username)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}
