package password

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/unhidra/unhidra/internal/domain"
)

// maxCharacters is how long a password may be.
const maxCharacters = 256

// Check says whether a new password is good enough: at least so many
// characters, not one that everybody tries, and not made of the account's own
// names (NIST SP 800-63B-4). What it is composed of is nobody's business.
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

// parts returns the names and the words they are made of, folded, the longest
// first; what is shorter than three characters tells nothing.
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

// fold is the form in which passwords are compared with the list and with
// names: that of no case.
func fold(s string) string { return norm.NFC.String(cases.Fold().String(s)) }

// period returns the shortest string that s is made of by repeating it: "ab"
// of "ababab", and s itself of most. It counts characters, not bytes, by
// nature: a period of a valid string begins and ends at characters.
func period(s string) string {
	if s == "" {
		return s
	}
	return s[:strings.Index((s + s)[1:], s)+1]
}
