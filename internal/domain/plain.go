package domain

import (
	"net/url"
	"strconv"
	"strings"
)

// hidden stands for the text of a spoiler.
const hidden = "[…]"

// PlainLine returns what a Markdown text says without its marks, in one line:
// for snippets and notifications. Spoilers are left out. The web client's plain
// (web/src/view/room/markdown.ts) says the same.
func PlainLine(text string) string {
	return strings.Join(strings.FieldsFunc(plainBlocks(parseBlocks(text)), isBlank), " ")
}

func plainBlocks(blocks []block) string {
	parts := make([]string, 0, len(blocks))
	for _, b := range blocks {
		switch {
		case b.code != nil:
			parts = append(parts, *b.code)
		case b.quote != nil:
			parts = append(parts, plainBlocks(b.quote))
		case b.paragraph != "":
			parts = append(parts, plainInline(b.paragraph))
		}
		var among []string
		for _, it := range b.list {
			among = append(among, plainBlocks(it.blocks))
		}
		for _, row := range b.table {
			for _, cell := range row {
				if said := plainInline(cell); said != "" {
					among = append(among, said)
				}
			}
		}
		if among != nil {
			parts = append(parts, strings.Join(among, ", "))
		}
	}
	return strings.Join(parts, " ")
}

// Excerpt returns the beginning of a Markdown text, at most n characters. A
// spoiler that would be cut ends before the cut, so that it stays one.
func Excerpt(text string, n int) string {
	cut := prefix(text, n)
	if cut == text || strings.Count(cut, "||")%2 == 0 || !strings.Contains(text[len(cut)-1:], "||") {
		return cut
	}
	return strings.TrimRightFunc(prefix(text, n-2), isBlank) + "||"
}

