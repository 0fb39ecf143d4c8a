package app_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// How many requirements there are of each kind.
func requirements() map[string]int {
	return map[string]int{"PW": 10, "LG": 11, "RG": 7, "MF": 8, "TK": 11, "DV": 4, "WS": 7, "AP": 7, "AU": 4}
}

// docs/security.md has a row for each requirement, the tests that a row names are
// there, and one of them has the requirement in its name.
func TestSecurityTable(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/security.md")
	must(t, err)
	tests := testNames(t)
	row := regexp.MustCompile(`(?m)^\| CHK-(\w\w)-(\d\d) .*\| ([^|]*) \|$`)
	named := regexp.MustCompile("`([^`]+)`")
	seen := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		id, held := m[1]+"_"+m[2], false
		if seen[id] {
			t.Errorf("CHK-%s-%s has two rows", m[1], m[2])
		}
		seen[id] = true
		for _, n := range named.FindAllStringSubmatch(m[3], -1) {
			name := n[1]
			switch {
			case strings.HasPrefix(name, "UNHIDRA_"):
			case strings.HasSuffix(name, ".ts"):
				b, err := os.ReadFile("../../" + name)
				must(t, err)
				held = held || strings.Contains(string(b), "CHK-"+m[1]+"-"+m[2])
			case !tests[name]:
				t.Errorf("CHK-%s-%s names %s, which there is not", m[1], m[2], name)
			default:
				held = held || about(name, m[1], m[2])
			}
		}
		if !held {
			t.Errorf("no test of CHK-%s-%s has its name", m[1], m[2])
		}
	}
	total := 0
	for kind, n := range requirements() {
		total += n
		for i := 1; i <= n; i++ {
			if id := fmt.Sprintf("%s_%02d", kind, i); !seen[id] {
				t.Errorf("docs/security.md has no row for %s", id)
			}
		}
	}
	if total != 69 || len(seen) != total {
		t.Errorf("%d requirements, %d rows; there are 69", total, len(seen))
	}
}

// about reports whether a test is named after a requirement: CHK_PW_01, or
// CHK_PW_01_03 and CHK_RG_04_TK_08 for two.
func about(test, kind, number string) bool {
	m := regexp.MustCompile(`CHK((?:_[A-Z]{2}|_\d\d)+)_`).FindStringSubmatch(test)
	if m == nil {
		return false
	}
	last := ""
	for _, part := range strings.Split(m[1][1:], "_") {
		if part[0] >= 'A' {
			last = part
		} else if last == kind && part == number {
			return true
		}
	}
	return false
}

// testNames are the tests of this module.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "web" || d.Name() == "bin" ||
			strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(path)
		for _, m := range test.FindAllStringSubmatch(string(b), -1) {
			names[m[1]] = true
		}
		return err
	})
	must(t, err)
	return names
}
