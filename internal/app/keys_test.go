package app_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// With EdDSA others verify our tokens by the published key, found by its name.
func TestPublicKeysAreServed(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "JWT_ALG=EdDSA")
	var keys struct {
		Keys []struct{ Kid, X, Alg, Crv string }
	}
	status, body := get(t, s.URL+"/.well-known/jwks.json")
	if err := json.Unmarshal([]byte(body), &keys); err != nil || status != 200 || len(keys.Keys) == 0 ||
		strings.Contains(body, `"d"`) {
		t.Fatalf("%d %s", status, body)
	}
	parsed, err := jwt.Parse(s.User("ann").Tokens().Access, func(token *jwt.Token) (any, error) {
		for _, k := range keys.Keys {
			if k.Kid == token.Header["kid"] && k.Crv == "Ed25519" {
				x, err := base64.RawURLEncoding.DecodeString(k.X)
				return ed25519.PublicKey(x), err
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	})
	if err != nil || !parsed.Valid {
		t.Errorf("%v, with %+v", err, keys)
	}
}

// The key that signs is changed, to another kind even, and nobody is signed out.
func TestKeysChangeUnderPeople(t *testing.T) {
	t.Parallel()
	o := testkit.SQLite(t)
	const first, second = "first-Zk8wq2LmT5xVb9Rd0cYhU4oPq1nE", "second-Qp3sN7eGfAo6Hj1uWiXkB2vC5mD"
	s := live.Start(t, o, "JWT_SECRET="+first)
	tokens := s.User("ann").Tokens()
	s.Stop()
	s = live.Start(t, o, "JWT_SECRET="+second, "JWT_SECRETS_OLD="+first, "JWT_ALG=EdDSA")
	ann := client.New(s.URL)
	ann.SetTokens(tokens)
	if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "", tokens.Access); status != 200 {
		t.Errorf("the token of before: %d", status)
	}
	var next struct {
		Access string `json:"access_token"`
	}
	must(t, ann.Do(t.Context(), "POST", "/auth/refresh", map[string]string{"refresh_token": tokens.Refresh}, &next))
	if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "", next.Access); status != 200 {
		t.Errorf("the token after a refresh: %d", status)
	}
	s.Stop()
	s = live.Start(t, o, "JWT_SECRET="+second, "JWT_ALG=EdDSA")
	if status, _ := try(t, s, operation{method: "GET", path: "/api/v1/me"}, "", tokens.Access); status != 401 {
		t.Errorf("a token of a key that is gone: %d", status)
	}
}
