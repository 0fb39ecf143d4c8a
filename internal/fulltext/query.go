package fulltext

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/language"
)

// Limits of a query.
const (
	MaxQuery   = 256 // characters
	maxClauses = 16
)

// Clause is a condition on messages: its words next to each other, in this order.
type Clause struct {
	Words  []string
	Prefix bool // the last word is a prefix
	Not    bool
}

// Me stands in a query for whoever searches.
const Me = "me"

// Query is a parsed query. All its clauses must hold.
type Query struct {
	Clauses  []Clause
	From     string    // username, or Me
	Mentions string    // username, or Me
	In       string    // a room's name or id
	Before   time.Time // zero: no bound
	After    time.Time
	HasLink  bool
	HasFile  bool
	HasPoll  bool
	HasPin   bool   // is pinned in its room
	Lang     string // a code of package language, or its Unknown
	// Plain is the query without its filters, if it has only words: no phrases, prefixes or exclusions. Else it is empty.
	Plain string
}

// Parse parses a query: words, "phrases", prefix*, -without, from:name, mentions:me, in:room, in:"a room",
// before:2026-01-31, after:2026-01-31, has:link, has:file, has:poll, has:pin, lang:de and lang:unknown. Days are in
// zone. before: excludes the day, and after: includes it.
//
// Anything else is text: C++, --force, a colon with nothing after it. If a query has only
// exclusions, they are searched for instead. A query of only punctuation finds nothing; see
// Nothing.
func Parse(s string, zone *time.Location) (Query, error) {
	var q Query
	var plain []string
	exact := false
	if utf8.RuneCountInString(s) > MaxQuery {
		return q, invalid("a search has at most %d characters", MaxQuery)
	}
	if strings.TrimSpace(s) == "" {
		return q, invalid("say what to look for: a word, a \"phrase\", or a beginning*")
	}
	for s = strings.TrimSpace(s); s != ""; s = strings.TrimSpace(s) {
		var not bool
		if rest, ok := strings.CutPrefix(s, "-"); ok && rest != "" {
			next, _ := utf8.DecodeRuneInString(rest)
			not = next == '"' || classOf(next) != gap
			s = s[1:]
		}
		name, rest, isFilter := cutFilter(s)
		if !isFilter || not {
			rest = s
		}
		value, after := cutValue(rest)
		s = after
		if isFilter && !not {
			if err := q.filter(name, value, zone); err != nil {
				return q, err
			}
			continue
		}
		exact = exact || not || strings.HasPrefix(rest, `"`) || strings.HasSuffix(value, "*")
		plain = append(plain, value)
		q.add(value, not)
	}
	if !exact {
		q.Plain = strings.Join(plain, " ")
	}
	if len(q.Clauses) > maxClauses {
		return q, invalid("a search has at most %d words and phrases", maxClauses)
	}
	if !q.filters() && !slices.ContainsFunc(q.Clauses, func(c Clause) bool { return !c.Not }) {
		for i := range q.Clauses {
			q.Clauses[i].Not = false
		}
	}
	return q, nil
}

func (q *Query) filters() bool {
	return q.From != "" || q.Mentions != "" || q.In != "" || q.Has() || q.Lang != "" || !q.Before.IsZero() ||
		!q.After.IsZero()
}

// Has reports whether q asks with has: for something.
func (q *Query) Has() bool { return q.HasLink || q.HasFile || q.HasPoll || q.HasPin }

// Nothing reports whether q has neither clauses nor filters, so that it finds nothing.
func (q *Query) Nothing() bool { return len(q.Clauses) == 0 && !q.filters() }

func cutFilter(s string) (name, rest string, ok bool) {
	for _, name := range []string{"from", "mentions", "in", "before", "after", "has", "lang"} {
		if len(s) > len(name) && s[len(name)] == ':' && strings.EqualFold(s[:len(name)], name) {
			value := s[len(name)+1:]
			next, _ := utf8.DecodeRuneInString(value)
			return name, value, value != "" && !unicode.IsSpace(next)
		}
	}
	return "", "", false
}

// cutValue cuts a word or quoted phrase off s. An unclosed quote ends with the text.
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

func (q *Query) filter(name, value string, zone *time.Location) (err error) {
	switch name {
	case "from":
		q.From = strings.TrimPrefix(value, "@")
	case "mentions":
		q.Mentions = strings.TrimPrefix(value, "@")
	case "in":
		q.In = strings.TrimPrefix(value, "#")
	case "before":
		q.Before, err = day(name, value, zone)
	case "after":
		q.After, err = day(name, value, zone)
	case "has":
		return q.has(value)
	case "lang":
		var ok bool
		if q.Lang, ok = language.Parse(value); !ok {
			e := invalid("lang: takes one of %s, or %s", strings.Join(language.Codes(), " "), language.Unknown)
			e.Code, err = domain.CodeNoLanguage, e
		}
	}
	return err
}

func (q *Query) has(value string) error {
	switch strings.ToLower(value) {
	case "link":
		q.HasLink = true
	case "file":
		q.HasFile = true
	case "poll":
		q.HasPoll = true
	case "pin":
		q.HasPin = true
	default:
		return invalid("has: takes one of link, file, poll and pin")
	}
	return nil
}

func day(name, value string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, value, zone)
	if err != nil {
		return t, invalid("%s: takes a day such as 2026-01-31", name)
	}
	return t, nil
}

// minPrefix is the minimum length of a prefix*, in characters. A shorter one is searched for as a
// word.
const minPrefix = 2

// add adds a clause for a word or phrase. A word such as don't or a-b consists of several, which
// must be adjacent. The last character of an unspaced script matches as a prefix, because it begins
// every pair with its successors.
func (q *Query) add(text string, not bool) {
	tokens := Tokens(text)
	if len(tokens) == 0 {
		return
	}
	end := tokens[len(tokens)-1]
	c := Clause{Not: not, Prefix: strings.HasSuffix(text, "*") && utf8.RuneCountInString(end.Word) >= minPrefix}
	if end.last {
		c.Prefix = true
		if n := len(tokens); n > 1 && tokens[n-2].End == end.End {
			tokens, c.Prefix = tokens[:n-1], false // the pairs already cover it
		}
	}
	for _, t := range tokens {
		c.Words = append(c.Words, t.Word)
	}
	q.Clauses = append(q.Clauses, c)
}

func invalid(format string, args ...any) *domain.Error {
	e := domain.Invalid.Errorf(domain.CodeBadQuery, format, args...)
	e.Fields = []domain.Field{{Pointer: "/q", Detail: e.Msg}}
	return e
}
