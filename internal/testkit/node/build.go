package node

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit/flock"
)

const module = "github.com/unhidra/unhidra"

// Build builds the server and returns the path of the program.
func Build(tb testing.TB) string {
	tb.Helper()
	return Program(tb, "cmd/unhidra")
}

// Program builds a program of this module, without the race detector, and returns its
// path. It is kept under bin, which all packages share: what is up to date is not
// linked again.
func Program(tb testing.TB, pkg string) string {
	tb.Helper()
	top, err := exec.CommandContext(tb.Context(), "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		tb.Fatalf("find the checkout: %v", err)
	}
	kept := filepath.Join(strings.TrimSpace(string(top)), "bin", "test")
	if err := os.MkdirAll(kept, 0o755); err != nil {
		tb.Fatal(err)
	}
	mine := filepath.Join(tb.TempDir(), path.Base(pkg))
	if err := build(tb, pkg, filepath.Join(kept, path.Base(pkg)), mine); err != nil {
		tb.Fatalf("build %s: %v", pkg, err)
	}
	return mine
}

// build brings the program at kept up to date, and gives it the name mine as well: the
// next one who builds may put another at kept.
func build(tb testing.TB, pkg, kept, mine string) error {
	lock, err := flock.Exclusive(kept + ".lock")
	if err != nil {
		return err
	}
	defer lock.Close()
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", kept, path.Join(module, pkg))
	cmd.Env = append(cmd.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(err, errors.New(string(out)))
	}
	if os.Link(kept, mine) == nil {
		return nil
	}
	return copyProgram(kept, mine) // on another disk
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
