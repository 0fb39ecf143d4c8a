package fulltext

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
)

// Bounds of a query.
const (
	MaxQuery   = 256 // characters
	maxClauses = 16
)

// Clause is one thing that a message must (or must not) hold: its words next to
// each other, in this order.
type Clause struct {
	Words  []string
	Prefix bool // the last word may go on
	Not    bool
}

// Query is what a search asks for. Its clauses must all hold.
type Query struct {
	Clauses []Clause
	From    string    // username
	In      string    // a room's name or id
	Before  time.Time // zero: no bound
	After   time.Time
	HasLink bool
}

// Parse reads a query: words, "phrases", prefix*, -without, from:name,
// in:room, in:"a room", before:2026-01-31, after:2026-01-31 and has:link.
// Days are in UTC; before: excludes the day, after: includes it.
func Parse(s string) (Query, error) {
	var q Query
	if utf8.RuneCountInString(s) > MaxQuery {
		return q, invalid("a search has at most %d characters", MaxQuery)
	}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var not bool
		if rest, ok := strings.CutPrefix(s, "-"); ok && rest != "" && !unicode.IsSpace(rune(rest[0])) {
			not, s = true, rest
		}
		name, rest, isFilter := cutFilter(s)
		if !isFilter {
			rest = s
		}
		value, after := cutValue(rest)
		s = after
		if isFilter && !not {
			if err := q.filter(name, value); err != nil {
				return q, err
			}
			continue
		}
		q.add(value, not)
	}
	if len(q.Clauses) > maxClauses {
		return q, invalid("a search has at most %d words and phrases", maxClauses)
	}
	return q, q.check()
}

func (q *Query) check() error {
	for _, c := range q.Clauses {
		if !c.Not {
			return nil
		}
	}
	if len(q.Clauses) == 0 && (q.From != "" || q.In != "" || q.HasLink) {
		return nil
	}
	return invalid("say what to look for: a word, a \"phrase\", or a beginning*")
}

func cutFilter(s string) (name, rest string, ok bool) {
	for _, name := range []string{"from", "in", "before", "after", "has"} {
		if len(s) > len(name) && s[len(name)] == ':' && strings.EqualFold(s[:len(name)], name) {
			return name, s[len(name)+1:], true
		}
	}
	return "", "", false
}

// cutValue takes a word or a quoted phrase off s. A quote that is not closed
// ends with the text.
func cutValue(s string) (value, rest string) {
	if strings.HasPrefix(s, `"`) {
		value, rest, _ = strings.Cut(s[1:], `"`)
		if strings.HasPrefix(rest, "*") {
			value, rest = value+"*", rest[1:]
		}
		return value, rest
	}
	if i := strings.IndexFunc(s, unicode.IsSpace); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}

func (q *Query) filter(name, value string) (err error) {
	if value == "" {
		return invalid("%s: needs a value right after the colon", name)
	}
	switch name {
	case "from":
		q.From = strings.ToLower(strings.TrimPrefix(value, "@"))
	case "in":
		q.In = strings.TrimPrefix(value, "#")
	case "before":
		q.Before, err = day(name, value)
	case "after":
		q.After, err = day(name, value)
	case "has":
		if !strings.EqualFold(value, "link") {
			return invalid("has: knows only has:link")
		}
		q.HasLink = true
	}
	return err
}

func day(name, value string) (time.Time, error) {
	t, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return t, invalid("%s: takes a day such as 2026-01-31", name)
	}
	return t, nil
}

// add makes a clause of a word or phrase. A word such as don't or a-b is made
// of several: they must stand together. A lone character of a script without
// spaces looks for every pair that begins with it.
func (q *Query) add(text string, not bool) {
	prefix := strings.HasSuffix(text, "*")
	tokens := Tokens(text)
	c := Clause{Prefix: prefix, Not: not}
	for i, t := range tokens {
		single := utf8.RuneCountInString(t.Word) == 1
		last, _ := utf8.DecodeLastRuneInString(t.Word)
		if unspacedWord := classOf(last) == pair; unspacedWord && single {
			if i > 0 && tokens[i-1].End == t.End {
				continue // the end of a run whose pairs say it all
			}
			c.Prefix = true
		}
		c.Words = append(c.Words, t.Word)
	}
	if len(c.Words) > 0 {
		q.Clauses = append(q.Clauses, c)
	}
}

func invalid(format string, args ...any) error {
	e := domain.Invalid.Errorf("bad_query", format, args...)
	e.Fields = []domain.Field{{Pointer: "/q", Detail: e.Msg}}
	return e
}
