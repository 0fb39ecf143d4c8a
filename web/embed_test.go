package web

import (
	"encoding/json"
	"io/fs"
	"regexp"
	"strings"
	"testing"
)

// A browser keeps all files that the service worker names, or none: one that is missing would keep it from working
// without the server.
func TestServiceWorkerNamesFilesThatAreThere(t *testing.T) {
	t.Parallel()
	client := FS()
	worker, err := fs.ReadFile(client, "sw.js")
	if err != nil {
		t.Fatal(err)
	}
	var shell struct {
		Version, Entry string
		Files          []string
	}
	named := regexp.MustCompile(`(?m)^const shell = (.*);$`).FindSubmatch(worker)
	if named == nil {
		t.Fatal("the service worker names no files")
	}
	if err := json.Unmarshal(named[1], &shell); err != nil {
		t.Fatal(err)
	}
	if shell.Version == "" || len(shell.Files) < 50 {
		t.Fatalf("the service worker is of version %q with %d files", shell.Version, len(shell.Files))
	}
	for _, file := range append(shell.Files, shell.Entry) {
		if _, err := fs.Stat(client, strings.TrimPrefix(file, "/")); err != nil {
			t.Errorf("the service worker names a file that is not there: %v", err)
		}
	}
}
