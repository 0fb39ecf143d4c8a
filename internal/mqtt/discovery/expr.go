package discovery

import (
	"errors"
	"fmt"
	"strconv"
)

// parser reads expressions by precedence: if, or, and, not, comparison, ~, sum, product, unary, filter.
type parser struct {
	tokens []token
	depth  int
}

func parseExpr(s string) (expr, error) {
	tokens, err := lex(s)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens}
	x, err := p.ternary()
	if err == nil && len(p.tokens) > 0 {
		err = fmt.Errorf("%q is not understood", p.tokens[0].text)
	}
	return x, err
}

func (p *parser) peek() token {
	if len(p.tokens) == 0 {
		return token{}
	}
	return p.tokens[0]
}

// take reads a token if it is one of the operators or words.
func (p *parser) take(texts ...string) (string, bool) {
	t := p.peek()
	if t.kind == 'o' || t.kind == 'n' {
		for _, text := range texts {
			if t.text == text {
				p.tokens = p.tokens[1:]
				return text, true
			}
		}
	}
	return "", false
}

func (p *parser) expect(text string) error {
	if _, ok := p.take(text); !ok {
		return fmt.Errorf("%q is missing", text)
	}
	return nil
}

func (p *parser) ternary() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("the template is too deep")
	}
	defer func() { p.depth-- }()
	x, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	if _, ok := p.take("if"); !ok {
		return x, nil
	}
	cond, err := p.binary(0)
	if err != nil {
		return nil, err
	}
	other := expr(func(*env) (any, error) { return undefined{}, nil })
	if _, ok := p.take("else"); ok {
		if other, err = p.ternary(); err != nil {
			return nil, err
		}
	}
	return func(e *env) (any, error) {
		v, err := cond(e)
		if err != nil {
			return nil, err
		}
		if truth(v) {
			return x(e)
		}
		return other(e)
	}, nil
}

// levels are the binary operators, the weakest first.
var levels = [][]string{
	{"or"}, {"and"}, {"==", "!=", "<=", ">=", "<", ">", "in", "not", "is"}, {"~"}, {"+", "-"}, {"*", "/", "//", "%"},
}

func (p *parser) binary(level int) (expr, error) {
	if level == len(levels) {
		return p.unary()
	}
	if level == 2 {
		if t := p.peek(); t.kind == 'n' && t.text == "not" {
			p.tokens = p.tokens[1:]
			x, err := p.binary(2)
			if err != nil {
				return nil, err
			}
			return func(e *env) (any, error) { v, err := x(e); return !truth(v), err }, nil
		}
	}
	left, err := p.binary(level + 1)
	for err == nil {
		op, ok := p.take(levels[level]...)
		if !ok {
			return left, nil
		}
		switch op {
		case "is":
			left, err = p.test(left)
			continue
		case "not":
			if err = p.expect("in"); err != nil {
				return nil, err
			}
			op = "not in"
		}
		var right expr
		if right, err = p.binary(level + 1); err == nil {
			left = apply(op, left, right)
		}
	}
	return nil, err
}

// test reads what follows "is".
func (p *parser) test(x expr) (expr, error) {
	_, not := p.take("not")
	t := p.peek()
	if t.kind != 'n' {
		return nil, errors.New("a test is missing after is")
	}
	p.tokens = p.tokens[1:]
	var is func(v any) bool
	switch t.text {
	case "defined":
		is = func(v any) bool { _, un := v.(undefined); return !un }
	case "none":
		is = func(v any) bool { return v == nil }
	case "number":
		is = func(v any) bool { _, ok := v.(float64); return ok }
	case "string":
		is = func(v any) bool { _, ok := v.(string); return ok }
	case "mapping":
		is = func(v any) bool { _, ok := v.(map[string]any); return ok }
	default:
		return nil, fmt.Errorf("the test %q is not understood", t.text)
	}
	return func(e *env) (any, error) { v, err := x(e); return is(v) != not, err }, nil
}

func (p *parser) unary() (expr, error) {
	if _, ok := p.take("-"); ok {
		x, err := p.unary()
		if err != nil {
			return nil, err
		}
		return func(e *env) (any, error) {
			v, err := x(e)
			if n, ok := v.(float64); ok {
				return -n, err
			}
			return nil, errors.Join(err, errors.New("- needs a number"))
		}, nil
	}
	x, err := p.primary()
	for err == nil {
		switch t := p.peek(); {
		case t.kind == 'o' && t.text == ".":
			x, err = p.member(x)
		case t.kind == 'o' && t.text == "[":
			p.tokens = p.tokens[1:]
			var key expr
			if key, err = p.ternary(); err == nil {
				err = p.expect("]")
			}
			x = index(x, key)
		case t.kind == 'o' && t.text == "|":
			x, err = p.filter(x)
		default:
			return x, nil
		}
	}
	return nil, err
}

