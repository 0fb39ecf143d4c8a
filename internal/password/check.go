package password

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/unhidra/unhidra/internal/domain"
)

// maxCharacters is the maximum length of a password.
const maxCharacters = 256

// Check returns an error unless password is acceptable as a new password: at least `least`
// characters, not a common one, and not derived from the account's own names. It has no rules on
// kinds of characters (NIST SP 800-63B-4).
func Check(password string, least int, names ...string) error {
	if len(password) > MaxBytes {
		return domain.InvalidField("/password", "a password has at most %d characters", maxCharacters)
	}
	if !utf8.ValidString(password) {
		return domain.InvalidField("/password", "this is not valid UTF-8")
	}
	n := utf8.RuneCountInString(norm.NFC.String(password))
	if n < least {
		return domain.InvalidField("/password", "a password needs at least %d characters; a sentence is easy to remember",
			least)
	}
	if n > maxCharacters {
		return domain.InvalidField("/password", "a password has at most %d characters", maxCharacters)
	}
	folded := fold(password)
	unit := period(folded)
	if isCommon(folded) || isCommon(unit) {
		return domain.InvalidField("/password", "this password is too common; choose another")
	}
	if utf8.RuneCountInString(unit) == 1 {
		return domain.InvalidField("/password", "this password repeats one character; choose another")
	}
	rest := folded
	for _, name := range parts(append([]string{"unhidra"}, names...)) {
		rest = strings.ReplaceAll(rest, name, "")
	}
	if utf8.RuneCountInString(rest) < min(8, least) {
		return domain.InvalidField("/password", "this password is too close to your name; choose another")
	}
	return nil
}

// parts returns the names and the words in them, folded, longest first. It leaves out those under
// three characters.
func parts(names []string) []string {
	var all []string
	for _, name := range names {
		name = fold(name)
		all = append(append(all, name), strings.Fields(name)...)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return utf8.RuneCountInString(s) < 3 })
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// fold returns the form of a password that is compared with the list and with names: case-folded
// NFC.
func fold(s string) string { return norm.NFC.String(cases.Fold().String(s)) }

// period returns the shortest string whose repetition is s: "ab" for "ababab", and s itself for
// most strings. The result is valid UTF-8 if s is, because it begins and ends at characters.
func period(s string) string {
	if s == "" {
		return s
	}
	return s[:strings.Index((s + s)[1:], s)+1]
}
