package domain_test

import (
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func TestCheckLook(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		colour, emoji, stored string
		ok                    bool
	}{
		{"teal", "❤️", "❤", true},
		{"", "", "", true},
		{"grey", "👩‍🔧", "👩‍🔧", true},
		{"Teal", "", "", false},
		{"#00ffff", "", "", false},
		{"red", "a", "", false},
		{"red", "🔧🔧", "", false},
	} {
		got, err := domain.CheckLook(domain.LookChange{Colour: &c.colour, Emoji: &c.emoji})
		if (err == nil) != c.ok || c.ok && (*got.Emoji != c.stored || *got.Colour != c.colour) {
			t.Errorf("%q, %q: %v", c.colour, c.emoji, err)
		}
	}
}
