package domain

import (
	"slices"
	"strings"
)

const longestUsername = 32

// Mentions returns the usernames and handles of user groups that a Markdown text names with @, each once
// and at most MaxMentions, and whether it names @room. Code, addresses and
// e-mail addresses name nobody. The web client shows as mentions what this
// function finds (web/src/view/room/mention.ts); both are checked against
// testdata/mentions.json.
func Mentions(text string) (names []string, room bool) {
	if !strings.Contains(text, "@") {
		return nil, false
	}
	eachParagraph(parseBlocks(text), func(paragraph string) {
		p := inlines{s: paragraph}
		for i := 0; i < len(paragraph); {
			end, name := p.next(i)
			if name = strings.ToLower(name); name == "room" {
				room = true
			} else if name != "" && len(names) < MaxMentions && !slices.Contains(names, name) {
				names = append(names, name)
			}
			i = end
		}
	})
	return names, room
}

// inlines reads a paragraph from left to right.
type inlines struct {
	s        string
	spans    map[int][]int // where runs of backticks of each length begin
	mentions int           // where the last mention ends
	brackets int           // that are open
	inactive int           // of them, the outer ones that are around a link
}

const escapable = "\\`*_~[]()<>@#+.!-|"

// next reads what is at i. It returns where to go on, and the name if it is a
// mention.
func (p *inlines) next(i int) (end int, name string) {
	switch c := p.s[i]; c {
	case '\\':
		if path := pathEnd(p.s, i); path > i {
			return path, ""
		}
		if i+1 < len(p.s) && strings.IndexByte(escapable, p.s[i+1]) >= 0 {
			return i + 2, ""
		}
	case '`':
		return p.afterCode(i), ""
	case '[':
		p.brackets++
	case ']':
		return p.afterBracket(i), ""
	case '<':
		return max(i+1, angledEnd(p.s, i)), ""
	case '@':
		if end := mentionEnd(p.s, i, p.mentions); end > i {
			p.mentions = end
			return end, p.s[i+1 : end]
		}
	default:
		return max(i+1, addressEnd(p.s, i), pathEnd(p.s, i)), ""
	}
	return i + 1, ""
}

// afterCode is the place after the code span that begins at i, or after the
// backticks alone if nothing closes them.
func (p *inlines) afterCode(i int) int {
	if p.spans == nil {
		p.spans = map[int][]int{}
		for j := strings.IndexByte(p.s, '`'); j >= 0 && j < len(p.s); j++ {
			if p.s[j] == '`' {
				n := ticksAt(p.s, j)
				p.spans[n] = append(p.spans[n], j)
				j += n
			}
		}
	}
	n := ticksAt(p.s, i)
	starts := p.spans[n]
	for len(starts) > 0 && starts[0] <= i {
		starts = starts[1:]
	}
	p.spans[n] = starts
	if len(starts) == 0 {
		return i + n
	}
	return starts[0] + n
}

func ticksAt(s string, i int) int {
	return len(s[i:]) - len(strings.TrimLeft(s[i:], "`"))
}

// afterBracket is the place after the ] at i, and after the address if they
// end a link.
func (p *inlines) afterBracket(i int) int {
	if p.brackets == 0 {
		return i + 1
	}
	p.brackets--
	active := p.brackets >= p.inactive
	p.inactive = min(p.inactive, p.brackets)
	if !active || !strings.HasPrefix(p.s[i:], "](") {
		return i + 1
	}
	end := destinationEnd(p.s, i)
	if end < 0 {
		return i + 1
	}
	p.inactive = p.brackets
	return end
}

// mentionEnd is the end of the mention whose @ is at i; i if it names nobody.
// last is where the mention before ends. An @ right behind a word is part of
// an e-mail address or a path, also with dots and dashes between;
// @scope/package and @user@server are names of something else.
func mentionEnd(s string, i, last int) int {
	from := i
	for from > last && strings.IndexByte("._%+-/", s[from-1]) >= 0 {
		from--
	}
	if from > last && (s[from-1] == '@' || joinsWord(runeBefore(s, from))) {
		return i
	}
	end := i + 1
	for end < len(s) && (asciiWord(s[end]) || strings.IndexByte("._-", s[end]) >= 0) {
		end++
	}
	whole := end
	for end > i+1 && strings.IndexByte("._-", s[end-1]) >= 0 {
		end--
	}
	if end == i+1 || end-i-1 > longestUsername || !asciiWord(s[i+1]) {
		return i
	}
	after := runeAt(s, whole)
	goesOn := joinsWord(after) || (after == '@' || after == '/') && whole+1 < len(s) && asciiWord(s[whole+1])
	if whole == end && goesOn {
		return i
	}
	return end
}
