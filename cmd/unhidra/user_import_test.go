package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// An import accepts a byte order mark, line ends of Windows and blank lines. Invalid and too long lines
// are reported by their numbers, and the others are imported.
func TestImportReadsWhatPeopleHave(t *testing.T) {
	t.Parallel()
	const hash = `"pbkdf2_sha256$1000$seasaltseasalt$azcoLfF4StH9vKcdV8IoZkTpXQuezWLxGUCJq9SvT9g="`
	account := func(name, more string) string {
		return fmt.Sprintf(`{"username": %q, "password_hash": %s%s}`, name, hash, more)
	}
	run := func(text string) (stdout, stderr string, code int) {
		var out, errs bytes.Buffer
		e := &env{stdin: strings.NewReader(text), stdout: &out, stderr: &errs,
			environ: []string{"UNHIDRA_DATA_DIR=" + t.TempDir()}}
		code = run(t.Context(), e, []string{"user", "import", "-"})
		return out.String(), errs.String(), code
	}
	blanks := strings.Repeat(" ", 200<<10)
	out, errs, code := run("\ufeff" + strings.Join([]string{
		account("ann", ""), "", account("bob", blanks), account("cy", `, "display_name": "`+strings.Repeat("x", 200<<10)+`"`),
		account("dan", strings.Repeat(blanks, 6)), account("eve", ""),
	}, "\r\n"))
	if !strings.Contains(out, "Imported 3 accounts.") || code == exitOK ||
		!strings.Contains(errs, "skipped 2 lines") ||
		!strings.Contains(errs, "line 4: ") || !strings.Contains(errs, "line 5: the line is longer than 1048576 bytes") ||
		len(errs) > 2000 {
		t.Errorf("%d\n%s\n%s", code, out, errs)
	}
	if _, errs, code := run("\xff\xfe{\x00"); code == exitOK || !strings.Contains(errs, "UTF-16") {
		t.Errorf("%d: %s", code, errs)
	}
}
