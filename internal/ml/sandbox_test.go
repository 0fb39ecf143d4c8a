package ml

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/worker"
)

// without is the package for a system that does not have a level.
func without(t *testing.T, level string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	must(t, fs.WalkDir(worker.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(worker.FS(), name)
		files[name] = &fstest.MapFile{Data: b}
		return err
	}))
	name := "unhidra_worker/" + level + ".py"
	if files[name] == nil {
		t.Fatalf("there is no %s", name)
	}
	files[name].Data = []byte("def enter(*args):\n    return False\n")
	return files
}

func TestALevelThatTheSystemLacks(t *testing.T) {
	t.Parallel()
	for _, policy := range []Sandbox{SandboxBestEffort, SandboxRequired} {
		t.Run(string(policy), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			// It says when it is loaded, by failing with another error.
			writeModel(t, dir, 1, map[string]string{"broken": ""})
			s := newServiceWith(t, dir, fast, func(d *Deps) { d.Package, d.Sandbox = without(t, "seccomp"), policy })
			var why string
			until(t, "a version that has failed", func() bool {
				if h := s.Health(); len(h.Versions) > 0 {
					why = h.Versions[0].Detail
				}
				return why != ""
			})
			if policy == SandboxBestEffort && strings.Contains(why, "no weights") {
				return
			}
			if policy == SandboxRequired && strings.Contains(why, "here workers lack:") &&
				strings.HasSuffix(why, "seccomp") {
				return
			}
			t.Errorf("the version has failed because %s", why)
		})
	}
}

func TestAModelInASandbox(t *testing.T) {
	t.Parallel()
	s := chaos(t, fast)
	held := s.Health().Versions[0].Workers[0].Sandbox
	secret := filepath.Join(t.TempDir(), "server.key")
	must(t, os.WriteFile(secret, []byte("key"), 0o600))
	for _, c := range []struct{ text, level string }{
		{"read " + secret, "landlock"}, {"read /etc/passwd", "landlock"}, {"read /proc/1/environ", "landlock"},
		{"signal", "seccomp"}, {"start", "seccomp"}, {"child", "seccomp"},
	} {
		if !slices.Contains(held, c.level) {
			t.Logf("this system has no %s: %q is not tried", c.level, c.text)
			continue
		}
		got, err := ask(t, s, c.text)
		if domain.KindOf(err) != domain.Internal || !strings.Contains(err.Error(), "PermissionError") {
			t.Errorf("%q was answered %q, %v", c.text, got, err)
		}
	}
	if got, err := ask(t, s, "read /proc/self/statm"); err != nil || got == "" {
		t.Errorf("what describes its own process is not to be read: %v", err)
	}
}
