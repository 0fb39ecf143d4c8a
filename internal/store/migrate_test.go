package store_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A program goes on beside a newer one where the newer has said that it can, also
// after a restart, and is refused where it has not.
func TestNewerSchema(t *testing.T) {
	testkit.Each(t, func(t *testing.T, o store.Options) {
		steps, err := os.ReadDir("sql/sqlite")
		if err != nil {
			t.Fatal(err)
		}
		knows := len(steps)
		open := func() error {
			db, err := all.Open(t.Context(), o)
			if err != nil {
				return err
			}
			return db.Close()
		}
		if err := open(); err != nil {
			t.Fatal(err)
		}
		newer := func(statement string, args ...any) {
			t.Helper()
			if _, err := testkit.Raw(t, o).ExecContext(t.Context(), statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		newer(`INSERT INTO schema_migrations VALUES ($1, 'x', 0)`, knows+1)
		if err := open(); err == nil || !strings.Contains(err.Error(),
			"was used by a newer Unhidra (schema "+strconv.Itoa(knows+1)) {
			t.Errorf("a step that declares nothing: %v", err)
		}
		newer(`INSERT INTO schema_compatible VALUES ($1, $2)`, knows+1, knows-1)
		if err := open(); err != nil {
			t.Errorf("a step that this program can live with: %v", err)
		}
		newer(`INSERT INTO schema_migrations VALUES ($1, 'y', 0)`, knows+2)
		newer(`INSERT INTO schema_compatible VALUES ($1, $2)`, knows+2, knows+1)
		if err := open(); err == nil || !strings.Contains(err.Error(), "newer Unhidra") {
			t.Errorf("a second one that it cannot live with: %v", err)
		}
	})
}

// Once landed, a step is not changed, not even in a comment: databases know the checksum of each that they were made
// with, and a program that has another refuses them. testdata/steps.sum is what sha256sum says of them.
func TestStepsStayAsTheyLanded(t *testing.T) {
	t.Parallel()
	landed, err := os.ReadFile("testdata/steps.sum")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("sql/*/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d steps, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(f, "sql/")
		line := fmt.Sprintf("%x  %s\n", sha256.Sum256(text), name)
		if strings.Contains(string(landed), line) {
			continue
		}
		if strings.Contains(string(landed), "  "+name+"\n") {
			t.Errorf("%s was changed; take that back, and write a further step", f)
		} else {
			t.Errorf("add to testdata/steps.sum: %s", line)
		}
	}
}

// compatibleFrom is the first step that older programs look at.
const compatibleFrom = 10

// A step either leaves older programs what they use, and names the oldest of them,
// or it takes something away, and then all nodes stop first. Both databases say the
// same.
func TestStepsExpandOrContract(t *testing.T) {
	takes := regexp.MustCompile(`(?i)\b(DROP|RENAME|ALTER COLUMN)\b`)
	// A foreign key that goes takes nothing: what it let pass, passes without it; nor
	// does an index that is not unique. Nor does how a column's values are laid out.
	gives := regexp.MustCompile(`(?i)\b(DROP (CONSTRAINT \w+_fkey|INDEX events_time(line)?)|ALTER COLUMN \w+ SET STORAGE \w+)\b`)
	declares := regexp.MustCompile(`\A-- oldest: (\d+)\n`)
	said := map[string]string{}
	for _, database := range []string{"sqlite", "postgres"} {
		files, err := filepath.Glob(filepath.Join("sql", database, "*.sql"))
		if err != nil {
			t.Fatal(err)
		}
		for i, f := range files {
			version, name := i+1, filepath.Base(f)
			if version < compatibleFrom {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			m := declares.FindSubmatch(text)
			if m == nil {
				t.Errorf("%s: the first line says nothing; write `-- oldest: %d` if programs that know step %d can go on, `-- "+
					"oldest: %d` if all must stop first", f, version-1, version-1, version)
				continue
			}
			oldest, _ := strconv.Atoi(string(m[1]))
			if oldest < version && takes.Match(gives.ReplaceAll(text, nil)) {
				t.Errorf("%s takes something away that programs of step %d use; expand first, contract in a later release", f,
					oldest)
			}
			if oldest > version || oldest < compatibleFrom-1 {
				t.Errorf("%s: oldest is %d", f, oldest)
			}
			if other, ok := said[name]; ok && other != string(m[1]) {
				t.Errorf("%s: the two databases differ: %s and %s", name, other, m[1])
			}
			said[name] = string(m[1])
		}
	}
}
