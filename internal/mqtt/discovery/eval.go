package discovery

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// apply joins two expressions by an operator.
func apply(op string, left, right expr) expr {
	return func(e *env) (any, error) {
		a, err := left(e)
		if err != nil {
			return nil, err
		}
		if op == "or" && truth(a) || op == "and" && !truth(a) {
			return a, nil
		}
		b, err := right(e)
		if err != nil {
			return nil, err
		}
		switch op {
		case "or", "and":
			return b, nil
		case "==":
			return reflect.DeepEqual(a, b), nil
		case "!=":
			return !reflect.DeepEqual(a, b), nil
		case "in":
			return contains(b, a), nil
		case "not in":
			return !contains(b, a), nil
		case "~":
			v := textOf(a) + textOf(b)
			return v, e.made(v)
		}
		v, err := calculate(op, a, b)
		if err != nil {
			return nil, err
		}
		return v, e.made(v)
	}
}

func contains(in, v any) bool {
	switch in := in.(type) {
	case string:
		s, ok := v.(string)
		return ok && strings.Contains(in, s)
	case []any:
		for _, x := range in {
			if reflect.DeepEqual(x, v) {
				return true
			}
		}
	case map[string]any:
		s, ok := v.(string)
		_, has := in[s]
		return ok && has
	}
	return false
}

func calculate(op string, a, b any) (any, error) {
	if x, ok := a.(string); ok && op != "-" {
		if y, ok := b.(string); ok {
			switch op {
			case "+":
				return x + y, nil
			case "<":
				return x < y, nil
			case ">":
				return x > y, nil
			}
		}
	}
	x, okA := a.(float64)
	y, okB := b.(float64)
	if !okA || !okB {
		return nil, fmt.Errorf("%s needs two numbers", op)
	}
	switch op {
	case "+":
		return x + y, nil
	case "-":
		return x - y, nil
	case "*":
		return x * y, nil
	case "<":
		return x < y, nil
	case ">":
		return x > y, nil
	case "<=":
		return x <= y, nil
	case ">=":
		return x >= y, nil
	}
	if y == 0 {
		return nil, errors.New("division by 0")
	}
	switch op {
	case "/":
		return x / y, nil
	case "//":
		return math.Floor(x / y), nil
	}
	return x - y*math.Floor(x/y), nil
}
