package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// Files of this computer are posted, shown as lines, and saved; nothing is overwritten.
func TestFilesInTheTerminal(t *testing.T) {
	t.Parallel()
	s, ctx := live.Start(t, testkit.SQLite(t)), t.Context()
	ann := s.User("ann")
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "public", Name: "Kitchen"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path, saved := filepath.Join(dir, "soup.txt"), filepath.Join(dir, "saved.txt")
	if err := os.WriteFile(path, []byte("leek and potato"), 0o600); err != nil {
		t.Fatal(err)
	}
	talk := func(lines ...string) string {
		var out strings.Builder
		e := &env{stdout: &out, stderr: &out, environ: []string{"UNHIDRA_TOKEN=" + ann.Tokens().Access},
			stdin: strings.NewReader(strings.Join(lines, "\n") + "\n")}
		run(ctx, e, []string{"chat", "--server", s.URL, "--room", "Kitchen"})
		return out.String()
	}
	out := talk("/send " + path)
	list, err := ann.RoomFiles(ctx, room.ID, "", "", "")
	if err != nil || len(list.Items) != 1 {
		t.Fatalf("%d files, %v: %s", len(list.Items), err, out)
	}
	id := list.Items[0].File.ID
	if want := "[soup.txt, text/plain, 15 bytes, " + id + "]"; !strings.Contains(out, want) {
		t.Errorf("no %q in:\n%s", want, out)
	}
	if out := talk("/save " + id + " " + saved); !strings.Contains(out, "saved 15 bytes") {
		t.Error(out)
	}
	if b, err := os.ReadFile(saved); err != nil || string(b) != "leek and potato" {
		t.Errorf("%q, %v", b, err)
	}
	for line, want := range map[string]string{"/save " + id + " " + saved: "is there already", "/send " + dir: "is no file",
		"/send": "say which file", "/save": "say which file", "/send " + dir + "/none": "no such file",
		"/save fil_none " + dir + "/x": "there is no such file"} {
		if out := talk(line); !strings.Contains(out, want) {
			t.Errorf("%s: no %q in:\n%s", line, want, out)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "x")); err == nil {
		t.Error("a file that could not be saved is there")
	}
}
