package app_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// TestTypesOfEventsAreNamedOnce holds that no source has the name of a type of event as a
// literal, in Go or in SQL: it uses the constant, or asks the catalogue for what it must
// know of the type.
func TestTypesOfEventsAreNamedOnce(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range domain.EventSpecs() {
		names = append(names, regexp.QuoteMeta(string(s.Type)))
	}
	literal := regexp.MustCompile("[\"'`](" + strings.Join(names, "|") + ")[\"'`]")
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
			for line := range strings.Lines(string(text)) {
				found := literal.MatchString(line)
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
