package files

import (
	"archive/zip"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

const clamdMost = 1 << 20 // bytes of a stream

// clamd starts the daemon of ClamAV with a signature of eicar alone, and returns how to kill it. It listens on a socket
// of its own and asks nobody for other signatures.
func clamd(t *testing.T) (*Clamd, func()) {
	t.Helper()
	program, err := exec.LookPath("clamd")
	if err != nil {
		program = "/usr/sbin/clamd" // not in everybody's path
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("clamd is not installed: scanning is tried with a stand-in only")
	}
	dir, err := os.MkdirTemp("", "clamd") // the path of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	c := &Clamd{Addr: filepath.Join(dir, "socket")}
	for name, text := range map[string]string{
		"clamd.conf": fmt.Sprintf("Foreground yes\nLocalSocket %s\nDatabaseDirectory %s\nTemporaryDirectory %s\n"+
			"StreamMaxLength %d\n", c.Addr, dir, dir, clamdMost),
		"own.ndb": "Eicar-Test:0:*:" + hex.EncodeToString([]byte(eicar)) + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var said testkit.Buffer
	cmd := exec.Command(program, "--config-file", filepath.Join(dir, "clamd.conf"))
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	kill := func() { _ = cmd.Process.Kill(); <-ended }
	t.Cleanup(kill)
	traffic.Wait(t.Context(), t, "clamd answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("clamd has ended: %s", said.String())
		default:
		}
		return c.Ping(t.Context()) == nil
	})
	return c, kill
}

// zipped is an archive with one file.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("readme.txt")
	if err == nil {
		_, err = io.WriteString(f, text)
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The real daemon is understood: what it finds, what it lets through, and what it cannot tell about, which no file may
// pass by.
func TestClamd(t *testing.T) {
	t.Parallel()
	c, kill := clamd(t)
	archive := zipped(t, strings.Repeat("harmless ", 99)+eicar)
	if strings.Contains(archive, eicar) {
		t.Fatal("the archive is not compressed")
	}
	for _, f := range []struct {
		name, content, found string
	}{
		{"clean", "some words", ""},
		{"empty", "", ""},
		{"EICAR", eicar, "Eicar-Test.UNOFFICIAL"},
		{"EICAR in a zip", archive, "Eicar-Test.UNOFFICIAL"},
		{"a clean zip", zipped(t, "some words"), ""},
	} {
		found, err := c.Scan(t.Context(), strings.NewReader(f.content))
		if found != f.found || err != nil {
			t.Errorf("%s: found %q, %v", f.name, found, err)
		}
	}
	large := strings.Repeat("words ", 2*clamdMost/6) + eicar
	if found, err := c.Scan(t.Context(), strings.NewReader(large)); found != "" || !errors.Is(err, errUnscanned) {
		t.Errorf("a file that is too large for it: found %q, %v", found, err)
	}
	// It has taken the first chunk, and is gone before the last.
	half := strings.Repeat("words ", clamdChunk/6)
	r := io.MultiReader(strings.NewReader(half), atOnce(kill), strings.NewReader(half+eicar))
	if found, err := c.Scan(t.Context(), r); found != "" || !errors.Is(err, errUnscanned) {
		t.Errorf("killed in the middle: found %q, %v", found, err)
	}
	if err := c.Ping(t.Context()); err == nil {
		t.Error("it answers after its end")
	}
}

// atOnce does something when it is read, and is empty.
type atOnce func()

func (do atOnce) Read([]byte) (int, error) { do(); return 0, io.EOF }
