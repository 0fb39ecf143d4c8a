package app_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// After an administrator's reset the old password is like any wrong one, with a second
// factor as well as without, and the link leads to one that is good.
func TestAPasswordThatAnAdministratorResetOpensNothing(t *testing.T) {
	t.Parallel()
	live.Each(t, func(t *testing.T, s *live.Server) {
		admin := root(t, s)
		for _, name := range []string{"bob", "cy"} {
			c := s.User(name)
			me, err := c.Me(t.Context())
			must(t, err)
			if name == "cy" {
				var app struct{ Secret string }
				must(t, c.Do(t.Context(), "POST", "/me/totp", map[string]any{}, &app))
				code, err := totp.GenerateCode(app.Secret, time.Now())
				must(t, err)
				must(t, c.Do(t.Context(), "POST", "/me/totp/confirm", map[string]any{"code": code}, nil))
			}
			wrong := signIn(t, s, name, "not "+live.Password)
			var reset struct{ Link string }
			must(t, admin.Do(t.Context(), "POST", "/admin/users/"+me.ID+"/password", nil, &reset))
			if got := signIn(t, s, name, live.Password); got != wrong || got != "invalid_credentials" {
				t.Errorf("%s: the old password after the reset: %q, a wrong one: %q", name, got, wrong)
			}
			_, token, _ := strings.Cut(reset.Link, "#token=")
			another := "another " + live.Password
			must(t, client.New(s.URL).Do(t.Context(), "POST", "/auth/password/reset",
				map[string]any{"token": token, "password": another}, nil))
			if got := signIn(t, s, name, live.Password); got != wrong {
				t.Errorf("%s: the old password after the link: %q", name, got)
			}
			if got, want := signIn(t, s, name, another),
				map[string]string{"bob": "complete", "cy": "second_factor"}[name]; got != want {
				t.Errorf("%s: the new password: %q, want %q", name, got, want)
			}
		}
	})
}

// signIn returns what a sign-in comes to: complete, or the code of what it lacks.
func signIn(t *testing.T, s *live.Server, name, password string) string {
	t.Helper()
	if err := client.New(s.URL).SignIn(t.Context(), name, password); err != nil {
		return string(codeOf(err))
	}
	return "complete"
}
