package promql

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// A Node is a part of a query.
type Node interface{ evaluator }

// A selector is one of series, with a range in brackets or without.
type selector struct {
	matchers []Matcher
	window   time.Duration // 0: none
}

type number float64

// A call is a function over a range.
type call struct {
	name string
	arg  *selector
}

// An aggregation is one over series.
type aggregation struct {
	op      string
	labels  []string
	without bool
	arg     Node
}

type binary struct {
	op          byte
	left, right Node
}

// parser reads a query. After an error it only ends.
type parser struct {
	rest  string
	err   error
	depth int
}

// Parse reads a query.
func Parse(query string) (Node, error) {
	if len(query) > maxQuery {
		return nil, bad("a query has at most %d bytes", maxQuery)
	}
	p := parser{rest: query}
	n := p.sum()
	if p.space(); p.err == nil && p.rest != "" {
		p.fail("%.20q is not understood here", p.rest)
	}
	return n, p.err
}

// ParseSelector reads a selector of series, without a range.
func ParseSelector(query string) ([]Matcher, error) {
	n, err := Parse(query)
	if err != nil {
		return nil, err
	}
	s, ok := n.(*selector)
	if !ok || s.window != 0 {
		return nil, bad("%.50q is no selector of series", query)
	}
	return s.matchers, nil
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = bad(format, args...)
	}
	p.rest = ""
}

func (p *parser) space() { p.rest = strings.TrimLeftFunc(p.rest, unicode.IsSpace) }

// take skips a token, if it is next.
func (p *parser) take(token string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *parser) want(token string) {
	if !p.take(token) {
		p.fail("%q is expected before %.20q", token, p.rest)
	}
}

var wordPattern = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)

func (p *parser) word() string {
	p.space()
	w := wordPattern.FindString(p.rest)
	p.rest = p.rest[len(w):]
	return w
}

func (p *parser) operator(ops string) (op byte, ok bool) {
	p.space()
	if p.rest == "" || strings.IndexByte(ops, p.rest[0]) < 0 {
		return 0, false
	}
	op = p.rest[0]
	p.rest = p.rest[1:]
	return op, true
}

func (p *parser) sum() Node {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested too deeply")
		return number(0)
	}
	defer func() { p.depth-- }()
	return p.operation("+-", func() Node { return p.operation("*/%", p.factor) })
}

func (p *parser) operation(ops string, operand func() Node) Node {
	left := operand()
	for p.err == nil {
		op, ok := p.operator(ops)
		if !ok {
			break
		}
		left = &binary{op, left, operand()}
	}
	return left
}

var numberPattern = regexp.MustCompile(`^[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?`)

func (p *parser) factor() Node {
	if p.take("-") {
		return &binary{'-', number(0), p.factorDeeper()}
	}
	if p.take("(") {
		n := p.sum()
		p.want(")")
		return n
	}
	p.space()
	if text := numberPattern.FindString(p.rest); text != "" {
		p.rest = p.rest[len(text):]
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			p.fail("%s is no number", text)
		}
		return number(v)
	}
	word := p.word()
	switch {
	case slices.Contains(aggregations, word):
		return p.aggregation(word)
	case functions[word] != nil:
		p.want("(")
		s := p.selector(p.word())
		p.want(")")
		if s.window == 0 {
			p.fail("%s needs a range, as in %s(reading[5m])", word, word)
		}
		return &call{word, s}
	case word != "" && p.take("("):
		p.fail("the function %s is not known here", word)
		return number(0)
	}
	return p.selector(word)
}

func (p *parser) factorDeeper() Node {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested too deeply")
		return number(0)
	}
	defer func() { p.depth-- }()
	return p.factor()
}

func (p *parser) aggregation(op string) Node {
	a := &aggregation{op: op}
	grouping := func() {
		a.without = false
		if p.take("without") {
			a.without = true
		} else if !p.take("by") {
			return
		}
		p.want("(")
		for !p.take(")") && p.err == nil {
			label := p.word()
			if label == "" {
				p.fail("a label is expected before %.20q", p.rest)
			}
			a.labels = append(a.labels, label)
			p.take(",")
		}
	}
	if grouping(); a.labels == nil && !a.without {
		p.want("(")
		a.arg = p.sum()
		p.want(")")
		grouping()
		return a
	}
	p.want("(")
	a.arg = p.sum()
	p.want(")")
	return a
}

func (p *parser) selector(name string) *selector {
	s := &selector{}
	if name != "" {
		s.matchers = append(s.matchers, Matcher{Name: "__name__", Op: "=", Value: name})
	}
	if p.take("{") {
		for !p.take("}") && p.err == nil {
			s.matchers = append(s.matchers, p.matcher())
			p.take(",")
		}
	} else if name == "" {
		p.fail("a series, a number or a function is expected before %.20q", p.rest)
	}
	if p.take("[") {
		text, rest, ok := strings.Cut(p.rest, "]")
		d, err := Duration(text)
		if !ok || err != nil || d <= 0 {
			p.fail("%.20q is no range, such as [5m]", text)
			return s
		}
		p.rest, s.window = rest, d
	}
	return s
}

func (p *parser) matcher() (m Matcher) {
	m.Name = p.word()
	for _, op := range []string{"=~", "!~", "!=", "="} {
		if m.Op == "" && p.take(op) {
			m.Op = op
		}
	}
	p.space()
	text, ok := p.text()
	if m.Name == "" || m.Op == "" || !ok {
		p.fail("a matcher is of the form label=\"value\"; this is not, before %.20q", p.rest)
		return m
	}
	m.Value = text
	var err error
	if strings.HasSuffix(m.Op, "~") {
		if m.re, err = regexp.Compile(`^(?s:` + m.Value + `)$`); err != nil {
			p.fail("%.50q is no regular expression", m.Value)
		}
	}
	return m
}

// text reads a text in quotes of any kind.
func (p *parser) text() (text string, ok bool) {
	if p.rest == "" || strings.IndexByte("\"'`", p.rest[0]) < 0 {
		return "", false
	}
	quote := p.rest[0]
	rest := p.rest[1:]
	if quote == '`' {
		text, p.rest, ok = strings.Cut(rest, "`")
		return text, ok
	}
	for rest != "" && rest[0] != quote {
		r, _, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", false
		}
		text, rest = text+string(r), tail
	}
	if rest == "" {
		return "", false
	}
	p.rest = rest[1:]
	return text, true
}

var durationPattern = regexp.MustCompile(`^(?:([0-9]+)(ms|s|m|h|d|w|y))+$`)

var durationPart = regexp.MustCompile(`([0-9]+)(ms|s|m|h|d|w|y)`)

// Duration reads a duration of Prometheus, such as 1h30m, or a number of seconds.
func Duration(s string) (d time.Duration, err error) {
	if seconds, err := strconv.ParseFloat(s, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), nil
	}
	if len(s) > 40 || !durationPattern.MatchString(s) {
		return 0, bad("%.20q is no duration", s)
	}
	const day = 24 * time.Hour
	units := map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": day, "w": 7 * day, "y": 365 * day}
	for _, part := range durationPart.FindAllStringSubmatch(s, -1) {
		n, err := strconv.ParseInt(part[1], 10, 64)
		if most := 100 * 365 * day; err != nil || time.Duration(n) > most/units[part[2]] || d > most {
			return 0, bad("%.20q is too long", s)
		}
		d += time.Duration(n) * units[part[2]]
	}
	return d, nil
}
