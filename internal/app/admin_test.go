package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// root signs in as the first administrator.
func root(t *testing.T, s *live.Server) *client.Client {
	t.Helper()
	c := client.New(s.URL)
	_, setup, _ := strings.Cut(s.Setup, "#token=")
	must(t, c.Register(t.Context(), client.Registration{Username: "root", Password: live.Password, SetupToken: setup}))
	return c
}

// recorded returns the types of records about target, and how many there are of each.
func recorded(t *testing.T, admin *client.Client, query string) map[string]int {
	t.Helper()
	var log struct{ Records []struct{ Type string } }
	must(t, admin.Do(t.Context(), "GET", "/admin/audit?limit=500&"+query, nil, &log))
	n := map[string]int{}
	for _, r := range log.Records {
		n[r.Type]++
	}
	return n
}

// Each operation by which an administrator changes something leaves a record. A
// new operation fails the test until it has a line here.
func TestEveryAdministratorsActionIsAudited(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	admin, bob := root(t, s), s.User("bob")
	me, err := bob.Me(t.Context())
	must(t, err)
	var den client.RoomState
	must(t, bob.Do(t.Context(), "POST", "/rooms", map[string]any{"kind": "private", "name": "Den"}, &den))
	eve := s.User("eve")
	must(t, bob.Add(t.Context(), den.ID, id(t, eve)))
	said, err := bob.Send(t.Context(), client.Draft{Room: den.ID, Text: "rude"})
	must(t, err)
	_, err = eve.Report(t.Context(), den.ID, said.Message.Seq, "other", "") // of who moderates the room
	must(t, err)
	var sessions struct{ Items []struct{ ID string } }
	must(t, bob.Do(t.Context(), "GET", "/me/sessions", nil, &sessions))
	user, room := "/users/"+me.ID, "/rooms/"+den.ID
	var invite struct{ ID string }

	steps := []struct {
		id, method string
		path       func() string
		body       any
		out        any
		want       domain.AuditType
	}{
		{"admin-decide-report", "POST", func() string { return fmt.Sprint("/reports/", den.ID, "/", said.Message.Seq) },
			map[string]any{"decision": "kept"}, nil, domain.AuditReportDecide},
		{"admin-update-user", "PATCH", func() string { return user }, map[string]any{"role": "admin"}, nil,
			domain.AuditAdminUserRole},
		{"admin-update-user", "PATCH", func() string { return user }, map[string]any{"disabled": true}, nil,
			domain.AuditAdminUserDisable},
		{"admin-update-user", "PATCH", func() string { return user }, map[string]any{"disabled": false}, nil,
			domain.AuditAdminUserEnable},
		{"admin-update-user", "PATCH", func() string { return "/users/" + id(t, eve) },
			map[string]any{"guest_until": time.Now().Add(time.Hour)}, nil, domain.AuditAdminGuest},
		{"admin-end-session", "DELETE", func() string { return user + "/sessions/" + sessions.Items[0].ID }, nil, nil,
			domain.AuditSessionRevoke},
		{"admin-end-sessions", "DELETE", func() string { return user + "/sessions" }, nil, nil, domain.AuditSessionRevoke},
		{"admin-reset-factors", "DELETE", func() string { return user + "/factors" }, nil, nil,
			domain.AuditAdminFactorsReset},
		{"admin-reset-password", "POST", func() string { return user + "/password" }, nil, nil,
			domain.AuditAdminPasswordReset},
		{"admin-create-invite", "POST", func() string { return "/invites" }, map[string]any{"note": "Cy"}, &invite,
			domain.AuditAdminInvite},
		{"admin-delete-invite", "DELETE", func() string { return "/invites/" + invite.ID }, nil, nil,
			domain.AuditAdminInviteRevoke},
		{"admin-update-room", "PATCH", func() string { return room }, map[string]any{"archived": true}, nil,
			domain.AuditAdminRoom},
		{"admin-hold-room", "PUT", func() string { return room + "/hold" }, map[string]any{"held": true, "reason": "case 7"},
			nil, domain.AuditAdminRoom},
		{"admin-hold-room", "PUT", func() string { return room + "/hold" }, map[string]any{"held": false, "reason": "case 7"},
			nil, domain.AuditAdminRoom},
		{"admin-delete-room", "DELETE", func() string { return room }, nil, nil, domain.AuditAdminRoom},
		{"admin-set-settings", "PATCH", func() string { return "/settings" }, map[string]any{"registration": "closed"}, nil,
			domain.AuditConfigChange},
		{"verify-audit", "POST", func() string { return "/audit/verify" }, nil, nil, domain.AuditVerify},
		{"admin-create-user-group", "POST", func() string { return "/user-groups" }, map[string]any{"handle": "tea"}, nil,
			domain.AuditAdminUserGroup},
		{"admin-update-user-group", "PATCH", func() string { return "/user-groups/tea" }, map[string]any{"handle": "cake"},
			nil, domain.AuditAdminUserGroup},
		{"admin-add-to-user-group", "PUT", func() string { return "/user-groups/cake/members/" + me.ID }, nil, nil,
			domain.AuditAdminUserGroup},
		{"admin-remove-from-user-group", "DELETE", func() string { return "/user-groups/cake/members/" + me.ID }, nil, nil,
			domain.AuditAdminUserGroup},
		{"admin-delete-user-group", "DELETE", func() string { return "/user-groups/cake" }, nil, nil,
			domain.AuditAdminUserGroup},
		{"admin-create-slash-command", "POST", func() string { return "/slash-commands" },
			map[string]any{"name": "oncall", "url": "https://example.org/"}, nil, domain.AuditAdminCommand},
		{"admin-update-slash-command", "PATCH", func() string { return "/slash-commands/oncall" },
			map[string]any{"rooms": "public"}, nil, domain.AuditAdminCommand},
		{"admin-rotate-slash-command", "POST", func() string { return "/slash-commands/oncall/secret" }, nil, nil,
			domain.AuditAdminCommand},
		{"admin-delete-slash-command", "DELETE", func() string { return "/slash-commands/oncall" }, nil, nil,
			domain.AuditAdminCommand},
		{"admin-delete-user", "DELETE", func() string { return user }, nil, nil, domain.AuditAdminUserDelete},
	}
	// TestAModelBesideAServer changes a model; to try one changes nothing.
	done := map[string]bool{"admin-change-model": true, "admin-try-model": true}
	who, err := admin.Me(t.Context())
	must(t, err)
	for _, step := range steps {
		before := recorded(t, admin, "actor="+who.ID)[string(step.want)]
		if err := admin.Do(t.Context(), step.method, "/admin"+step.path(), step.body, step.out); err != nil &&
			codeOf(err) != domain.CodeNoSession {
			t.Errorf("%s: %v", step.id, err)
		}
		wait(t, func() bool { return recorded(t, admin, "actor="+who.ID)[string(step.want)] == before+1 })
		done[step.id] = true
	}
	for _, o := range operations(t, s, anything) {
		if strings.HasPrefix(o.path, "/api/v1/admin/") && o.method != http.MethodGet && !done[o.id] {
			t.Errorf("%s is not tried here", o.id)
		}
	}
}

