package app_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// message returns the text of an expression, and false if it is not constant in its file.
func message(e ast.Expr, f *ast.File) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(e.Value)
		return s, err == nil
	case *ast.BinaryExpr:
		x, ok := message(e.X, f)
		y, too := message(e.Y, f)
		return x + y, ok && too && e.Op == token.ADD
	case *ast.Ident:
		for _, d := range f.Decls {
			if v := constant(d, e.Name); v != nil {
				return message(v, f)
			}
		}
	}
	return "", false
}

// constant returns the value of the constant that a declaration gives a name, or nil.
func constant(d ast.Decl, name string) ast.Expr {
	group, ok := d.(*ast.GenDecl)
	if !ok || group.Tok != token.CONST {
		return nil
	}
	for _, s := range group.Specs {
		if v, ok := s.(*ast.ValueSpec); ok && len(v.Values) == 1 && v.Names[0].Name == name {
			return v.Values[0]
		}
	}
	return nil
}

// told returns the message of a call that may write a warning or an error, or nil.
func told(call *ast.CallExpr) ast.Expr {
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return nil
	}
	logger := strings.EqualFold(last(fun.X), "log")
	if made, ok := fun.X.(*ast.CallExpr); ok { // obs.Whole(log), logs.Part("mail")
		logger = slices.Contains([]string{"Whole", "Part"}, last(made.Fun))
	}
	switch {
	case !logger:
	case fun.Sel.Name == "Warn" || fun.Sel.Name == "Error":
		return call.Args[0]
	case fun.Sel.Name == "WarnContext" || fun.Sel.Name == "ErrorContext":
		return call.Args[1]
	case fun.Sel.Name == "LogAttrs" && last(call.Args[1]) != "LevelInfo" && last(call.Args[1]) != "LevelDebug":
		return call.Args[2]
	}
	return nil
}

var logRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|")

// docs/logs.md says of each warning and error of the server and its commands what it means, and names
// no other. What package client logs is in the logs of other programs.
func TestLogDocsHaveEachWarningAndError(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "logs.md"))
	must(t, err)
	rows := map[string]bool{}
	for _, m := range logRow.FindAllStringSubmatch(string(page), -1) {
		if rows[m[1]] {
			t.Errorf("docs/logs.md has %q twice", m[1])
		}
		rows[m[1]] = true
	}
	seen := map[string]bool{}
	eachSource(t, func(path string, files *token.FileSet, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal/testkit/") ||
			strings.HasPrefix(path, "client/") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || told(call) == nil {
				return true
			}
			text, ok := message(told(call), f)
			if !ok {
				t.Errorf("%s: the message is not constant; put what changes into attributes", files.Position(call.Pos()))
			}
			if !rows[text] && !seen[text] {
				t.Errorf("%s: docs/logs.md does not say what %q means", files.Position(call.Pos()), text)
			}
			seen[text] = true
			return true
		})
	})
	for text := range rows {
		if !seen[text] {
			t.Errorf("docs/logs.md has %q, which no code logs", text)
		}
	}
	if len(seen) < 90 {
		t.Errorf("only %d messages found", len(seen))
	}
}

// Loggers are called log: the tests of log lines find their calls by that.
func TestLoggersAreCalledLog(t *testing.T) {
	t.Parallel()
	eachSource(t, func(path string, files *token.FileSet, f *ast.File) {
		if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "internal/testkit/") ||
			strings.HasPrefix(path, "client/") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			field, ok := n.(*ast.Field)
			if !ok {
				return true
			}
			star, ok := field.Type.(*ast.StarExpr)
			if !ok || last(star.X) != "Logger" {
				return true
			}
			for _, name := range field.Names {
				if !slices.Contains([]string{"log", "Log"}, name.Name) {
					t.Errorf("%s: a logger is called %s", files.Position(name.Pos()), name.Name)
				}
			}
			return true
		})
	})
}
