package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bounds of templates. There are no loops, and what values are made counts against maxWork: doubling a
// text again and again ends soon.
const (
	maxSource = 4 << 10
	maxDepth  = 16
	maxOutput = 1 << 10
	maxWork   = 1 << 20 // bytes of all values that one application makes
)

// Template is a compiled value template: the part of Jinja that announcements of real nodes use.
// Paths, literals, comparisons, arithmetic, inline if, filters, and the statements if and set.
type Template struct{ body []part }

// part is a piece of a template.
type part struct {
	text string // as it stands
	expr expr   // nil: text
	set  string // name that expr is given to; empty: it is written
	ifs  []branch
}

type branch struct {
	cond expr // nil: else
	body []part
}

// A Message is what a template is applied to. Its payload is decoded once for all templates.
type Message struct {
	Payload string
	decoded bool
	json    any
}

// JSON returns the payload decoded; nil if it is no JSON.
func (m *Message) JSON() any {
	if !m.decoded {
		m.decoded = true
		_ = json.Unmarshal([]byte(m.Payload), &m.json)
	}
	return m.json
}

// env is what expressions see.
type env struct {
	m    *Message
	vars map[string]any
	left int // of maxWork
}

// made counts a value that was made.
func (e *env) made(v any) error {
	if e.left -= weight(v, e.left); e.left <= 0 {
		return errors.New("the template makes too much of its values")
	}
	return nil
}

// weight returns about how many bytes a value has, or a little more than limit.
func weight(v any, limit int) int {
	n := 16
	switch v := v.(type) {
	case string:
		n += len(v)
	case []any:
		for _, x := range v {
			if n > limit {
				break
			}
			n += weight(x, limit-n)
		}
	case map[string]any:
		for k, x := range v {
			if n > limit {
				break
			}
			n += len(k) + weight(x, limit-n)
		}
	}
	return n
}

// expr is an expression.
type expr func(e *env) (any, error)

// undefined is the value of what is not there.
type undefined struct{}

// Compile compiles a template. The empty one gives the payload.
func Compile(src string) (*Template, error) {
	if len(src) > maxSource {
		return nil, errors.New("the template is too long")
	}
	c := compiler{rest: src}
	body, end, err := c.body(0)
	if err == nil && end != "" {
		err = fmt.Errorf("{%% %s %%} has no beginning", end)
	}
	if err != nil {
		return nil, err
	}
	return &Template{body}, nil
}

// Apply returns what the template makes of a message. ok is false if that is nothing: a value that is
// not there, null or none.
func (t *Template) Apply(m *Message) (text string, ok bool, err error) {
	if t == nil || len(t.body) == 0 {
		return m.Payload, true, nil
	}
	e := &env{m: m, left: maxWork}
	var b strings.Builder
	if len(t.body) == 1 && t.body[0].expr != nil && t.body[0].set == "" {
		v, err := t.body[0].expr(e)
		if err != nil {
			return "", false, err
		}
		switch v.(type) {
		case undefined, nil:
			return "", false, nil
		}
		return textOf(v), true, nil
	}
	if err := run(t.body, e, &b); err != nil {
		return "", false, err
	}
	return strings.TrimSpace(b.String()), true, nil
}

func run(parts []part, e *env, b *strings.Builder) error {
	for _, p := range parts {
		switch {
		case p.ifs != nil:
			for _, br := range p.ifs {
				if br.cond != nil {
					v, err := br.cond(e)
					if err != nil {
						return err
					}
					if !truth(v) {
						continue
					}
				}
				if err := run(br.body, e, b); err != nil {
					return err
				}
				break
			}
		case p.expr != nil:
			v, err := p.expr(e)
			if err != nil {
				return err
			}
			if p.set != "" {
				if e.vars == nil {
					e.vars = make(map[string]any)
				}
				e.vars[p.set] = v
				continue
			}
			b.WriteString(textOf(v))
		default:
			b.WriteString(p.text)
		}
		if b.Len() > maxOutput {
			return errors.New("the template writes too much")
		}
	}
	return nil
}

// compiler splits a template into its parts.
type compiler struct{ rest string }

// body reads parts up to a statement that ends them, which it returns.
func (c *compiler) body(depth int) (parts []part, end string, err error) {
	if depth > maxDepth {
		return nil, "", errors.New("the template is too deep")
	}
	for c.rest != "" {
		i := strings.Index(c.rest, "{")
		for i >= 0 && i+1 < len(c.rest) && c.rest[i+1] != '{' && c.rest[i+1] != '%' {
			next := strings.Index(c.rest[i+1:], "{")
			if next < 0 {
				i = -1
				break
			}
			i += 1 + next
		}
		if i < 0 || i+1 >= len(c.rest) {
			parts, c.rest = append(parts, part{text: c.rest}), ""
			break
		}
		if i > 0 {
			parts = append(parts, part{text: c.rest[:i]})
		}
		closing := "}}"
		if c.rest[i+1] == '%' {
			closing = "%}"
		}
		inner, rest, ok := strings.Cut(c.rest[i+2:], closing)
		if !ok {
			return nil, "", fmt.Errorf("%s is missing", closing)
		}
		c.rest = rest
		inner = strings.TrimSpace(strings.Trim(inner, "-"))
		if closing == "}}" {
			x, err := parseExpr(inner)
			if err != nil {
				return nil, "", err
			}
			parts = append(parts, part{expr: x})
			continue
		}
		p, end, err := c.statement(inner, depth)
		if err != nil || end != "" {
			return parts, end, err
		}
		parts = append(parts, p)
	}
	return parts, "", nil
}

// statement reads {% inner %}; end is inner if it ends the parts around it.
func (c *compiler) statement(inner string, depth int) (p part, end string, err error) {
	word, rest, _ := strings.Cut(inner, " ")
	switch word {
	case "elif", "else", "endif":
		return p, inner, nil
	case "set":
		name, value, ok := strings.Cut(rest, "=")
		if !ok {
			return p, "", errors.New("set needs a value")
		}
		p.set = strings.TrimSpace(name)
		p.expr, err = parseExpr(value)
		return p, "", err
	case "if":
	default:
		return p, "", fmt.Errorf("{%% %s %%} is not understood", word)
	}
	p.ifs = []branch{}
	for cond := rest; ; {
		var br branch
		if cond != "" {
			if br.cond, err = parseExpr(cond); err != nil {
				return p, "", err
			}
		}
		var next string
		if br.body, next, err = c.body(depth + 1); err != nil {
			return p, "", err
		}
		p.ifs = append(p.ifs, br)
		word, rest, _ := strings.Cut(next, " ")
		switch word {
		case "endif":
			return p, "", nil
		case "elif":
			cond = rest
		case "else":
			cond = ""
		default:
			return p, "", errors.New("endif is missing")
		}
	}
}

// textOf is a value as it is written, as Python does.
func textOf(v any) string {
	switch v := v.(type) {
	case undefined:
		return ""
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case string:
		return v
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}

func truth(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return false
}

// number returns a value as a number; ok is false if it is none.
func number(v any) (n float64, ok bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case string:
		n, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return n, err == nil && !math.IsNaN(n) && !math.IsInf(n, 0)
	}
	return 0, false
}
