package domain

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCheckText(t *testing.T) {
	for in, want := range map[string]string{
		"hello":            "hello",
		"a\r\nb\rc":        "a\nb\nc",
		"\n \n    code\n ": "    code",
		"tab\there":        "tab\there",
		"مرحبا":            "مرحبا",
	} {
		if got, err := CheckText(in); err != nil || got != want {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", " \n\t", "a\x00b", "bell\a", "\xff", "esc\x1b[1m"} {
		if got, err := CheckText(in); KindOf(err) != Invalid {
			t.Errorf("%q: accepted as %q (%v)", in, got, err)
		}
	}
	if _, err := CheckText(strings.Repeat("x", MaxText)); err != nil {
		t.Error(err)
	}
	if _, err := CheckText(strings.Repeat("x", MaxText+1)); KindOf(err) != TooLarge {
		t.Error(err)
	}
}

func TestCheckUsername(t *testing.T) {
	for in, want := range map[string]string{"Ann": "ann", "a.b-c_9": "a.b-c_9", " bo ": "bo"} {
		if got, err := CheckUsername(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "a", ".ann", "ann.", "room", "änn", strings.Repeat("a", 33), "a b", NewID(UserPrefix),
		NewID(DevicePrefix)} {
		if got, err := CheckUsername(in); err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		}
	}
}

func FuzzCheckText(f *testing.F) {
	f.Add("a\r\n\tb")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := CheckText(text)
		if err != nil {
			return
		}
		again, err := CheckText(got)
		if err != nil || again != got || !utf8.ValidString(got) {
			t.Fatalf("%q became %q, then %q (%v)", text, got, again, err)
		}
	})
}
