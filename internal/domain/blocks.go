package domain

import (
	"strconv"
	"strings"
	"unicode"
)

// deepest is the level below which quotes and lists are plain text.
const deepest = 8

// eachParagraph divides the lines of a Markdown text as the web client does
// (web/src/view/room/markdown.ts), and calls do with each paragraph. Code
// blocks are none. Lines are read once for each level of quotes and lists.
func eachParagraph(lines []string, depth int, do func(string)) {
	var paragraph []string
	flush := func() {
		if text := trimBlank(strings.Join(paragraph, "\n")); text != "" {
			do(text)
		}
		paragraph = nil
	}
	for i := 0; i < len(lines); {
		line := lines[i]
		b, isItem := bulletAt(line)
		switch ticks := fenceAt(line); {
		case ticks > 0:
			flush()
			i = closingFence(lines, i+1, ticks) + 1
		case depth < deepest && quoteAt(line) > 0:
			flush()
			var inside []string
			for ; i < len(lines) && quoteAt(lines[i]) > 0; i++ {
				inside = append(inside, lines[i][quoteAt(lines[i]):])
			}
			eachParagraph(inside, depth+1, do)
		case depth < deepest && isItem && (len(paragraph) == 0 || !b.ordered || b.number == 1):
			flush()
			items, next := listAt(lines, i)
			for _, item := range items {
				eachParagraph(item, depth+1, do)
			}
			i = next
		case trimBlank(line) == "":
			flush()
			i++
		default:
			paragraph = append(paragraph, line)
			i++
		}
	}
	flush()
}

// indentOf is how many spaces line begins with, up to three.
func indentOf(line string) int {
	n := 0
	for n < 3 && n < len(line) && line[n] == ' ' {
		n++
	}
	return n
}

// fenceAt is how many backticks open a code block with line; 0 if none do.
func fenceAt(line string) int {
	from := indentOf(line)
	n := ticksAt(line, from)
	if n < 3 || strings.Contains(line[from+n:], "`") {
		return 0
	}
	return n
}

// closingFence is the line that closes a fence, or the end of the text.
func closingFence(lines []string, from, ticks int) int {
	i := from
	for ; i < len(lines); i++ {
		line := trimBlank(lines[i])
		if n := ticksAt(line, 0); n >= ticks && n == len(line) {
			break
		}
	}
	return i
}

// quoteAt is the length of what makes line a quotation; 0 if it is none. Faces
// and comparisons, >_< and >3, are none.
func quoteAt(line string) int {
	from := indentOf(line)
	if from >= len(line) || line[from] != '>' {
		return 0
	}
	next := runeAt(line, from+1)
	switch {
	case next == ' ':
		return from + 2
	case next == -1 || next == '>':
		return from + 1
	case next >= '0' && next <= '9':
		return 0
	case next < 0x80 && unicode.In(next, unicode.P, unicode.S) && !strings.ContainsRune("\"'([*@`", next):
		return 0
	}
	// A short word that ends with an angle is a face.
	units := 0
	for n, r := range line[from+1:] + "\n" {
		if units >= 6 {
			break
		}
		if isBlank(r) {
			if strings.IndexByte("<>", line[from+n]) >= 0 {
				return 0
			}
			break
		}
		units += utf16Units(r)
	}
	return from + 1
}

func utf16Units(r rune) int {
	if r >= 0x10000 {
		return 2
	}
	return 1
}

// A bullet begins an item of a list: a dash, star, plus or number, and up to
// four spaces.
type bullet struct {
	ordered bool
	number  int
	indent  int // where the text begins
}

func bulletAt(line string) (bullet, bool) {
	from := indentOf(line)
	end := from
	for end-from < 9 && end < len(line) && line[end] >= '0' && line[end] <= '9' {
		end++
	}
	marks := "-*+"
	if end > from {
		marks = ".)"
	}
	if end >= len(line) || strings.IndexByte(marks, line[end]) < 0 {
		return bullet{}, false
	}
	text := end + 1
	for text-end < 5 && text < len(line) && line[text] == ' ' {
		text++
	}
	if text == end+1 || isBlank(runeAt(line, text)) {
		return bullet{}, false
	}
	number, _ := strconv.Atoi(line[from:end]) // of a bullet without a number, 0
	return bullet{end > from, number, text}, true
}

// listAt returns the lines of each item of the list that begins at from, and
// the line after it.
func listAt(lines []string, from int) (items [][]string, next int) {
	first, _ := bulletAt(lines[from])
	indent := 0
	for next = from; next < len(lines); next++ {
		line := lines[next]
		b, isItem := bulletAt(line)
		lead := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case isItem && b.ordered == first.ordered && (items == nil || lead < max(2, indent)):
			indent = b.indent
			items = append(items, []string{line[indent:]})
		case trimBlank(line) != "" && lead >= min(2, indent):
			last := len(items) - 1
			items[last] = append(items[last], line[min(lead, indent):])
		default:
			return items, next
		}
	}
	return items, next
}
