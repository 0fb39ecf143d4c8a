package domain

import (
	"strconv"
	"strings"
	"unicode"
)

// deepest is the level below which quotes and lists are plain text, and
// emphasis has no effect.
const deepest = 8

// block is a part of a Markdown text. One of its fields says which.
type block struct {
	paragraph string
	code      *string
	quote     []block
	list      []item
	table     [][]string // the first row has the names of the columns
}

// item is an item of a list.
type item struct {
	label  string // as it was written: "1." or "-"
	task   *task
	blocks []block
}

// task is what an item says is to be done.
type task struct {
	done bool
	line mdLine // what is behind the brackets
	at   int    // where what is between the brackets is in the text
}

// mdLine is a line of a text, or the rest of one.
type mdLine struct {
	s  string
	at int // where it begins in the text
}

// from is the line without its first n bytes.
func (l mdLine) from(n int) mdLine { return mdLine{l.s[n:], l.at + n} }

// trimmed is the line without blanks at its ends.
func (l mdLine) trimmed() mdLine {
	l = l.from(len(l.s) - len(strings.TrimLeftFunc(l.s, isBlank)))
	return mdLine{trimBlank(l.s), l.at}
}

func textsOf(lines []mdLine) []string {
	texts := make([]string, len(lines))
	for i, l := range lines {
		texts[i] = l.s
	}
	return texts
}

// parseBlocks divides a Markdown text as the web client does
// (web/src/view/room/markdown.ts). Both are checked against
// testdata/markdown.json. Lines are read once for each level of quotes and lists.
func parseBlocks(text string) []block {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	lines := make([]mdLine, 0, 1+strings.Count(text, "\n"))
	at := 0
	for s := range strings.SplitSeq(text, "\n") {
		lines = append(lines, mdLine{s, at})
		at += len(s) + 1
	}
	return blocksOf(lines, 0)
}

func blocksOf(lines []mdLine, depth int) (out []block) {
	var paragraph []string
	flush := func() {
		if text := trimBlank(strings.Join(paragraph, "\n")); text != "" {
			out = append(out, block{paragraph: text})
		}
		paragraph = nil
	}
	for i := 0; i < len(lines); {
		line := lines[i].s
		b, isItem := bulletAt(line)
		switch ticks, columns := fenceAt(line), tableAt(lines[i:]); {
		case ticks > 0:
			flush()
			end := closingFence(lines, i+1, ticks)
			out = append(out, block{code: codeOf(line, textsOf(lines[i+1:end]))})
			i = end + 1
		case depth < deepest && quoteAt(line) > 0:
			flush()
			var inside []mdLine
			for ; i < len(lines) && quoteAt(lines[i].s) > 0; i++ {
				inside = append(inside, lines[i].from(quoteAt(lines[i].s)))
			}
			out = append(out, block{quote: blocksOf(inside, depth+1)})
		case depth < deepest && isItem && (len(paragraph) == 0 || !b.ordered || b.number == 1):
			flush()
			var list []item
			list, i = listAt(lines, i, depth)
			out = append(out, block{list: list})
		case columns > 0:
			flush()
			end := tableEnd(lines, i+2, depth)
			out = append(out, block{table: rowsOf(line, textsOf(lines[i+2:end]), columns)})
			i = end
		case trimBlank(line) == "":
			flush()
			i++
		default:
			paragraph = append(paragraph, line)
			i++
		}
	}
	flush()
	return out
}

// eachParagraph calls do with each paragraph and cell of blocks. Code blocks
// are none.
func eachParagraph(blocks []block, do func(string)) {
	for _, b := range blocks {
		if b.paragraph != "" {
			do(b.paragraph)
		}
		eachParagraph(b.quote, do)
		for _, it := range b.list {
			eachParagraph(it.blocks, do)
		}
		for _, row := range b.table {
			for _, cell := range row {
				do(cell)
			}
		}
	}
}

// codeOf is the text of a code block. Words behind the fence are no language:
// they were meant to be seen.
func codeOf(fence string, lines []string) *string {
	info := trimBlank(strings.TrimLeft(fence, " `"))
	text := strings.Join(lines, "\n")
	noName := func(r rune) bool {
		return isBlank(r) || unicode.In(r, unicode.P, unicode.S) && !strings.ContainsRune("_+#.-", r)
	}
	if strings.ContainsFunc(info, noName) {
		text = strings.Join(append([]string{info}, lines...), "\n")
	}
	return &text
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
func closingFence(lines []mdLine, from, ticks int) int {
	i := from
	for ; i < len(lines); i++ {
		line := trimBlank(lines[i].s)
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

// listAt returns the items of the list that begins at from, and the line after
// it. Blank lines belong to it if an item or more of one is behind them.
func listAt(lines []mdLine, from, depth int) (items []item, next int) {
	first, _ := bulletAt(lines[from].s)
	var inside [][]mdLine
	var labels []string
	indent, blank := 0, 0
scan:
	for next = from; next+blank < len(lines); {
		l := lines[next+blank]
		line := l.s
		b, isItem := bulletAt(line)
		lead := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case trimBlank(line) == "":
			blank++
			continue
		case isItem && b.ordered == first.ordered && (inside == nil || lead < max(2, indent)):
			indent = b.indent
			labels = append(labels, trimBlank(line[:indent]))
			inside = append(inside, []mdLine{l.from(indent)})
		case lead >= min(2, indent):
			last := len(inside) - 1
			if blank > 0 {
				inside[last] = append(inside[last], mdLine{})
			}
			inside[last] = append(inside[last], l.from(min(lead, indent)))
		default:
			break scan
		}
		next, blank = next+blank+1, 0
	}
	for i, lines := range inside {
		it := item{label: labels[i], task: taskAt(lines[0])}
		if it.task != nil {
			lines[0] = it.task.line
		}
		it.blocks = blocksOf(lines, depth+1)
		items = append(items, it)
	}
	return items, next
}

// taskAt is the task that the first line of an item is: [ ] or [x], and words.
func taskAt(l mdLine) *task {
	line := l.s
	if len(line) < 4 || line[0] != '[' || line[2] != ']' || line[3] != ' ' && line[3] != '\t' {
		return nil
	}
	rest := l.from(3).trimmed()
	if rest.s == "" || strings.IndexByte(" xX", line[1]) < 0 {
		return nil
	}
	return &task{done: line[1] != ' ', line: rest, at: l.at + 1}
}
