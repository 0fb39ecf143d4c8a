package app_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every link of a page to another file leads to one that is there, and to a heading
// that it has.
func TestLinksOfPagesLeadSomewhere(t *testing.T) {
	t.Parallel()
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	found := 0
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/runbooks/*.md"} {
		pages, err := filepath.Glob("../../" + pattern)
		must(t, err)
		for _, page := range pages {
			text, err := os.ReadFile(page)
			must(t, err)
			for _, m := range link.FindAllStringSubmatch(string(text), -1) {
				if strings.Contains(m[1], "://") {
					continue
				}
				found++
				if why := broken(page, m[1]); why != "" {
					t.Errorf("%s links to %s: %s", page, m[1], why)
				}
			}
		}
	}
	if found == 0 {
		t.Error("no page has a link")
	}
}

// broken says why a link of a page leads nowhere; empty: it leads somewhere.
func broken(page, link string) string {
	path, anchor, _ := strings.Cut(link, "#")
	target := page
	if path != "" {
		target = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(target); err != nil {
		return err.Error()
	}
	if anchor == "" {
		return ""
	}
	text, err := os.ReadFile(target)
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") && heading(line) == anchor {
			return ""
		}
	}
	return "there is no such heading"
}

// heading is the anchor that GitHub gives a heading.
func heading(line string) string {
	title := strings.ToLower(strings.TrimSpace(strings.TrimLeft(line, "#")))
	return regexp.MustCompile(`[^\p{L}\p{N}\-_]`).ReplaceAllString(strings.ReplaceAll(title, " ", "-"), "")
}