// The list of rooms tells what there is, and nothing that was said; a room that is
// deleted is gone for those who were in it.
func TestAdministratorsLookAfterRooms(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin, bob := root(t, s), s.User("bob")
		me, err := admin.Me(t.Context())
		must(t, err)
		made := map[string]client.RoomState{}
		for _, name := range []string{"Attic", "den", "Kitchen"} {
			var r client.RoomState
			must(t, bob.Do(t.Context(), "POST", "/rooms", map[string]any{"kind": "private", "name": name}, &r))
			made[name] = r
		}
		must(t, bob.Do(t.Context(), "POST", "/direct", map[string]any{"users": []string{me.ID}}, nil))
		must(t, bob.Do(t.Context(), "POST", "/rooms/"+made["den"].ID+"/messages",
			map[string]any{"key": "1", "text": "a secret"}, nil))

		list := func(query string) (names []string) {
			t.Helper()
			for cursor := ""; ; {
				var page struct {
					Items []struct {
						Name  string
						Owner struct{ Username string }
					}
					Next string
				}
				must(t, admin.Do(t.Context(), "GET", "/admin/rooms?limit=2&"+query+"&cursor="+cursor, nil, &page))
				for _, r := range page.Items {
					names = append(names, r.Name)
					if r.Owner.Username != "bob" {
						t.Errorf("%s belongs to %q", r.Name, r.Owner.Username)
					}
				}
				if cursor = page.Next; cursor == "" {
					return names
				}
			}
		}
		for query, want := range map[string][]string{
			"":                      {"Attic", "den", "Kitchen"},
			"q=E":                   {"den", "Kitchen"},
			"q=%25":                 nil,
			"order=size&q=":         {"den", "Kitchen", "Attic"},
			"order=activity&q=itch": {"Kitchen"},
		} {
			got := list(query)
			if query == "order=size&q=" {
				got = got[:min(len(got), 1)] // the other two are as large as one another
				want = want[:1]
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}

		den := "/admin/rooms/" + made["den"].ID
		must(t, admin.Do(t.Context(), "PATCH", den, map[string]any{"archived": true}, nil))
		if err := bob.Do(t.Context(), "POST", "/rooms/"+made["den"].ID+"/messages",
			map[string]any{"key": "2", "text": "more"}, nil); codeOf(err) != domain.CodeRoomArchived {
			t.Errorf("writing into an archived room: %v", err)
		}
		must(t, admin.Do(t.Context(), "PATCH", den, map[string]any{"archived": false}, nil))
		must(t, bob.Do(t.Context(), "POST", "/rooms/"+made["den"].ID+"/messages", map[string]any{"key": "2", "text": "more"},
			nil))
		if err := admin.Do(t.Context(), "GET", "/rooms/"+made["den"].ID+"/events", nil,
			nil); codeOf(err) != domain.CodeNoRoom {
			t.Errorf("reading what others say: %v", err)
		}
		must(t, admin.Do(t.Context(), "DELETE", den, nil, nil))
		if err := bob.Do(t.Context(), "GET", "/rooms/"+made["den"].ID, nil, nil); codeOf(err) != domain.CodeNoRoom {
			t.Errorf("a room that was deleted: %v", err)
		}
		var direct struct{ ID string }
		must(t, bob.Do(t.Context(), "POST", "/direct", map[string]any{"users": []string{me.ID}}, &direct))
		for _, id := range []string{direct.ID, made["den"].ID} {
			if err := admin.Do(t.Context(), "DELETE", "/admin/rooms/"+id, nil, nil); codeOf(err) != domain.CodeNoRoom {
				t.Errorf("deleting %s: %v", id, err)
			}
			if err := admin.Do(t.Context(), "PATCH", "/admin/rooms/"+id, map[string]any{"archived": true},
				nil); codeOf(err) != domain.CodeNoRoom {
				t.Errorf("archiving %s: %v", id, err)
			}
		}
	})
}

