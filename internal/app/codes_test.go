package app_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

// top is the repository, from here.
const top = "../.."

// eachSource parses every Go file of the repository and calls do with its path from the top.
func eachSource(t *testing.T, do func(path string, files *token.FileSet, f *ast.File)) {
	t.Helper()
	files := token.NewFileSet()
	for _, dir := range []string{"internal", "cmd", "client", "e2e", "bench", "tools"} {
		err := filepath.WalkDir(filepath.Join(top, dir), func(path string, d fs.DirEntry, err error) error {
			if d != nil && d.IsDir() && d.Name() == "node_modules" {
				return filepath.SkipDir
			}
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
				return err
			}
			f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err == nil {
				do(strings.TrimPrefix(filepath.ToSlash(path), top+"/"), files, f)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func codeNames() map[string]domain.CodeInfo {
	names := map[string]domain.CodeInfo{}
	for _, g := range domain.Codes() {
		for _, c := range g.Codes {
			names[string(c.Code)] = c
		}
	}
	return names
}

func kindNames() map[string]domain.Kind {
	return map[string]domain.Kind{
		"Internal": domain.Internal, "Invalid": domain.Invalid, "Unauthorized": domain.Unauthorized,
		"Forbidden": domain.Forbidden, "NotFound": domain.NotFound, "Conflict": domain.Conflict,
		"TooLarge": domain.TooLarge, "RateLimited": domain.RateLimited, "Unavailable": domain.Unavailable,
	}
}

// last is the last name of a selector, of an identifier or of a call of either.
func last(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	case *ast.CallExpr:
		return last(e.Fun)
	}
	return ""
}

var codeShape = regexp.MustCompile(`^"[a-z][a-z0-9_]*"$`)

// concerns are what /admin/health calls what is wrong with the server; they are no errors.
var concerns = []string{
	`"assistant_failed"`, `"audit_stuck"`, `"audit_unsigned"`, `"backup_failed"`, `"backup_late"`, `"certificate_ends"`,
	`"disk_low"`, `"firmware_root_ends"`, `"mail_off"`, `"mail_waits"`, `"model_drift"`, `"model_failed"`,
	`"models_away"`, `"offer_key_ends"`, `"receiver_dropped"`, `"receiver_late"`, `"release_keys_end"`, `"store_away"`,
}

func isBare(e ast.Expr) bool {
	l, ok := e.(*ast.BasicLit)
	return ok && l.Kind == token.STRING && codeShape.MatchString(l.Value) && !slices.Contains(concerns, l.Value)
}

// bareCodes returns the literals in n that stand where an error code is meant.
func bareCodes(n ast.Node) []ast.Expr {
	meant := func(e ast.Expr) bool { return slices.Contains([]string{"CodeOf", "codeOf", "Code"}, last(e)) }
	switch n := n.(type) {
	case *ast.CallExpr:
		fun, ok := n.Fun.(*ast.SelectorExpr)
		if !ok || len(n.Args) == 0 || !isBare(n.Args[0]) {
			return nil
		}
		if _, kind := kindNames()[last(fun.X)]; kind && fun.Sel.Name == "Errorf" || fun.Sel.Name == "Code" {
			return n.Args[:1]
		}
	case *ast.BinaryExpr:
		if meant(n.X) && isBare(n.Y) {
			return []ast.Expr{n.Y}
		}
	case *ast.SwitchStmt:
		if n.Tag == nil || !meant(n.Tag) {
			return nil
		}
		var bare []ast.Expr
		for _, c := range n.Body.List {
			for _, e := range c.(*ast.CaseClause).List {
				if isBare(e) {
					bare = append(bare, e)
				}
			}
		}
		return bare
	case *ast.KeyValueExpr:
		if last(n.Key) == "Code" && isBare(n.Value) {
			return []ast.Expr{n.Value}
		}
	}
	return nil
}

func TestErrorCodesAreNamedByConstants(t *testing.T) {
	t.Parallel()
	eachSource(t, func(path string, files *token.FileSet, f *ast.File) {
		ast.Inspect(f, func(n ast.Node) bool {
			for _, e := range bareCodes(n) {
				t.Errorf("%s: %s is a bare error code; name it by its constant of domain/code.go", files.Position(e.Pos()),
					e.(*ast.BasicLit).Value)
			}
			return true
		})
	})
}

// constants returns the code constants that a file declares, by name.
func constants(f *ast.File) map[string]ast.Expr {
	all := map[string]ast.Expr{}
	ast.Inspect(f, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 && strings.HasPrefix(v.Names[0].Name, "Code") {
			all[v.Names[0].Name] = v.Values[0]
		}
		return true
	})
	return all
}

func TestErrorCodesAreListedAndUsed(t *testing.T) {
	t.Parallel()
	listed, used := codeNames(), map[string]bool{}
	byName, ofClient := map[string]ast.Expr{}, map[string]ast.Expr{}
	kinds := map[string][]domain.Kind{}
	eachSource(t, func(path string, _ *token.FileSet, f *ast.File) {
		switch path {
		case "internal/domain/code.go":
			byName = constants(f)
			return
		case "client/code.go":
			ofClient = constants(f)
			return
		case "internal/domain/codes.go":
			return
		}
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				used[last(e)] = true
			}
			if call, ok := n.(*ast.CallExpr); ok && last(call.Fun) == "Errorf" && len(call.Args) > 0 {
				if fun, ok := call.Fun.(*ast.SelectorExpr); ok {
					if kind, ok := kindNames()[last(fun.X)]; ok {
						kinds[last(call.Args[0])] = append(kinds[last(call.Args[0])], kind)
					}
				}
			}
			return true
		})
	})
	if len(byName) != len(listed) {
		t.Errorf("%d constants, %d codes in Codes()", len(byName), len(listed))
	}
	for name, value := range byName {
		code, _ := strconv.Unquote(value.(*ast.BasicLit).Value)
		info, ok := listed[code]
		if !ok {
			t.Errorf("%s is not in Codes()", name)
		}
		if !used[name] {
			t.Errorf("%s is used nowhere", name)
		}
		if ofClient[name] == nil {
			t.Errorf("client/code.go lacks %s", name)
		}
		for _, k := range kinds[name] {
			if !slices.Contains(info.Kinds, k) {
				t.Errorf("%s is given with the kind %s, which Codes() does not say", name, k)
			}
		}
	}
	if len(ofClient) != len(byName) {
		t.Errorf("client/code.go has %d codes, domain %d", len(ofClient), len(byName))
	}
}

