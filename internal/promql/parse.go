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
	offset   time.Duration // how long before the steps
}

type number float64

// A call is a function over a range.
type call struct {
	name  string
	param Node // of quantile_over_time; nil: none
	arg   *selector
}

// An aggregation is one over series.
type aggregation struct {
	op      string
	param   Node // of topk and bottomk; nil: none
	labels  []string
	without bool
	arg     Node
}

// A binary is arithmetic or a comparison.
type binary struct {
	op          string
	asBool      bool // a comparison is 1 or 0, and leaves nothing out
	match       *matching
	left, right Node
}

// A matching says by which labels series of both sides belong together.
type matching struct {
	on     bool // by these labels alone; otherwise by all others
	labels []string
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
	n := p.expression()
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

// keyword takes a word of the language. It is none of it if more of a name follows.
func (p *parser) keyword(word string) bool {
	p.space()
	if wordPattern.FindString(p.rest) != word {
		return false
	}
	p.rest = p.rest[len(word):]
	return true
}

// labels reads names of labels in parentheses. There may be none.
func (p *parser) labels() (names []string) {
	p.want("(")
	for !p.take(")") && p.err == nil {
		label := p.word()
		if label == "" {
			p.fail("a label is expected before %.20q", p.rest)
		}
		names = append(names, label)
		p.take(",")
	}
	return names
}

// operators are those of two sides, the ones that bind least first.
var operators = [][]string{{"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}}

// expression reads what stands by itself, or in parentheses.
func (p *parser) expression() Node {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested too deeply")
		return number(0)
	}
	defer func() { p.depth-- }()
	return p.operation(operators)
}

func (p *parser) operation(levels [][]string) Node {
	if len(levels) == 0 {
		return p.unary()
	}
	left := p.operation(levels[1:])
	for p.err == nil {
		i := slices.IndexFunc(levels[0], p.take)
		if i < 0 {
			break
		}
		b := &binary{op: levels[0][i], left: left}
		p.modifiers(b)
		b.right = p.operation(levels[1:])
		left = b
	}
	return left
}

// modifiers reads what may stand between an operator and its right side.
func (p *parser) modifiers(b *binary) {
	b.asBool = b.compares() && p.keyword("bool")
	switch {
	case p.keyword("on"):
		b.match = &matching{on: true, labels: p.labels()}
	case p.keyword("ignoring"):
		b.match = &matching{labels: p.labels()}
	}
	for _, many := range []string{"group_left", "group_right"} {
		if p.keyword(many) {
			p.fail("%s is not known here: each series has one partner", many)
		}
	}
}

// unary reads a negated operand, or a power.
func (p *parser) unary() Node {
	if p.take("-") {
		return &binary{op: "-", left: number(0), right: p.deeper(p.unary)}
	}
	base := p.factor()
	if p.take("^") { // binds from the right
		b := &binary{op: "^", left: base}
		p.modifiers(b)
		b.right = p.deeper(p.unary)
		return b
	}
	return base
}

var numberPattern = regexp.MustCompile(`^[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?`)

func (p *parser) factor() Node {
	if p.take("(") {
		n := p.expression()
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
	case functions[word] != nil || word == quantile:
		return p.call(word)
	case word != "" && p.take("("):
		p.fail("the function %s is not known here", word)
		return number(0)
	}
	return p.selector(word)
}

// deeper reads an operand of an operand.
func (p *parser) deeper(operand func() Node) Node {
	if p.depth++; p.depth > maxDepth {
		p.fail("it is nested too deeply")
		return number(0)
	}
	defer func() { p.depth-- }()
	return operand()
}

func (p *parser) call(name string) Node {
	c := &call{name: name}
	p.want("(")
	if name == quantile {
		c.param = p.expression()
		p.want(",")
	}
	c.arg = p.selector(p.word())
	p.want(")")
	if c.arg.window == 0 {
		p.fail("%s needs a range, as in %s(reading[5m])", name, name)
	}
	return c
}

func (p *parser) aggregation(op string) Node {
	a := &aggregation{op: op}
	grouped := p.grouping(a)
	p.want("(")
	if a.ranks() {
		a.param = p.expression()
		p.want(",")
	}
	a.arg = p.expression()
	p.want(")")
	if !grouped {
		p.grouping(a)
	}
	return a
}

// grouping reads by which labels, or without which, is summed up.
func (p *parser) grouping(a *aggregation) bool {
	if a.without = p.keyword("without"); !a.without && !p.keyword("by") {
		return false
	}
	a.labels = p.labels()
	return true
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
	if p.keyword("offset") {
		s.offset = p.duration()
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
