package fulltext

import (
	"slices"
	"strings"
	"testing"
	"time"
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
	t.Parallel()
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
		"😀 smile":          "😀 smile",
		"עִבְרִית العربية": "עברית العربية",
	} {
		if got := strings.Join(wordsOf(text), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	q, err := Parse(`hello "two words" pre* -not from:@ann mentions:@me in:"My room" before:2026-02-01 after:2026-01-01 `+
		`has:link has:file has:POLL has:pin lang:PT-br don't`, time.UTC)
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
	if q.From != "ann" || q.Mentions != Me || q.In != "My room" || !q.HasLink || !q.HasFile ||
		!q.HasPoll || !q.HasPin || q.Lang != "pt" || q.Before.Day() != 1 ||
		q.After.Month() != 1 {
		t.Errorf("%+v", q)
	}
	for _, text := range []string{"mentions:", "mentions: me", "-mentions:me", "mentions :me", `"mentions:me"`} {
		if q, err := Parse(text, time.UTC); err != nil || q.Mentions != "" || len(q.Clauses) == 0 {
			t.Errorf("%q is no text: %+v, %v", text, q, err)
		}
	}
	for bad, code := range map[string]domain.Code{
		"": domain.CodeBadQuery, " ": domain.CodeBadQuery, "before:soon": domain.CodeBadQuery,
		"has:tail": domain.CodeBadQuery, "has:reaction": domain.CodeBadQuery,
		strings.Repeat("x", MaxQuery+1): domain.CodeBadQuery, strings.Repeat("x ", 20): domain.CodeBadQuery,
		"lang:klingon": domain.CodeNoLanguage, "lang:de,en": domain.CodeNoLanguage,
	} {
		if q, err := Parse(bad, time.UTC); domain.CodeOf(err) != code {
			t.Errorf("%q: %+v, %v", bad, q, err)
		}
	}
}

// What is no filter and no operator is text.
func TestParseTakesTextAsText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"C++": "c", "--force": "force", "-only": "only", "-a -b": "a b", "error in: foo": "error in foo", "from:": "from",
		"😀": "😀", "👩‍💻": "👩 💻", "❤️": "❤", "w*": "w", "wo*": "wo*", "...": "", "-": "", "-> x": "x", `"`: "", "a -b": "a !b",
		"a --b": "a b",
	} {
		q, err := Parse(s, time.UTC)
		if err != nil {
			t.Errorf("%q is refused: %v", s, err)
			continue
		}
		var got []string
		for _, c := range q.Clauses {
			w := strings.Join(c.Words, " ")
			if c.Prefix {
				w += "*"
			}
			if c.Not {
				w = "!" + w
			}
			got = append(got, w)
		}
		if strings.Join(got, " ") != want || q.Nothing() != (want == "") {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

// Days are those of the reader, however long they are.
func TestParseTakesDaysOfTheReader(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		zone, after, before string
		from                string // of UTC
		long                time.Duration
	}{
		"summer begins":        {"America/New_York", "2026-03-08", "2026-03-09", "2026-03-08T05:00", 23 * time.Hour},
		"summer begins abroad": {"Europe/Berlin", "2027-03-28", "2027-03-29", "2027-03-27T23:00", 23 * time.Hour},
		"summer ends":          {"Europe/Berlin", "2026-10-25", "2026-10-26", "2026-10-24T22:00", 25 * time.Hour},
		"leap day":             {"Europe/Berlin", "2028-02-29", "2028-03-01", "2028-02-28T23:00", 24 * time.Hour},
		"month":                {"Pacific/Kiritimati", "2026-04-30", "2026-05-01", "2026-04-29T10:00", 24 * time.Hour},
		"year":                 {"America/St_Johns", "2026-12-31", "2027-01-01", "2026-12-31T03:30", 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(c.zone)
			if err != nil {
				t.Fatal(err)
			}
			q, err := Parse("x after:"+c.after+" before:"+c.before, zone)
			if err != nil {
				t.Fatal(err)
			}
			if from := q.After.UTC().Format("2006-01-02T15:04"); from != c.from || q.Before.Sub(q.After) != c.long {
				t.Errorf("from %v for %v, want %v for %v", from, q.Before.Sub(q.After), c.from, c.long)
			}
		})
	}
}

