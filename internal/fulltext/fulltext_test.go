package fulltext

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

func wordsOf(text string) []string {
	var ws []string
	for _, t := range Tokens(text) {
		ws = append(ws, t.Word)
	}
	return ws
}

func TestTokens(t *testing.T) {
	for text, want := range map[string]string{
		"Hello, World!":    "hello world",
		"Frühstück CAFÉ":   "fruhstuck cafe",
		"don't a-b_c":      "don t a b c",
		"Привет, Ёлка":     "привет елка",
		"ﬁne ½ ｆｕｌｌ":       "fine 12 full",
		"今日は天気":            "今日 日は は天 天気 気",
		"我 喜欢":             "我 喜欢 欢",
		"abc漢字def":         "abc 漢字 字 def",
		"v1.2.3":           "v1 2 3",
		"a\u0301 b":        "a b",
		"":                 "",
		"...":              "",
		"😀 smile":          "smile",
		"עִבְרִית العربية": "עברית العربية",
	} {
		if got := strings.Join(wordsOf(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	q, err := Parse(`hello "two words" pre* -not from:@Ann in:"My room" before:2026-02-01 after:2026-01-01 has:link don't`)
	if err != nil {
		t.Fatal(err)
	}
	want := []Clause{
		{Words: []string{"hello"}}, {Words: []string{"two", "words"}}, {Words: []string{"pre"}, Prefix: true},
		{Words: []string{"not"}, Not: true}, {Words: []string{"don", "t"}},
	}
	if !slices.EqualFunc(q.Clauses, want, func(a, b Clause) bool {
		return slices.Equal(a.Words, b.Words) && a.Prefix == b.Prefix && a.Not == b.Not
	}) {
		t.Errorf("clauses %+v", q.Clauses)
	}
	if q.From != "ann" || q.In != "My room" || !q.HasLink || q.Before.Day() != 1 || q.After.Month() != 1 {
		t.Errorf("%+v", q)
	}
	for _, bad := range []string{"", "-only", "before:soon", "has:tail", "from:", strings.Repeat("x", MaxQuery+1), strings.Repeat("x ", 20), "...", "before:2026-01-01"} {
		if q, err := Parse(bad); domain.CodeOf(err) != "bad_query" {
			t.Errorf("%q is accepted: %+v, %v", bad, q, err)
		}
	}
}

func TestSnippet(t *testing.T) {
	q, err := Parse("tea")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"some Tea\nplease":                    "some [Tea] please",
		"😀 tea":                               "😀 [tea]",
		"nothing":                             "nothing",
		strings.Repeat("x ", 100) + "tea":     "… " + strings.Repeat("x ", 30) + "[tea]",
		"tea " + strings.Repeat("y", 300):     "[tea] " + strings.Repeat("y", 196) + " …",
		"tea and tea, but not teapot nor tea": "[tea] and [tea], but not teapot nor [tea]",
	} {
		snippet, marks := q.Snippet(text)
		if got := marked(snippet, marks); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// marked shows marks as brackets.
func marked(s string, marks [][2]int) string {
	units := utf16.Encode([]rune(s))
	var b strings.Builder
	done := 0
	for _, m := range marks {
		b.WriteString(string(utf16.Decode(units[done:m[0]])) + "[" + string(utf16.Decode(units[m[0]:m[1]])) + "]")
		done = m[1]
	}
	return b.String() + string(utf16.Decode(units[done:]))
}

func FuzzTokens(f *testing.F) {
	for _, s := range []string{"Hello, wörld", "今日は天気", "a\u0301\xff漢", strings.Repeat("a", 300)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		for _, tok := range Tokens(text) {
			if tok.Start < last || tok.End <= tok.Start || tok.End > len(text) {
				t.Fatalf("%q: token %+v after %d", text, tok, last)
			}
			if tok.Word == "" || len(tok.Word) > maxWord || !utf8.ValidString(tok.Word) || strings.ContainsAny(tok.Word, `"'*() `) {
				t.Fatalf("%q: word %q", text, tok.Word)
			}
			last = tok.Start
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`a "b c" d* -e from:x in:"y z"`, `"`, "-", "before:2026-01-01 x", "漢 漢字*", `"a b"*`} {
		f.Add(s, "a text to look in 漢字")
	}
	f.Fuzz(func(t *testing.T, s, text string) {
		q, err := Parse(s)
		if err != nil {
			if domain.KindOf(err) != domain.Invalid {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		snippet, marks := q.Snippet(text)
		units, last := len(utf16.Encode([]rune(snippet))), 0
		for _, m := range marks {
			if m[0] < last || m[1] <= m[0] || m[1] > units {
				t.Fatalf("%q in %q: marks %v of %d", s, text, marks, units)
			}
			last = m[1]
		}
	})
}

func BenchmarkTokens(b *testing.B) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 4)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Tokens(text)
	}
}
