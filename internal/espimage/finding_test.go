package espimage

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Each code of a finding is on the page that explains them.
func TestThePageNamesEachFinding(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/firmware-signing.md")
	if err != nil {
		t.Fatal(err)
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range sources {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`[ri]\.(?:refuse|warn)\("([a-z0-9_]+)"`).FindAllSubmatch(source, -1) {
			if found++; !bytes.Contains(page, []byte("`"+string(call[1])+"`")) {
				t.Errorf("docs/firmware-signing.md does not explain %s", call[1])
			}
		}
	}
	if found == 0 {
		t.Error("there are no findings")
	}
}
