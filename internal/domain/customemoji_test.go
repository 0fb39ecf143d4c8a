package domain_test

import (
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// A name is kept in one form, and is not that of an emoji which everybody has. Between colons it fits a reaction.
func TestNamesOfEmoji(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 32)
	for s, want := range map[string]string{"parrot": "parrot", ":Party_Parrot:": "party_parrot", "c++": "c++", "+2": "+2",
		" ok-go ": "ok-go", long: long} {
		name, err := domain.CheckEmojiName("/name", s)
		if err != nil || name != want {
			t.Errorf("%q is %q, %v", s, name, err)
		}
		if got, err := domain.CheckReaction("/emoji", ":"+want+":"); err != nil || got != ":"+want+":" ||
			len(got) > domain.MaxEmoji {
			t.Errorf("a reaction by %q is %q, %v", want, got, err)
		}
	}
	for s, code := range map[string]domain.Code{"": domain.CodeInvalidField, "a": domain.CodeInvalidField,
		long + "a": domain.CodeInvalidField, "pär": domain.CodeInvalidField, "a b": domain.CodeInvalidField,
		"a:b": domain.CodeInvalidField, "_a": domain.CodeInvalidField,
		"a_": domain.CodeInvalidField, "tada": domain.CodeEmojiTaken, ":+1:": domain.CodeEmojiTaken} {
		if name, err := domain.CheckEmojiName("/name", s); domain.CodeOf(err) != code {
			t.Errorf("%q is %q, %v", s, name, err)
		}
	}
	for _, s := range []string{":", "::", ":a:", "a", ":Parrot:", ":par rot:", ":parrot", ":" + long + "a:"} {
		if got, err := domain.CheckReaction("/emoji", s); domain.CodeOf(err) != domain.CodeInvalidField {
			t.Errorf("a reaction by %q is %q, %v", s, got, err)
		}
	}
	if got, err := domain.CheckReaction("/emoji", "❤\ufe0f"); err != nil || got != "❤" {
		t.Errorf("a heart is %q, %v", got, err)
	}
}
