package app_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const sampleChangelog = `# Changelog

Versions follow [Semantic Versioning](https://semver.org/).

## Unreleased

- Not out yet.

## [1.2.0-rc.1] - 2026-11-20

## 1.1.0 - 2026-10-01

### Added

- A page, [how](docs/page.md#how), and [another](https://example.org/).

### Fixed

- A bug of 1.0.0.

## 1.0.0 - 2026-09-01

- The first.

[1.2.0-rc.1]: https://example.org/releases/1.2.0-rc.1
`

// The notes of a release are its section of the changelog, and no release is made without.
func TestReleaseNotesAreTheSectionOfTheVersion(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "CHANGELOG.md")
	must(t, os.WriteFile(file, []byte(sampleChangelog), 0o600))
	const second = `### Added

- A page, [how](https://github.com/unhidra/unhidra/blob/v1.1.0/docs/page.md#how), and [another](https://example.org/).

### Fixed

- A bug of 1.0.0.
`
	for version, want := range map[string]string{
		"1.1.0": second, "v1.1.0": second, "1.0.0": "- The first.\n", "Unreleased": "- Not out yet.\n",
		"1.2.0-rc.1": "", "1.1": "", "1.2.0": "", "": "",
	} {
		out, err := exec.CommandContext(t.Context(), "../../.ci/notes", version, file).Output()
		if string(out) != want || (err == nil) != (want != "") {
			t.Errorf("%q: %v\n%s", version, err, out)
		}
	}
}

// Each section of the changelog is of a version that a tag can have, once, the newest first.
func TestTheChangelogHasSectionsOfVersions(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../CHANGELOG.md")
	must(t, err)
	heading := regexp.MustCompile(`^## (Unreleased|\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)? - \d{4}-\d{2}-\d{2})$`)
	last, seen := "9999", make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(line, "## ") {
			continue
		}
		if !heading.MatchString(line) || seen[line] {
			t.Errorf("%q is not of the form ## 1.2.3 - 2026-12-01, or is there twice", line)
		}
		seen[line] = true
		if _, date, ok := strings.Cut(line, " - "); ok {
			if date > last {
				t.Errorf("%q follows an older version", line)
			}
			last = date
		}
	}
	if len(seen) == 0 {
		t.Error("the changelog has no section")
	}
}