// member reads .name, .get(key, default) and .split(by).
func (p *parser) member(x expr) (expr, error) {
	p.tokens = p.tokens[1:]
	t := p.peek()
	if t.kind != 'n' && t.kind != 'd' {
		return nil, errors.New("a name is missing after the dot")
	}
	p.tokens = p.tokens[1:]
	if next := p.peek(); next.kind != 'o' || next.text != "(" {
		key := any(t.text)
		if n, err := strconv.Atoi(t.text); err == nil {
			key = float64(n)
		}
		return index(x, constant(key)), nil
	}
	args, err := p.args()
	if err != nil {
		return nil, err
	}
	switch {
	case t.text == "get" && (len(args) == 1 || len(args) == 2):
		found := index(x, args[0])
		if len(args) == 1 {
			args = append(args, constant(nil))
		}
		return func(e *env) (any, error) {
			v, err := found(e)
			if _, un := v.(undefined); un && err == nil {
				return args[1](e)
			}
			return v, err
		}, nil
	case t.text == "split" && len(args) == 1, t.text == "lower" && len(args) == 0, t.text == "upper" && len(args) == 0:
		return call(t.text, x, args)
	}
	return nil, fmt.Errorf("the function %q is not understood", t.text)
}

func constant(v any) expr { return func(*env) (any, error) { return v, nil } }

// index returns a member of a dictionary or list; what is not there is undefined.
func index(x, key expr) expr {
	return func(e *env) (any, error) {
		v, err := x(e)
		if err != nil {
			return nil, err
		}
		k, err := key(e)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case map[string]any:
			if found, ok := v[textOf(k)]; ok {
				return found, nil
			}
		case []any:
			if n, ok := k.(float64); ok {
				i := int(n)
				if i < 0 {
					i += len(v)
				}
				if i >= 0 && i < len(v) {
					return v[i], nil
				}
			}
		}
		return undefined{}, nil
	}
}

func (p *parser) args() (args []expr, err error) {
	p.tokens = p.tokens[1:] // (
	for {
		if _, ok := p.take(")"); ok {
			return args, nil
		}
		if len(args) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		x, err := p.ternary()
		if err != nil {
			return nil, err
		}
		args = append(args, x)
	}
}

func (p *parser) primary() (expr, error) {
	t := p.peek()
	if t.kind == 0 {
		return nil, errors.New("an expression is missing")
	}
	p.tokens = p.tokens[1:]
	switch t.kind {
	case 's':
		return constant(t.text), nil
	case 'd':
		n, err := strconv.ParseFloat(t.text, 64)
		return constant(n), err
	case 'n':
		return name(t.text), nil
	}
	switch t.text {
	case "(":
		x, err := p.ternary()
		if err == nil {
			err = p.expect(")")
		}
		return x, err
	case "[":
		return p.list()
	case "{":
		return p.dict()
	}
	return nil, fmt.Errorf("%q is not understood", t.text)
}

// name is a variable, or a constant of the language.
func name(n string) expr {
	switch n {
	case "true", "True":
		return constant(true)
	case "false", "False":
		return constant(false)
	case "none", "None":
		return constant(nil)
	case "value":
		return func(e *env) (any, error) { return e.m.Payload, nil }
	case "value_json":
		return func(e *env) (any, error) {
			if v := e.m.JSON(); v != nil {
				return v, nil
			}
			return undefined{}, nil
		}
	}
	return func(e *env) (any, error) {
		if v, ok := e.vars[n]; ok {
			return v, nil
		}
		return undefined{}, nil
	}
}

func (p *parser) list() (expr, error) {
	var items []expr
	for {
		if _, ok := p.take("]"); ok {
			return func(e *env) (any, error) {
				vs := make([]any, len(items))
				for i, x := range items {
					var err error
					if vs[i], err = x(e); err != nil {
						return nil, err
					}
				}
				return vs, e.made(vs)
			}, nil
		}
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		x, err := p.ternary()
		if err != nil {
			return nil, err
		}
		items = append(items, x)
	}
}

func (p *parser) dict() (expr, error) {
	var keys, values []expr
	for {
		if _, ok := p.take("}"); ok {
			break
		}
		if len(keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		k, err := p.ternary()
		if err == nil {
			err = p.expect(":")
		}
		if err != nil {
			return nil, err
		}
		v, err := p.ternary()
		if err != nil {
			return nil, err
		}
		keys, values = append(keys, k), append(values, v)
	}
	return func(e *env) (any, error) {
		m := make(map[string]any, len(keys))
		for i := range keys {
			k, err := keys[i](e)
			if err != nil {
				return nil, err
			}
			if m[textOf(k)], err = values[i](e); err != nil {
				return nil, err
			}
		}
		return m, e.made(m)
	}, nil
}
