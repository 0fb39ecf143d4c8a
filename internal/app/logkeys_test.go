package app_test

import (
	"go/ast"
	"go/token"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
)

// logKeys are other names for keys of log lines, and the names that the house has for them.
var logKeys = map[string]string{
	"error": "err", "cause": "err", "failure": "err",
	"user_id": "user", "uid": "user", "room_id": "room", "conn_id": "conn", "connection": "conn",
	"request_id": "request", "req": "request",
}

// isLogging says whether a call writes a log line, or makes an attribute of one.
func isLogging(call *ast.CallExpr) bool {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	if x, ok := fun.X.(*ast.Ident); ok && x.Name == "slog" {
		return true
	}
	level := strings.TrimSuffix(fun.Sel.Name, "Context")
	return slices.Contains([]string{"Debug", "Info", "Warn", "Error"}, level) && strings.EqualFold(last(fun.X), "log")
}

// A log line with another key for the same thing is not found by who searches for it.
func TestLogLinesHaveOneKeyForEachThing(t *testing.T) {
	t.Parallel()
	lines := 0
	eachSource(t, func(path string, files *token.FileSet, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isLogging(call) {
				return true
			}
			lines++
			for _, a := range call.Args[:len(call.Args)-1] {
				l, ok := a.(*ast.BasicLit)
				if !ok || l.Kind != token.STRING {
					continue
				}
				key, _ := strconv.Unquote(l.Value)
				if want := logKeys[key]; want != "" {
					t.Errorf("%s: the key %q is called %q", files.Position(l.Pos()), key, want)
				}
			}
			return true
		})
	})
	if lines < 50 {
		t.Errorf("only %d calls found", lines)
	}
}

// Each part of the server that logs has a level that settings and operators know, and no other has.
func TestLogPartsAreThoseOfTheServer(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	eachSource(t, func(path string, _ *token.FileSet, f *ast.File) {
		if !strings.Contains(path, "internal/app/") || strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			name, literal := call.Args[0].(*ast.BasicLit)
			if fun, ok := call.Fun.(*ast.SelectorExpr); ok && literal && fun.Sel.Name == "Part" {
				part, _ := strconv.Unquote(name.Value)
				used[part] = true
			}
			return true
		})
	})
	if got, want := slices.Sorted(maps.Keys(used)), config.LogParts(); !slices.Equal(got, want) {
		t.Errorf("loggers of %q, levels of %q", got, want)
	}
}
