package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/testkit"
)

// The doctor reports objects without a row, and deletes none: they may be another server's.
func TestDoctorNamesObjectsWithoutARow(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	db := testkit.Open(t, testkit.SQLite(t))
	old := time.Now().Add(-25 * time.Hour)
	for i := range 12 {
		path := filepath.Join(c.Files(), "aa", fmt.Sprintf("lone-%02d", i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	for range 2 {
		out.Reset()
		d := &diagnosis{w: &out}
		d.blobs(t.Context(), c, db)
		for _, want := range []string{"warn  files         superfluous in " + c.Files() + ": 12 objects ", "aa/lone-00, ",
			"aa/lone-09, and 2 more"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%q is not in:\n%s", want, out.String())
			}
		}
	}
}
