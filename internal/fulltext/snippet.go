package fulltext

import (
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	snippetLength = 200 // characters, approximately
	snippetLead   = 60  // characters before the first match
)

// span is a stretch of text, in bytes.
type span struct{ start, end int }

// matches returns the matches of q's clauses in text, and a score, which is higher if more clauses
// match, and if they match more often.
func (q Query) matches(text string) (spans []span, score float64) {
	tokens := Tokens(text)
	for _, c := range q.Clauses {
		if c.Not {
			continue
		}
		n := 0
		for i := range tokens {
			if end, ok := c.at(tokens[i:]); ok {
				n++
				spans = append(spans, span{tokens[i].Start, end})
			}
		}
		if n > 0 {
			// saturation of BM25, for texts of 20 words on average
			score += float64(n) / (float64(n) + 1.2*(0.25+0.75*float64(len(tokens))/20))
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.start - b.start })
	return spans, score
}

// at reports whether tokens begin with the clause, and where the match ends.
func (c Clause) at(tokens []Token) (end int, ok bool) {
	if len(tokens) < len(c.Words) {
		return 0, false
	}
	for i, w := range c.Words {
		have := tokens[i].Word
		if have != w && !(c.Prefix && i == len(c.Words)-1 && strings.HasPrefix(have, w)) {
			return 0, false
		}
		end = tokens[i].End
	}
	return end, true
}

// Score returns the relevance of text for q. 0 means no match.
func (q Query) Score(text string) float64 {
	_, score := q.matches(text)
	return score
}

// Snippet returns the part of text around the first match, on one line.
// marks are the matches in it, as pairs of UTF-16 offsets, which browsers use.
func (q Query) Snippet(text string) (snippet string, marks [][2]int) {
	spans, _ := q.matches(text)
	from := 0
	if len(spans) > 0 {
		from = back(text, spans[0].start, snippetLead)
	}
	to := forward(text, from, snippetLength)
	var b strings.Builder
	units := 0
	write := func(s string) {
		s = strings.Map(oneLine, s)
		b.WriteString(s)
		units += len(utf16.Encode([]rune(s)))
	}
	if from > 0 {
		write("… ")
	}
	done := from
	for _, s := range spans {
		if s.start < done || s.end > to {
			continue
		}
		write(text[done:s.start])
		start := units
		write(text[s.start:s.end])
		marks = append(marks, [2]int{start, units})
		done = s.end
	}
	write(text[done:to])
	if to < len(text) {
		write(" …")
	}
	return b.String(), marks
}

func oneLine(r rune) rune {
	if r == '\n' || r == '\t' || r == '\r' {
		return ' '
	}
	return r
}

// back returns a position up to n characters before i, at a space if there is one.
func back(text string, i, n int) int {
	j := i
	for ; n > 0 && j > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(text[:j])
		j -= size
	}
	if j > 0 && text[j-1] != ' ' && text[j-1] != '\n' { // in the middle of a word
		if space := strings.IndexAny(text[j:i], " \n"); space >= 0 {
			return j + space + 1
		}
	}
	return j
}

func forward(text string, i, n int) int {
	for ; n > 0 && i < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return i
}
