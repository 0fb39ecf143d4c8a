package testkit

import (
	"os/exec"
	"testing"
)

// NeedPython skips a test where there is no Python that runs models.
func NeedPython(tb testing.TB) {
	tb.Helper()
	check := "import sys; sys.exit(sys.version_info < (3, 11))"
	if err := exec.CommandContext(tb.Context(), "python3", "-c", check).Run(); err != nil {
		tb.Skip("there is no Python 3.11 here: no model runs:", err)
	}
}
