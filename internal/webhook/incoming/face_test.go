package incoming

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// The web client and webhooks know the same names of emoji.
func TestNamesOfEmojiAreThoseOfTheWebClient(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../../web/src/view/room/emojidata/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var groups map[string]string
	if err := json.Unmarshal(data, &groups); err != nil {
		t.Fatal(err)
	}
	first, emoji := make(map[string]bool), 0
	for _, group := range groups {
		for line := range strings.SplitSeq(group, "|") {
			known, _, _ := strings.Cut(line, "  ")
			words := strings.Fields(known)
			emoji++
			for _, name := range words[1:] {
				want := strings.ReplaceAll(words[0], "\ufe0f", "")
				if got := Emoji(":" + name + ":"); got != want && !first[name] {
					t.Errorf(":%s: is %s, and %s in the web client", name, got, want)
				}
				first[name] = true
			}
		}
	}
	if emoji < 1900 {
		t.Errorf("the web client has %d emoji", emoji)
	}
	for name, known := range byName() {
		if checked, err := domain.CheckEmoji("", known); err != nil || checked != known {
			t.Errorf(":%s: is %q: %v", name, checked, err)
		}
	}
}

func TestAsWhomABodyWantsToBeShown(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][3]string{
		`{"text":"x","username":" Grafana ","icon_emoji":":fire:","icon_url":"https://a.example/b.png"}`: {
			"Grafana", ":fire:", "https://a.example/b.png"},
		`{"text":"x","username":7,"icon_emoji":["y"],"icon_url":{"a":1}}`: {},
		`{"text":"x","username":null}`:                                    {},
		`payload={"text":"x","username":"GitLab"}`:                        {"GitLab", "", ""},
		`{"msg":"x","monitor":null,"heartbeat":null,"username":"Kuma"}`:   {},
	} {
		p, err := Parse(http.Header{}, []byte(body))
		if got := [3]string{p.Name, p.Emoji, p.Icon}; err != nil || got != want {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
	for word, want := range map[string]string{":fire:": "🔥", "fire": "🔥", "🔥": "🔥", ":FIRE:": "🔥", "⚠️": "⚠", ":no_such:": "",
		"<b>": "", "::": "", "": "", "🔥🔥": ""} {
		if got := Emoji(word); got != want {
			t.Errorf("%q is %q, not %q", word, got, want)
		}
	}
}
