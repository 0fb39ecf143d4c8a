package app_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Nobody registers under a name of whoever runs the server, but the one who sets it up.
func TestOnlyTheFirstAdministratorTakesAnOfficialUsername(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin := root(t, s)
		var invite struct{ Link string }
		must(t, admin.Do(t.Context(), "POST", "/admin/invites", map[string]any{"note": "Ann"}, &invite))
		_, code, _ := strings.Cut(invite.Link, "#invite=")
		for _, name := range []string{"root", "admin", "Administrator", "support", "moderator", "null", "adrnin", "supp0rt"} {
			err := client.New(s.URL).Register(t.Context(), client.Registration{Username: name, Password: live.Password})
			if codeOf(err) != domain.CodeInvalidField {
				t.Errorf("%s: %v", name, err)
			}
		}
		form := map[string]string{"username": "admin", "password": live.Password, "client": "native", "invite": code}
		if status := post(t, s, "/auth/register", form, nil); status != http.StatusBadRequest {
			t.Errorf("admin by invitation: %d", status)
		}
		form["username"] = "supporter"
		if status := post(t, s, "/auth/register", form, nil); status != http.StatusCreated {
			t.Errorf("supporter by invitation: %d", status)
		}
		must(t, client.New(s.URL).Register(t.Context(), client.Registration{
			Username: "sue", DisplayName: "Support", Password: live.Password,
		}))
	})
}
