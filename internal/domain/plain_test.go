package domain

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The web client's tests read the same table, so that a text says the same
// without marks in the page, in snippets and in terminals.
func TestPlainTextOfMarkdown(t *testing.T) {
	t.Parallel()
	var table []struct{ Text, Line, Terminal string }
	data, err := os.ReadFile("testdata/markdown.json")
	if err == nil {
		err = json.Unmarshal(data, &table)
	}
	if err != nil || len(table) == 0 {
		t.Fatal(err)
	}
	for _, c := range table {
		if got := PlainLine(c.Text); got != c.Line {
			t.Errorf("%q in one line:\n%q, want\n%q", c.Text, got, c.Line)
		}
		if got := PlainText(c.Text); got != c.Terminal {
			t.Errorf("%q in a terminal:\n%q, want\n%q", c.Text, got, c.Terminal)
		}
	}
}

func TestASpoilerThatIsCutStaysOne(t *testing.T) {
	t.Parallel()
	text := "The end: ||it was" + strings.Repeat(" the butler", 30) + "|| all along"
	for n := len("The end: ||"); n < len(text); n++ {
		cut := Excerpt(text, n)
		if len(cut) > n || strings.Contains(PlainLine(cut), "but") {
			t.Fatalf("%d characters: %q", n, PlainLine(cut))
		}
	}
	if got := Excerpt("a || b", 4); got != "a ||" {
		t.Errorf("%q", got)
	}
}
