package domain

import (
	"slices"
	"strings"
)

// Mentions returns the usernames that a Markdown text names with @, each once
// and at most MaxMentions, and whether it names @room. Code, and addresses such
// as ann@example.org, name nobody.
func Mentions(text string) (names []string, room bool) {
	for i := 0; i < len(text); {
		switch c := text[i]; {
		case c == '\\':
			i += 2
		case c == '`':
			i = afterCode(text, i)
		case c == '@' && (i == 0 || !nameByte(text[i-1])):
			end := nameEnd(text, i+1)
			if name := strings.ToLower(text[i+1 : end]); name == "room" {
				room = true
			} else if name != "" && len(names) < MaxMentions && !slices.Contains(names, name) {
				names = append(names, name)
			}
			i = max(end, i+1)
		default:
			i++
		}
	}
	return names, room
}

// afterCode is the place after the code span or fence that begins at i, or
// after the backticks alone if nothing closes them.
func afterCode(text string, i int) int {
	end := i
	for end < len(text) && text[end] == '`' {
		end++
	}
	ticks := text[i:end]
	for j := end; ; {
		k := strings.Index(text[j:], ticks)
		if k < 0 {
			if len(ticks) >= 3 {
				return len(text) // an open fence goes on to the end
			}
			return end
		}
		j += k
		close := j
		for close < len(text) && text[close] == '`' {
			close++
		}
		if close-j == len(ticks) {
			return close
		}
		j = close
	}
}

func nameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.' || c >= 0x80
}

// nameEnd is the end of the username that begins at i. Dots and dashes at its
// end belong to the sentence.
func nameEnd(text string, i int) int {
	end := i
	for end < len(text) && end-i <= 32 && text[end] < 0x80 && nameByte(text[end]) {
		end++
	}
	for end > i && strings.IndexByte("._-", text[end-1]) >= 0 {
		end--
	}
	return end
}
