package main

import (
	"errors"
	"slices"
	"testing"
)

// Flags may be at any position before --. Arguments after it are not flags.
func TestInterspersed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, words []string }{
		{[]string{}, nil},
		{[]string{"one", "--yes", "two"}, []string{"one", "two"}},
		{[]string{"--", "one"}, []string{"one"}},
		{[]string{"one", "--", "--yes", "two"}, []string{"one", "--yes", "two"}},
		{[]string{"-"}, []string{"-"}},
	} {
		fs := new(env).flags("test", "test\n")
		fs.Bool("yes", false, "")
		words, err := interspersed(fs, c.args)
		if err != nil || !slices.Equal(words, c.words) {
			t.Errorf("%q: got %q, %v; want %q", c.args, words, err, c.words)
		}
	}
	fs := new(env).flags("test", "test\n")
	if _, err := interspersed(fs, []string{"one", "--no"}); !errors.Is(err, errUsage) {
		t.Errorf("a flag that there is not: %v", err)
	}
}

// The noun is in the singular for 1, and in the plural otherwise.
func TestCount(t *testing.T) {
	t.Parallel()
	for n, want := range []string{"0 accounts", "1 account", "2 accounts"} {
		if got := count(n, "account"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
