package testkit

import "testing"

// Step runs a part of a story as a subtest. The story ends with the first step that fails, since
// the next ones build on it.
func Step(t *testing.T, name string, do func(t *testing.T)) {
	t.Helper()
	if !t.Run(name, do) {
		t.FailNow()
	}
}
