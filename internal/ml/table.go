package ml

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
)

// A table reads typed values from fields, and gathers what is wrong with them.
type table struct {
	fields map[string]any
	in     string // name of the table, for errors
	errs   []error
}

func (t *table) fail(format string, args ...any) {
	t.errs = append(t.errs, fmt.Errorf(t.in+format, args...))
}

// take returns the value of key, once.
func (t *table) take(key string) (any, bool) {
	v, ok := t.fields[key]
	delete(t.fields, key)
	return v, ok
}

func (t *table) refuseRest() {
	for _, key := range slices.Sorted(maps.Keys(t.fields)) {
		t.fail("%s: there is no such setting", key)
	}
}

func (t *table) text(key, other string) string {
	v, ok := t.take(key)
	if !ok {
		return other
	}
	s, ok := v.(string)
	if !ok {
		t.fail("%s: write a text in double quotes", key)
	}
	return s
}

func (t *table) number(key string, other, lo, hi int) int {
	n := int64(other)
	if v, ok := t.take(key); ok {
		if n, ok = v.(int64); !ok {
			n = int64(lo) - 1
		}
	}
	if n < int64(lo) || n > int64(hi) {
		t.fail("%s: write a whole number from %d to %d", key, lo, hi)
	}
	return int(n)
}

func (t *table) specs(key string) []Spec {
	v, _ := t.take(key)
	tables, _ := v.([]any)
	var specs []Spec
	for _, item := range tables {
		fields, _ := item.(map[string]any)
		one := table{fields: fields, in: key + ": "}
		s := Spec{Name: one.text("name", ""), Type: one.text("datatype", "")}
		shape, _ := one.take("shape")
		sizes, ok := shape.([]any)
		for _, size := range sizes {
			n, whole := size.(int64)
			ok = ok && whole
			s.Shape = append(s.Shape, n)
		}
		if _, known := typeSizes[s.Type]; !known || !ok || s.Name == "" {
			one.fail("each needs a name, a datatype such as BYTES or FP32, and a shape such as [-1]")
		}
		one.refuseRest()
		t.errs = append(t.errs, one.errs...)
		specs = append(specs, s)
	}
	if len(specs) == 0 {
		t.fail("[[%s]]: name at least one", key)
	}
	return specs
}

var sumPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (t *table) sums(key string) map[string]string {
	v, _ := t.take(key)
	fields, _ := v.(map[string]any)
	sums := map[string]string{}
	for name, v := range fields {
		sum, _ := v.(string)
		if !sumPattern.MatchString(sum) {
			t.fail("%s: %s: write its SHA-256 in 64 hexadecimal digits", key, name)
		}
		sums[name] = sum
	}
	return sums
}