// prefix returns the first n characters of s.
func prefix(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// PlainText returns a Markdown text for a terminal: without the marks within
// lines, and with those at their beginnings that show what quotes, lists and
// tasks are. Spoilers are left out.
func PlainText(text string) string {
	return strings.Join(plainLines(parseBlocks(text)), "\n")
}

func plainLines(blocks []block) (lines []string) {
	for i, b := range blocks {
		if i > 0 && (b.paragraph != "" && blocks[i-1].paragraph != "" || b.table != nil || blocks[i-1].table != nil) {
			lines = append(lines, "")
		}
		if b.paragraph != "" {
			lines = append(lines, strings.Split(plainInline(b.paragraph), "\n")...)
		}
		if b.code != nil {
			lines = append(lines, strings.Split(*b.code, "\n")...)
		}
		lines = append(lines, indented("> ", "> ", plainLines(b.quote))...)
		for _, it := range b.list {
			label := it.label + " "
			if it.task != nil {
				label += map[bool]string{false: "[ ] ", true: "[x] "}[it.task.done]
			}
			lines = append(lines, indented(label, strings.Repeat(" ", len(it.label)+1), plainLines(it.blocks))...)
		}
		for _, row := range b.table {
			cells := make([]string, len(row))
			for n, cell := range row {
				cells[n] = plainInline(cell)
			}
			lines = append(lines, strings.Join(cells, " | "))
		}
	}
	return lines
}

// indented puts first before the first line, and rest before all others.
func indented(first, rest string, lines []string) []string {
	for i, line := range lines {
		if i > 0 {
			first = rest
		}
		lines[i] = first + line
		if line == "" {
			lines[i] = strings.TrimRight(first, " ")
		}
	}
	return lines
}

// mdToken is a stretch of a paragraph, or a run of marks.
type mdToken struct {
	text    string
	run     *mdRun
	link    int    // 1 where the text of a link begins, -1 where it ends
	address string // of a link that ends here, or of a bare address
	angled  bool   // an address in angle brackets
}

// plainReader reads a paragraph into tokens, as web/src/view/room/inline.ts does.
type plainReader struct {
	inlines
	tokens  []mdToken
	runs    []*mdRun
	open    []mdBracket
	pending int // where the text begins that was read and has no marks
	told    int // how many tokens say something
}

type mdBracket struct{ token, run, text int }

func plainInline(s string) string { return spoken(inlineTokens(s)) }

func inlineTokens(s string) []mdToken {
	r := plainReader{inlines: inlines{s: s}}
	for i := 0; i < len(s); {
		i = r.at(i)
	}
	r.flush(len(s))
	pairRuns(r.runs)
	return r.tokens
}

func (r *plainReader) flush(to int) {
	if to > r.pending {
		r.push(r.s[r.pending:to])
	}
	r.pending = to
}

func (r *plainReader) push(text string) {
	if says(text) {
		r.told++
	}
	r.tokens = append(r.tokens, mdToken{text: text})
}

// take ends the text before i and puts text in the place of what is from i to end.
func (r *plainReader) take(i int, text string, end int) int {
	r.flush(i)
	if text != "" {
		r.push(text)
	}
	r.pending = end
	return end
}

// at reads what is at i, and returns where to go on.
func (r *plainReader) at(i int) int {
	s := r.s
	switch c := s[i]; c {
	case '\\':
		if end, _ := r.next(i); end != i+2 || pathEnd(s, i) > i {
			return max(end, i+1)
		}
		if s[i+1] == '_' && strings.HasSuffix(s[:i], "¯") { // the shoulder of a shrug
			return i + 2
		}
		return r.take(i, s[i+1:i+2], i+2)
	case '`':
		n, end := ticksAt(s, i), r.afterCode(i)
		if end == i+n {
			return end
		}
		r.take(i, codeSpan(s[i+n:end-n]), end)
		r.told++ // a span says something even if it has no words
		return end
	case '*', '_', '~', '|':
		end := i + 1
		for end < len(s) && s[end] == c {
			end++
		}
		if (c == '~' || c == '|') && end-i != 2 {
			return end
		}
		r.flush(i)
		run := newRun(s, i, end, r.told)
		r.runs = append(r.runs, run)
		r.tokens = append(r.tokens, mdToken{run: run})
		r.pending = end
		return end
	case '[':
		r.flush(i)
		r.open = append(r.open, mdBracket{len(r.tokens), len(r.runs), i})
		return r.take(i, "[", i+1)
	case ']':
		return r.bracket(i)
	}
	return r.named(i)
}

// named reads an address or a mention at i, which are one token.
func (r *plainReader) named(i int) int {
	var end, edge int
	switch r.s[i] {
	case '<':
		end, edge = angledEnd(r.s, i), 1
		if end > i && !linksTo(r.s[i+1:end-1]) {
			edge = 0
		}
	case '@':
		if end = mentionEnd(r.s, i, r.mentions); end > i {
			r.mentions = end
		}
	default:
		if end = addressEnd(r.s, i); end == i {
			return max(i+1, pathEnd(r.s, i))
		}
		r.take(i, r.s[i:end], end)
		r.tokens[len(r.tokens)-1].address = r.s[i:end]
		return end
	}
	if end == i {
		return i + 1
	}
	r.take(i, r.s[i+edge:end-edge], end)
	r.tokens[len(r.tokens)-1].angled = edge > 0
	return end
}

// bracket reads the ] at i: the end of a link's text, or a bracket.
func (r *plainReader) bracket(i int) int {
	if len(r.open) == 0 {
		return i + 1
	}
	opener := r.open[len(r.open)-1]
	r.open = r.open[:len(r.open)-1]
	active := len(r.open) >= r.inactive
	r.inactive = min(r.inactive, len(r.open))
	if !active || !strings.HasPrefix(r.s[i:], "](") {
		return i + 1
	}
	end := destinationEnd(r.s, i)
	if end < 0 || trimBlank(r.s[opener.text+1:i]) == "" {
		return i + 1
	}
	address := strings.Trim(r.s[i+2:end-1], " <>")
	if !linksTo(address) {
		return i + 1
	}
	r.flush(i)
	pairRuns(r.runs[opener.run:])
	r.runs = r.runs[:opener.run]
	r.tokens[opener.token] = mdToken{link: 1}
	r.inactive = len(r.open)
	r.tokens = append(r.tokens, mdToken{link: -1, address: address})
	r.told++
	r.pending = end
	return end
}

// spoken returns the texts of tokens, without those of spoilers.
func spoken(tokens []mdToken) string {
	var b strings.Builder
	eachShown(tokens, func(t mdToken) { b.WriteString(t.text) }, func() { b.WriteString(hidden) })
	return b.String()
}

// eachShown calls show for each token that is in no spoiler, and hide where a spoiler begins. Emphasis below the
// deepest level has no effect.
func eachShown(tokens []mdToken, show func(mdToken), hide func()) {
	stack := []bool{false} // whether what is open there hides its text
	enter := func(spoiler bool) {
		top := stack[len(stack)-1]
		spoiler = spoiler && len(stack) <= deepest
		if spoiler && !top {
			hide()
		}
		stack = append(stack, top || spoiler)
	}
	for _, t := range tokens {
		if t.link > 0 {
			enter(false)
		}
		if t.run != nil {
			stack = stack[:len(stack)-t.run.closes]
			t.text = strings.Repeat(string(t.run.char), t.run.left)
		}
		if t.link < 0 {
			stack = stack[:len(stack)-1]
		}
		if !stack[len(stack)-1] {
			show(t)
		}
		if t.run != nil {
			for n := len(t.run.opens) - 1; n >= 0; n-- {
				enter(t.run.opens[n])
			}
		}
	}
}

// codeSpan is the text between backticks. One space on each side makes room
// for backticks and is not shown.
func codeSpan(code string) string {
	text := strings.ReplaceAll(code, "\n", " ")
	if len(text) > 2 && text[0] == ' ' && text[len(text)-1] == ' ' && trimBlank(text) != "" {
		return text[1 : len(text)-1]
	}
	return text
}

// linksTo reports whether address has a host that a browser may be sent to.
func linksTo(address string) bool {
	if hasPrefixFold(address, 0, "mailto:") {
		return true
	}
	host := hostOf(address, 0)
	if host < 0 {
		return address != "" && mailEnd(address, 0) == len(address)
	}
	end := len(address)
	if n := strings.IndexAny(address[host:], "/?#\\"); n >= 0 {
		end = host + n
	}
	named := address[host:end]
	u, err := url.Parse("https://" + named[strings.LastIndexByte(named, '@')+1:])
	if err != nil || u.Hostname() == "" || strings.ContainsAny(u.Hostname(), "[]") {
		return false
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return u.Port() == "" || err == nil && port > 0
}