// TestErrorCodesAreDocumented prints the list that docs/errors.md should have.
func TestErrorCodesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(top + "/docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, g := range domain.Codes() {
		fmt.Fprintf(&want, "\n## %s\n\n| Code | Kind | When, and what to do |\n|---|---|---|\n", g.Title)
		for _, c := range g.Codes {
			var kinds []string
			for _, k := range c.Kinds {
				kinds = append(kinds, "`"+string(k)+"`")
			}
			fmt.Fprintf(&want, "| `%s` | %s | %s |\n", c.Code, strings.Join(kinds, ", "), c.Text)
		}
	}
	if _, got, _ := strings.Cut(string(page), "<!-- codes -->\n"); got != want.String() {
		t.Errorf("docs/errors.md must have, after <!-- codes -->:\n%s", want.String())
	}
}

// ofClient are the codes that the web client gives itself.
var ofClient = []string{"passkey_address"}

// sentences are the codes for which the web client shows the server's own sentence, in
// English: it names a value (a limit, a time, a person) that the code does not have, or only
// programs and operators meet it, or the client acts on it and shows nothing.
var sentences = strings.Fields(`
	invalid_request invalid_field nothing_to_change one_change method_not_allowed unsupported_media_type
	body_too_large body_timeout bad_cursor no_route no_file no_problem origin
	no_credentials bad_token refresh_raced no_session no_account no_avatar
	second_factor second_factor_required no_totp no_passkeys no_passkey no_provider
	captcha_required captcha_malformed captcha_forged captcha_wrong_action captcha_wrong_host
	captcha_other_address captcha_hosted
	not_a_member muted banned hold_unchanged too_many_rooms
	text_too_long quota one_place bad_query
	avatar_damaged file_too_large quota_exceeded no_such_file file_in_use upload_complete file_refused scanner_away file_missing object_name
	bad_document bad_signature bad_image
	device_only people_only bad_device_key readings too_many_readings handshakes connections typing
	handshake insecure bad_frame unknown_type bad_data other_session no_connection starting restarting
	cancelled no_certificate audit_segment_open audit_segment_gone`)

// What the web client says about errors is about codes that exist, and about each that a
// user can meet.
func TestTheWebClientHasWordsForErrorCodes(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(top + "/web/src/text/refused/en.json")
	if err != nil {
		t.Fatal(err)
	}
	var texts map[string]string
	if err := json.Unmarshal(b, &texts); err != nil {
		t.Fatal(err)
	}
	listed := codeNames()
	for key := range texts {
		code, refused := strings.CutPrefix(key, "refused.")
		if _, ok := listed[code]; refused && !ok && !slices.Contains(ofClient, code) {
			t.Errorf("refused/en.json has words for %s, which is no code", code)
		}
	}
	for code := range listed {
		if _, words := texts["refused."+code]; words == slices.Contains(sentences, code) {
			t.Errorf("%s needs words in refused/en.json, or a place among sentences; not both", code)
		}
	}
	for _, code := range sentences {
		if _, ok := listed[code]; !ok {
			t.Errorf("%s is among sentences and no code", code)
		}
	}
}

var compared = regexp.MustCompile(`\.code [!=]== '([a-z_]+)'`)

func TestTheWebClientActsOnErrorCodesThatExist(t *testing.T) {
	t.Parallel()
	listed, found := codeNames(), 0
	err := filepath.WalkDir(top+"/web/src", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".ts", ".svelte"}, filepath.Ext(path)) {
			return err
		}
		b, err := os.ReadFile(path)
		for _, m := range compared.FindAllStringSubmatch(string(b), -1) {
			found++
			if _, ok := listed[m[1]]; !ok {
				t.Errorf("%s compares with %s, which is no code", path, m[1])
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("%d comparisons, %v", found, err)
	}
}
