// Package firmwaretools runs the tools with which firmware for ESP32 is made: esptool, espsecure and detools, as
// programs. .ci/tools puts them into bin/firmware.
package firmwaretools

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// folder is where a folder of bin is, seen from a package two floors below the top.
func folder(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", "bin", name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("there is no bin/%s (.ci/tools makes it): esptool, espsecure and detools are not tried", name)
	}
	return path
}

// Need skips the test if the tools are missing.
func Need(t testing.TB) {
	t.Helper()
	folder(t, "firmware")
}

// Run runs a tool in a folder, and returns what it printed. The error is that of its exit.
func Run(t testing.TB, dir, tool string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "python3", append([]string{"-m", tool}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PYTHONPATH="+folder(t, "firmware"), "NO_COLOR=1", "COLUMNS=200")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Must runs a tool that must succeed.
func Must(t testing.TB, dir, tool string, args ...string) string {
	t.Helper()
	out, err := Run(t, dir, tool, args...)
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", tool, args, err, out)
	}
	return out
}

// Sample reads a file of detools' own tests: images of MicroPython, and patches between them.
func Sample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(folder(t, "detools"), "tests", "files", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