func TestFound(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, q string }{
		{"한국어를 배워요", "한국"}, {"책을 읽다", "책"}, {"\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165", "한국"},
		{"한국어", "\u1112\u1161\u11ab\u1100\u116e\u11a8"},
		{"エラーが出た", "エラー"}, {"データベース", "ベース"}, {"ﾃﾞｰﾀﾍﾞｰｽ", "データ"}, {"東京2020大会", "東京2020"}, {"会议2024", "会议2024"},
		{"会议2024", "2024"}, {"v2版本", "v2版"},
		{"Анна Каренина", "анна"}, {"Mesut Özil", "oz*"}, {"Straße", "strasse"}, {"Strasse", "straße"}, {"STRASSE", "Straße"},
		{"Łódź", "lodz"}, {"ὈΔΥΣΣΕΎΣ", "οδυσσευς"},
		{"लड़की है", "लड़की"}, {"kimi \u0e01\u0e34\u0e19\u0e02\u0e49\u0e32\u0e27", "กิน"}, {"می\u200cخواهم", "میخواهم"},
		{"مُحَمَّد", "محمد"}, {"soft\u00adware", "software"},
		{"great 👍🏽 work", "👍"}, {"I ❤️ it", "❤"}, {"İstanbul", "istanbul"}, {"ışık", "isik"}, {"二〇二四年", "〇二四"}, {"がか", "が"},
	} {
		q, err := Parse(c.q, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if q.Score(c.text) == 0 {
			t.Errorf("%q does not find %q: %v, %q", c.q, c.text, q.Clauses, wordsOf(c.text))
		}
	}
	for _, c := range []struct{ text, q string }{{"का", "की"}, {"กน", "กิน"}, {"か", "が"}, {"tea", "teas"}, {"京都", "東京"},
		{"한", "하"}} {
		q, err := Parse(c.q, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		if q.Score(c.text) != 0 {
			t.Errorf("%q finds %q", c.q, c.text)
		}
	}
}

// Whatever stands in a text between two edges of a word is found by itself.
func FuzzFound(f *testing.F) {
	for _, s := range []string{"Hello, wörld", "今日は天気2020大会", "a\u0301\xff漢", "한국어를 \u1112\u1161\u11ab", "エラー ﾃﾞｰﾀ",
		"की का กินข้าว ខ្មែរ မြန်မာ", "می\u200cخواهم", "👩‍💻❤️🇩🇪", "ﬁ½㍿℃"} {
		f.Add(s, uint(0), uint(3))
	}
	f.Fuzz(func(t *testing.T, text string, from, to uint) {
		var starts, ends []int
		for r := range runs(text) {
			if r.class != pair {
				starts, ends = append(starts, r.start), append(ends, r.end)
				continue
			}
			for _, c := range clusters(text, r) {
				starts, ends = append(starts, c.start), append(ends, c.end)
			}
		}
		if len(starts) == 0 {
			return
		}
		i, j := starts[from%uint(len(starts))], ends[to%uint(len(ends))]
		if i >= j {
			return
		}
		var q Query
		q.add(text[i:j], false)
		if len(q.Clauses) > 0 && q.Score(text) == 0 {
			t.Fatalf("%q does not find %q: %v in %q", text[i:j], text, q.Clauses, wordsOf(text))
		}
	})
}

func TestName(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, q string }{{"anna Анна Каренина", "карен"}, {"mesut Özil", "oz"},
		{"Łódź office", "lod"}, {"王小明", "小明"}, {"김철수", "철수"}, {"Straße 5", "strasse 5"}} {
		if !strings.Contains(Name(c.name), Name(c.q)) {
			t.Errorf("%q does not find %q: %q in %q", c.q, c.name, Name(c.q), Name(c.name))
		}
	}
	if strings.Contains(Name("hanna"), Name("anna")) {
		t.Error("the middle of a word is found")
	}
}

func TestSnippet(t *testing.T) {
	t.Parallel()
	q, err := Parse("tea", time.UTC)
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
			if tok.Word == "" || len(tok.Word) > maxWord || !utf8.ValidString(tok.Word) ||
				strings.ContainsAny(tok.Word, `"'*() `) {
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
		q, err := Parse(s, time.UTC)
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
