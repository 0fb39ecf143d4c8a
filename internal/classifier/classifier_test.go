package classifier

import (
	"os"
	"strings"
	"testing"
)

// lines are those of the labelled set with a label.
func lines(t *testing.T, label string) (texts []string) {
	t.Helper()
	data, err := os.ReadFile("../../tools/classifier/chat.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if l, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t"); l == label {
			texts = append(texts, text)
		}
	}
	if len(texts) < 40 {
		t.Fatalf("%d lines of %s", len(texts), label)
	}
	return texts
}

func count(texts []string, score func(string) float64, limit float64) (n int) {
	for _, text := range texts {
		if score(text) >= limit {
			n++
		}
	}
	return n
}

// The figures are those of docs/moderation.md. Those of spam there come from lines that the model did not learn from;
// here it has learned from all.
func TestFigures(t *testing.T) {
	t.Parallel()
	roughly := func(text string) float64 { score, _ := Rough(text); return score }
	for _, c := range []struct {
		label string
		score func(string) float64
		limit float64
		want  int
	}{
		{"rough", roughly, 0.8, 44}, {"hard", roughly, 0.8, 1}, {"plain", roughly, 0.8, 0},
		{"rough", roughly, 0.5, 46}, {"hard", roughly, 0.5, 1}, {"plain", roughly, 0.5, 0},
		{"spam", Spam, 0.8, 110}, {"plain", Spam, 0.8, 0},
	} {
		if n := count(lines(t, c.label), c.score, c.limit); n != c.want {
			t.Errorf("%d lines of %s score %v or more, want %d", n, c.label, c.limit, c.want)
		}
	}
}

func TestRoughNamesWords(t *testing.T) {
	t.Parallel()
	score, words := Rough("You IDIOT, you stupid idiot!")
	if score < 0.9 || strings.Join(words, " ") != "idiot stupid" {
		t.Errorf("got %v, %q", score, words)
	}
	for _, text := range []string{"", "   ", "ok", "👍", "I am a gay man", "classic assets", "Scunthorpe"} {
		if score, words := Rough(text); score != 0 || words != nil {
			t.Errorf("%q: got %v, %q", text, score, words)
		}
	}
}

// The scores were computed by tools/classifier/train.py, which is another implementation.
func TestSpamIsThatOfTheTrainer(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"are you home": 0.082,
		"DM me to learn how I made 10k in one month trading forex": 0.981,
		"see https://docs.example.org/install, step 3 is wrong":    0.003,
		"Grüße aus Köln, mail me@example.org":                      0.224,
	} {
		if got := Spam(text); got < want-0.01 || got > want+0.01 {
			t.Errorf("%q: got %.3f, want %.3f", text, got, want)
		}
	}
	for _, text := range []string{"", " ", "\n"} {
		if got := Spam(text); got != 0 {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func BenchmarkScores(b *testing.B) {
	text := strings.Repeat("the pump in the greenhouse reports no flow again. ", 5)
	b.Run("rough", func(b *testing.B) {
		for b.Loop() {
			Rough(text)
		}
	})
	b.Run("spam", func(b *testing.B) {
		for b.Loop() {
			Spam(text)
		}
	})
}
