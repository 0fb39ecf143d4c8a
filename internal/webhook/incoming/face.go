package incoming

import (
	_ "embed"
	"encoding/json"
	"strings"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
)

// emojiNames has on each line an emoji, without U+FE0F, and its names at Slack and Mattermost. The web client has the
// same.
//
//go:embed emoji.txt
var emojiNames string

var byName = sync.OnceValue(func() map[string]string {
	known := make(map[string]string)
	for line := range strings.Lines(emojiNames) {
		words := strings.Fields(line)
		for _, name := range words[1:] {
			known[name] = words[0]
		}
	}
	return known
})

// Emoji returns the emoji that a word means: one of Unicode, or its name with or without colons; empty: none.
func Emoji(word string) string {
	if known := byName()[EmojiName(word)]; known != "" {
		return known
	}
	emoji, err := domain.CheckEmoji("", strings.TrimSpace(word))
	if err != nil {
		return ""
	}
	return emoji
}

// EmojiName is a name of an emoji without the colons around it.
func EmojiName(word string) string {
	word = strings.TrimSpace(word)
	if inner, ok := strings.CutPrefix(word, ":"); ok {
		if inner, ok = strings.CutSuffix(inner, ":"); ok {
			word = inner
		}
	}
	return strings.ToLower(word)
}

// face reads as whom a body of Slack or Mattermost wants its message to be shown.
func (p *Post) face(fields map[string]json.RawMessage) {
	for name, to := range map[string]*string{"username": &p.Name, "icon_emoji": &p.Emoji, "icon_url": &p.Icon} {
		if json.Unmarshal(fields[name], to) != nil { // what is no text is left out: the message is more
			*to = ""
		}
		*to = strings.TrimSpace(*to)
	}
}
