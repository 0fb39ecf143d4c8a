package language

import (
	"os"
	"strings"
	"testing"
)

// The messages of testdata/chat.tsv were written for this test, and nothing was made from them. docs/search.md names
// these figures.
func TestMessagesOfAChat(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/chat.tsv")
	if err != nil {
		t.Fatal(err)
	}
	right, unknown, wrong := 0, 0, 0
	for line := range strings.Lines(string(b)) {
		code, text, _ := strings.Cut(strings.TrimSpace(line), "\t")
		switch got := Of(text); got {
		case code:
			right++
		case Unknown:
			unknown++
		default:
			wrong++
			t.Logf("%s is taken for %s: %s", code, got, text)
		}
	}
	if right != 178 || unknown != 10 || wrong != 4 {
		t.Errorf("%d right, %d unknown, %d wrong: say so in docs/search.md", right, unknown, wrong)
	}
}

func TestLanguagesOfTexts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": Unknown, "ok": Unknown, "👍": Unknown, "12:30": Unknown, "hahaha!!!": Unknown, "lol": Unknown,
		"https://example.org/this/is/the/page/that/you/want": Unknown, "@ann @bob": Unknown,
		"```\nwhile the server is running and there are others\n```": Unknown,
		"kot mwen te wè li":           Unknown, // Haitian: none that is named
		"dzień dobry Привет, мир":     Unknown,
		"DIE SITZUNG FÄLLT HEUTE AUS": "de",
		"Die Sitzung fällt heute aus: https://example.org/the/meeting/is/not/there": "de",
		"Le serveur `the-server-is-not-running` ne répond plus du tout":             "fr",
		"今日は天気がいいですね":                                                               "ja", "我喜欢喝茶": "zh", "会議": Unknown, "안녕하세요 여러분": "ko", "Πού είναι τα κλειδιά;": "el",
		"איפה המפתחות?": "he", "กุญแจอยู่ที่ไหน": "th", "चाबियाँ कहाँ हैं?": "hi", "სად არის გასაღები?": "ka",
		"Որտե՞ղ են բանալիները": "hy", "চাবি কোথায়?": "bn", "சாவிகள் எங்கே?": "ta", "తాళాలు ఎక్కడ ఉన్నాయి?": "te",
		"Где ключи от дома? See the README":                          Unknown,
		"\xff\xfe broken \xff bytes of an English text that is here": "en",
		strings.Repeat("a", 100_000):                                 Unknown,
		"Gut: `while the server is running and there are others`":    Unknown,
		"this1is2the3page4that5you6want8":                            Unknown,
		"@there-is-the-meeting-that-you-want":                        Unknown,
		"明日の会議室は三階に変更":                                               "ja",
		"danke":                                                      Unknown, // too short, though it is plain to people
	} {
		if got := Of(text); got != want {
			t.Errorf("%.60q is %s, want %s", text, got, want)
		}
	}
}

// The begin of a long message decides.
func TestLongTexts(t *testing.T) {
	t.Parallel()
	german := strings.Repeat("Die Sitzung fällt heute aus. ", 25)
	english := strings.Repeat("The meeting is not there. ", 100)
	if got := Of(german + english); got != "de" {
		t.Errorf("it is %s", got)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]string{"de": "de", "DE": "de", "pt-BR": "pt", "nb": "no", "bs": "hr",
		"unknown": Unknown, "ja": "ja", "xx": "", "": "", "sw": "", "deutsch": ""} {
		got, ok := Parse(code)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q is %q, %v", code, got, ok)
		}
	}
	page, err := os.ReadFile("../../docs/search.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range Codes() {
		if !strings.Contains(string(page), "`"+code+"` ") {
			t.Errorf("docs/search.md does not name %s", code)
		}
	}
	if n := len(Codes()); n != 46 {
		t.Errorf("%d languages: docs and the changelog say how many", n)
	}
}

func FuzzOf(f *testing.F) {
	f.Add("Die Sitzung fällt heute aus `code` @ann")
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := Parse(Of(text)); !ok {
			t.Errorf("%q is in no language", text)
		}
	})
}

func BenchmarkOf(b *testing.B) {
	text := "Der Drucker im zweiten Stock hat schon wieder kein Papier, kann bitte jemand welches holen? Danke!"
	Of(text)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		Of(text)
	}
}
