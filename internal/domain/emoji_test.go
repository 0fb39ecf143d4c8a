package domain_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

// The first form is what is sent, the second what is stored; they are the same if there is one only.
var emojiVectors = [][2]string{
	{"👍"}, {"👍🏽"}, {"😀"}, {"🏻"}, {"©"}, {"🫪"}, {"🀄"}, {"🅰"}, {"🈁"}, {"🟰"}, {"㊙"},
	{"\u2764\ufe0f", "\u2764"}, {"☹\ufe0f", "☹"}, {"1\ufe0f\u20e3", "1\u20e3"}, {"#\ufe0f\u20e3", "#\u20e3"},
	{"*\u20e3"}, {"🇦🇹"}, {"🇪🇺"}, {"🏴"},
	{"🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"}, // England
	{"🏳\ufe0f\u200d🌈", "🏳\u200d🌈"}, {"🏴\u200d☠\ufe0f", "🏴\u200d☠"},
	{"👩🏽\u200d❤\ufe0f\u200d💋\u200d👨🏽", "👩🏽\u200d❤\u200d💋\u200d👨🏽"}, // the longest: 35 bytes as it is sent
	{"👨\u200d👩\u200d👧\u200d👦"}, {"🕵\ufe0f\u200d♀\ufe0f", "🕵\u200d♀"}, {"🧑🏿\u200d🤝\u200d🧑🏻"},
	{"❤\ufe0f\u200d🔥", "❤\u200d🔥"}, {"🐦\u200d⬛"}, {"🙂\u200d↔\ufe0f", "🙂\u200d↔"},
}

// An emoji is stored without the selector that shows it as one, so that two forms of it are the same reaction.
func TestEmojiAreStoredInOneForm(t *testing.T) {
	t.Parallel()
	for _, v := range emojiVectors {
		want := v[1]
		if want == "" {
			want = v[0]
		}
		for _, sent := range []string{v[0], want} {
			if got, err := domain.CheckEmoji("/emoji", sent); err != nil || got != want {
				t.Errorf("%+q is stored as %+q, %v; want %+q", sent, got, err, want)
			}
		}
	}
}

// What is not one emoji is refused, with an error that says what to send.
func TestWhatIsNoEmojiIsRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		"", "a", "1", "#", "tea", ":thumbsup:", " 👍", "👍 ", "👍👎", "👍\u200d", "\u200d👍", "👍\u200d\u200d👎", "\ufe0f",
		"🇦", "🇦🇹🇩", "🇦👍", "\u20e3", "a\u20e3", "1\u20e3\u20e3", "🏽🏽🏽", "👍🏽🏽", "\u2764\ufe0e", "★", "é", "漢", "\u202e",
		"🏴\U000e0067\U000e007f", "🏴\U000e0067\U000e0062", "🏴\U000e0067\U000e0042\U000e007f",
		"👍\U000e0067\U000e0062\U000e007f", "🏴" + strings.Repeat("\U000e0061", 9) + "\U000e007f",
		"\xf0\x9f\x91", "👍\xff", "\x00", strings.Repeat("👨\u200d", 8) + "👨",
	} {
		got, err := domain.CheckEmoji("/emoji", s)
		if err == nil {
			t.Errorf("%+q is taken as %+q", s, got)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "emoji") || domain.KindOf(err) != domain.Invalid {
			t.Errorf("%+q: %v does not say what to send", s, err)
		}
	}
}

// What is taken is stored in a form that is taken again and stays as it is.
func FuzzCheckEmoji(f *testing.F) {
	for _, v := range emojiVectors {
		f.Add(v[0])
	}
	f.Add("👍\U000e0067\ufe0f")
	f.Fuzz(func(t *testing.T, s string) {
		got, err := domain.CheckEmoji("/emoji", s)
		if err != nil {
			return
		}
		if len(got) > domain.MaxEmoji || !utf8.ValidString(got) || strings.ContainsRune(got, '\ufe0f') {
			t.Fatalf("%+q is stored as %+q", s, got)
		}
		if again, err := domain.CheckEmoji("/emoji", got); err != nil || again != got {
			t.Fatalf("%+q is stored as %+q, and that as %+q, %v", s, got, again, err)
		}
	})
}
