//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/config"
)

// The doctor reports files that root can use and the server's user cannot, and how to fix that.
func TestDoctorNamesFilesOfOthers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root gives files to others")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "unhidra.db")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	d := &diagnosis{w: &out}
	if d.owners(config.Config{DataDir: dir}); d.broken != 0 {
		t.Errorf("%s", &out)
	}
	if err := os.Chown(dir, 4711, -1); err != nil {
		t.Fatal(err)
	}
	d.owners(config.Config{DataDir: dir})
	if d.broken != 1 || !strings.Contains(out.String(), path) || !strings.Contains(out.String(), "chown -R 4711 "+dir) {
		t.Errorf("%d: %s", d.broken, &out)
	}
}
