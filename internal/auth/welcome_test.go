package auth

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/oidc"
)

// A provider gives nobody a name of whoever runs the server: the next candidate is taken.
func TestAProviderBringsNoOfficialUsername(t *testing.T) {
	each(t, func(t *testing.T, f *fixture) {
		who := oidc.Identity{Issuer: "https://id.example.org", Subject: "1", Username: "admin"}
		u, err := f.Welcome(t.Context(), who, here)
		if err != nil || !strings.HasPrefix(u.Username, "admin-") {
			t.Errorf("%q, %v", u.Username, err)
		}
	})
}
