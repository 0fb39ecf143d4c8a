package domain

import (
	"slices"
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

func TestMentions(t *testing.T) {
	for _, c := range []struct {
		text  string
		names []string
		room  bool
	}{
		{"hi @ann, @Bob. and @ann", []string{"ann", "bob"}, false},
		{"@room: lunch", nil, true},
		{"mail ann@example.org", nil, false},
		{"code `@ann` and ``@b `c` d`` but @eve", []string{"eve"}, false},
		{"```\n@ann\n``` @eve", []string{"eve"}, false},
		{"an open ` tick @ann", []string{"ann"}, false},
		{"```\n@ann is in an open fence", nil, false},
		{`\@ann`, nil, false},
		{"(@a.b-c_d)", []string{"a.b-c_d"}, false},
		{"@", nil, false},
		{"@@ann", []string{"ann"}, false},
	} {
		names, room := Mentions(c.text)
		if !slices.Equal(names, c.names) || room != c.room {
			t.Errorf("%q: %v, %v", c.text, names, room)
		}
	}
}

func TestCheckUsername(t *testing.T) {
	for in, want := range map[string]string{"Ann": "ann", "a.b-c_9": "a.b-c_9", " bo ": "bo"} {
		if got, err := CheckUsername(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "a", ".ann", "ann.", "room", "änn", strings.Repeat("a", 33), "a b"} {
		if got, err := CheckUsername(in); err == nil {
			t.Errorf("%q: accepted as %q", in, got)
		}
	}
}

func FuzzMentions(f *testing.F) {
	f.Add("hi @ann `code @b` @room")
	f.Add("``` @x")
	f.Fuzz(func(t *testing.T, text string) {
		names, _ := Mentions(text)
		if len(names) > MaxMentions {
			t.Fatal(len(names))
		}
		for _, n := range names {
			if !strings.Contains(strings.ToLower(text), "@"+n) {
				t.Fatalf("%q does not name %q", text, n)
			}
		}
	})
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
