//go:build unix

package flock_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/flock"
)

func TestExclusiveKeepsOthersOut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first := must(t)(flock.Shared(path))
	second := must(t)(flock.Shared(path))
	for _, f := range []*os.File{first, second} {
		if _, err := flock.TryExclusive(path); !errors.Is(err, flock.ErrHeld) {
			t.Fatalf("while it is shared: %v", err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	alone := must(t)(flock.TryExclusive(path))
	if _, err := flock.TryExclusive(path); !errors.Is(err, flock.ErrHeld) {
		t.Fatalf("while one has it: %v", err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	_ = must(t)(flock.Exclusive(path)).Close()
}

func must(t *testing.T) func(*os.File, error) *os.File {
	return func(f *os.File, err error) *os.File {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
}
