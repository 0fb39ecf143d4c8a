package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// What a package of accounts may grow to.
const (
	authLines   = 3000 // of a package, without its tests
	authMethods = 16   // of an interface
)

// TestFloorsOfAuth holds that accounts stay in rooms: small packages, and small interfaces
// for what each of them needs.
func TestFloorsOfAuth(t *testing.T) {
	t.Parallel()
	lines := map[string]int{}
	err := filepath.WalkDir(filepath.Join("..", "auth"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		lines[filepath.Dir(path)] += files.File(f.Pos()).LineCount()
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if i, ok := spec.Type.(*ast.InterfaceType); ok && i.Methods.NumFields() > authMethods {
					t.Errorf("%s: %s has %d methods, at most %d are allowed", path, spec.Name, i.Methods.NumFields(), authMethods)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(lines) < 6 {
		t.Errorf("found the packages %v, and no rooms", lines)
	}
	for dir, n := range lines {
		if n > authLines {
			t.Errorf("%s has %d lines, at most %d are allowed", dir, n, authLines)
		}
	}
}
