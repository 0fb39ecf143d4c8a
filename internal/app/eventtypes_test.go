package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// TestTypesOfEventsAreNamedOnce holds that no source has the name of a type of event as a
// literal, in Go or in SQL: it uses the constant, or asks the catalogue for what it must
// know of the type.
func TestTypesOfEventsAreNamedOnce(t *testing.T) {
	t.Parallel()
	types := make(map[string]bool)
	for _, s := range domain.EventSpecs() {
		types[string(s.Type)] = true
	}
	literal := regexp.MustCompile("[\"'`]([a-z_.]+)[\"'`]")
	catalogue, seen := filepath.Join("..", "domain", "eventtype.go"), false
	for _, dir := range []string{"..", "../../cmd", "../../client"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testkit" {
				return fs.SkipDir
			}
			if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(path)
			if !anyIn(string(text), types) {
				return err // most files, and the expression is slow with the race detector
			}
			for line := range strings.Lines(string(text)) {
				found := slices.ContainsFunc(literal.FindAllStringSubmatch(line, -1), func(m []string) bool { return types[m[1]] })
				if path == catalogue {
					seen = seen || found
				} else if found && !strings.Contains(line, ` example:"`) {
					t.Errorf("%s names a type of event: %s", path, strings.TrimSpace(line))
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if !seen {
		t.Error("the catalogue itself was not looked at")
	}
}

func anyIn(text string, words map[string]bool) bool {
	for w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}
