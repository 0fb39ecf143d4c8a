package discovery

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
)

// filter reads | name or | name(args).
func (p *parser) filter(x expr) (expr, error) {
	p.tokens = p.tokens[1:]
	t := p.peek()
	if t.kind != 'n' {
		return nil, errors.New("a filter is missing")
	}
	p.tokens = p.tokens[1:]
	var args []expr
	if next := p.peek(); next.kind == 'o' && next.text == "(" {
		var err error
		if args, err = p.args(); err != nil {
			return nil, err
		}
	}
	return call(t.text, x, args)
}

// filters are the functions that values go through, with the number of arguments that they may have.
var filters = map[string]struct {
	least, most int
	apply       func(v any, args []any) (any, error)
}{
	"default": {0, 2, func(v any, args []any) (any, error) {
		_, un := v.(undefined)
		if un || len(args) == 2 && truth(args[1]) && !truth(v) {
			if len(args) == 0 {
				return "", nil
			}
			return args[0], nil
		}
		return v, nil
	}},
	"int":   {0, 2, func(v any, args []any) (any, error) { return convert(v, args, math.Trunc) }},
	"float": {0, 1, func(v any, args []any) (any, error) { return convert(v, args, func(n float64) float64 { return n }) }},
	"round": {0, 2, func(v any, args []any) (any, error) {
		n, ok := number(v)
		digits := 0.0
		if len(args) > 0 {
			digits, _ = number(args[0])
		}
		if !ok {
			return nil, errors.New("round needs a number")
		}
		f := math.Pow(10, math.Trunc(min(max(digits, 0), 12)))
		return math.Round(n*f) / f, nil
	}},
	"abs": {0, 0, func(v any, _ []any) (any, error) {
		n, ok := number(v)
		if !ok {
			return nil, errors.New("abs needs a number")
		}
		return math.Abs(n), nil
	}},
	"lower":  {0, 0, func(v any, _ []any) (any, error) { return strings.ToLower(textOf(v)), nil }},
	"upper":  {0, 0, func(v any, _ []any) (any, error) { return strings.ToUpper(textOf(v)), nil }},
	"trim":   {0, 0, func(v any, _ []any) (any, error) { return strings.TrimSpace(textOf(v)), nil }},
	"string": {0, 0, func(v any, _ []any) (any, error) { return textOf(v), nil }},
	"tojson": {0, 0, func(v any, _ []any) (any, error) {
		if _, un := v.(undefined); un {
			v = nil
		}
		b, err := json.Marshal(v)
		return string(b), err
	}},
	"replace": {2, 2, func(v any, args []any) (any, error) {
		if len(textOf(v))*(1+len(textOf(args[1]))) > 1<<20 {
			return nil, errors.New("a value is too long")
		}
		return strings.ReplaceAll(textOf(v), textOf(args[0]), textOf(args[1])), nil
	}},
	"truncate": {0, 4, func(v any, args []any) (any, error) {
		most := 255.0
		if len(args) > 0 {
			most, _ = number(args[0])
		}
		r := []rune(textOf(v))
		return string(r[:min(len(r), max(int(most), 0))]), nil
	}},
	"join": {0, 1, func(v any, args []any) (any, error) {
		list, ok := v.([]any)
		if !ok {
			return nil, errors.New("join needs a list")
		}
		texts := make([]string, len(list))
		for i, x := range list {
			texts[i] = textOf(x)
		}
		by := ""
		if len(args) > 0 {
			by = textOf(args[0])
		}
		return strings.Join(texts, by), nil
	}},
	"split": {1, 1, func(v any, args []any) (any, error) {
		var list []any
		for _, s := range strings.Split(textOf(v), textOf(args[0])) {
			list = append(list, s)
		}
		return list, nil
	}},
}

// convert returns v as a number, or the default that args name.
func convert(v any, args []any, fn func(float64) float64) (any, error) {
	if n, ok := number(v); ok {
		return fn(n), nil
	}
	if len(args) > 0 {
		return args[0], nil
	}
	if _, ok := v.(string); ok {
		return 0.0, nil
	}
	return undefined{}, nil
}

func call(name string, x expr, args []expr) (expr, error) {
	f, ok := filters[name]
	if !ok {
		return nil, fmt.Errorf("the filter %q is not understood", name)
	}
	if len(args) < f.least || len(args) > f.most {
		return nil, fmt.Errorf("%q has the wrong number of arguments", name)
	}
	return func(e *env) (any, error) {
		v, err := x(e)
		if err != nil {
			return nil, err
		}
		values := make([]any, len(args))
		for i, a := range args {
			if values[i], err = a(e); err != nil {
				return nil, err
			}
		}
		if v, err = f.apply(v, values); err != nil {
			return nil, err
		}
		return v, e.made(v)
	}, nil
}
