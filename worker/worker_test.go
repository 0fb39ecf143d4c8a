package worker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// .ci/tools installs ruff, mypy and pytest there.
const tools = "../bin/worker"

func TestThePythonPackage(t *testing.T) {
	t.Parallel()
	path, err := filepath.Abs(tools)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(path, "pytest")); err != nil {
		t.Skip("pytest, ruff and mypy are not installed; .ci/tools does that")
	}
	for _, args := range [][]string{
		{"ruff", "check", "--no-cache", "."}, {"ruff", "format", "--no-cache", "--diff", "."},
		{"mypy", "--cache-dir", t.TempDir()}, {"pytest", "-q", "-p", "no:cacheprovider"},
	} {
		cmd := exec.CommandContext(t.Context(), "python3", append([]string{"-m"}, args...)...)
		cmd.Env = append(os.Environ(), "PYTHONPATH="+path+":.", "PYTHONDONTWRITEBYTECODE=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", args[0], err, out)
		}
	}
}

// Who has no Python for models is told which, and how to name another.
func TestMakeRunSaysWhatModelsNeed(t *testing.T) {
	t.Parallel()
	for python, wanted := range map[string]string{
		"absent":                          "there is no absent. Models need Python 3.11 or newer",
		"internal/ml/testdata/python-old": "too old. Models need 3.11 or newer; name one: make run ML=1 PYTHON=",
	} {
		cmd := exec.CommandContext(t.Context(), "../.ci/ml")
		cmd.Env = append(os.Environ(), "PYTHON="+python)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), wanted) {
			t.Errorf("with %s: %v\n%s", python, err, out)
		}
	}
}
