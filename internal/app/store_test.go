package app

import (
	"bufio"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const (
	storeLines   = 3000 // of a package under store, without its tests
	storeMethods = 40   // exported, of a type
	storeFolder  = "../store"
)

// The store stays in parts: no package of it is too long to be read, and no type does
// everything.
func TestStoreStaysInParts(t *testing.T) {
	t.Parallel()
	lines, methods := map[string]int{}, map[string]int{}
	for path, text := range storeFiles(t) {
		pkg := filepath.Dir(path)
		lines[pkg] += strings.Count(text, "\n")
		f, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && fn.Recv != nil && fn.Name.IsExported() {
				methods[pkg+"."+receiver(fn.Recv.List[0].Type)]++
			}
		}
	}
	if len(lines) < 10 {
		t.Fatalf("found %d packages in %s", len(lines), storeFolder)
	}
	for pkg, n := range lines {
		if n > storeLines {
			t.Errorf("%s has %d lines, over %d; part it", pkg, n, storeLines)
		}
	}
	for name, n := range methods {
		if n > storeMethods {
			t.Errorf("%s has %d exported methods, over %d; part it", name, n, storeMethods)
		}
	}
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// asksDialect is what code says that decides by the kind of database itself.
var asksDialect = regexp.MustCompile(`[!=]= (sqlite|postgres)\b|[!=]= "(sqlite|postgres)"|case "?(sqlite|postgres)\b`)

// What differs between the databases stands in the engine's table. Two places may ask:
// the engine, where it opens one, and package search, whose own comment says why.
func TestDialectsStayInTheirTable(t *testing.T) {
	t.Parallel()
	for path, text := range storeFiles(t) {
		if filepath.Base(filepath.Dir(path)) == "search" {
			continue
		}
		lines := bufio.NewScanner(strings.NewReader(text))
		for n := 1; lines.Scan(); n++ {
			if asksDialect.MatchString(lines.Text()) {
				t.Errorf("%s:%d asks which database it is; put what differs into the table of dialects", path, n)
			}
		}
	}
}

// storeFiles returns the store's files without its tests.
func storeFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(storeFolder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		files[path] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