// One session is ended, and the others go on.
func TestAdministratorsEndOneSession(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	admin, bob := root(t, s), s.User("bob")
	other := client.New(s.URL)
	must(t, other.SignIn(t.Context(), "bob", live.Password))
	me, err := bob.Me(t.Context())
	must(t, err)
	var mine struct {
		Items []struct {
			ID      string
			Current bool
		}
	}
	must(t, bob.Do(t.Context(), "GET", "/me/sessions", nil, &mine))
	for _, v := range mine.Items {
		if !v.Current {
			must(t, admin.Do(t.Context(), "DELETE", "/admin/users/"+me.ID+"/sessions/"+v.ID, nil, nil))
			if err := admin.Do(t.Context(), "DELETE", "/admin/users/"+me.ID+"/sessions/"+v.ID, nil,
				nil); codeOf(err) != domain.CodeNoSession {
				t.Errorf("a second time: %v", err)
			}
		}
	}
	if err := other.Do(t.Context(), "GET", "/me", nil, nil); err == nil {
		t.Error("the session that was ended goes on")
	}
	if _, err := bob.Me(t.Context()); err != nil {
		t.Errorf("the other session: %v", err)
	}
}

func TestAuditLogByOutcome(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin := root(t, s)
		if err := client.New(s.URL).SignIn(t.Context(), "root", "not "+live.Password); err == nil {
			t.Fatal("signed in with a wrong password")
		}
		wait(t, func() bool { return recorded(t, admin, "outcome=failure")[string(domain.AuditLogin)] == 1 })
		if n := recorded(t, admin, "outcome=success"); n[string(domain.AuditLogin)] != 1 ||
			n[string(domain.AuditRegister)] != 1 {
			t.Errorf("successes: %v", n)
		}
		wait(t, func() bool {
			var log struct {
				Records []struct {
					Name string `json:"actor_name"`
				}
			}
			must(t, admin.Do(t.Context(), "GET", "/admin/audit?type=audit.read", nil, &log))
			return len(log.Records) > 0 && log.Records[0].Name == "root"
		})
	})
}

func TestAdministratorsSeeHowTheServerStands(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		var h struct {
			Version  string
			Store    struct{ Bytes int64 }
			Mail     struct{ On bool }
			Audit    struct{ Head int64 }
			Problems []struct{ Code string }
		}
		admin := root(t, s)
		wait(t, func() bool {
			must(t, admin.Do(t.Context(), "GET", "/admin/health", nil, &h))
			return h.Audit.Head > 0
		})
		if h.Version != "test" || h.Store.Bytes == 0 || h.Mail.On {
			t.Errorf("%+v", h)
		}
		if len(h.Problems) == 0 || h.Problems[len(h.Problems)-1].Code != "mail_off" {
			t.Errorf("nobody says that no mail can be sent: %+v", h.Problems)
		}
	})
}

// The list of accounts has people alone: a device or a bot is its owner's, and is not managed there.
func TestAccountsArePeople(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	admin := root(t, s)
	must(t, admin.Do(t.Context(), "POST", "/devices", map[string]any{"name": "Greenhouse"}, nil))
	var list struct{ Items []client.User }
	must(t, admin.Do(t.Context(), "GET", "/admin/users", nil, &list))
	if len(list.Items) != 1 || list.Items[0].Username != "root" {
		t.Errorf("accounts: %+v", list.Items)
	}
}
