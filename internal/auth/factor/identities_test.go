package factor

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/oidc"
)

// TestEveryUsernameThatIsOfferedIsValid: whatever is drawn at random makes a username.
func TestEveryUsernameThatIsOfferedIsValid(t *testing.T) {
	t.Parallel()
	for range 500 {
		for _, name := range usernames(oidc.Identity{Username: "Ann Lee", Email: "ann.lee@example.org"}) {
			if got, err := domain.CheckUsername(name); err != nil || got != name {
				t.Fatalf("%q: %q, %v", name, got, err)
			}
		}
	}
}
