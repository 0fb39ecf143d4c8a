package main

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/testkit"
)

// A testHost is a data folder, and the commands on it.
type testHost struct {
	t   *testing.T
	dir string
}

func (m testHost) run(args ...string) (said string, code int) {
	m.t.Helper()
	var out bytes.Buffer
	settings := []string{"UNHIDRA_DATA_DIR=" + m.dir, "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=off"}
	e := &env{stdin: strings.NewReader(""), stdout: &out, stderr: &out, environ: settings}
	code = run(m.t.Context(), e, args)
	return out.String(), code
}

func (m testHost) must(args ...string) (said string) {
	m.t.Helper()
	said, code := m.run(args...)
	if code != exitOK {
		m.t.Fatalf("%v: %d\n%s", args, code, said)
	}
	return said
}

// open opens the store and the files for fn.
func (m testHost) open(fn func(db *all.Store, files *blob.Service)) {
	m.t.Helper()
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + m.dir}, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	db, err := app.OpenStore(m.t.Context(), c, app.StoreOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		m.t.Fatal(err)
	}
	files, err := app.OpenFiles(m.t.Context(), c, db, nil, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	fn(db, files)
	if err := db.Close(); err != nil {
		m.t.Fatal(err)
	}
}

// read returns the content of the file with a hash.
func (m testHost) read(hash string) (data []byte, err error) {
	m.open(func(_ *all.Store, files *blob.Service) {
		r, _, openErr := files.Open(m.t.Context(), hash)
		if err = openErr; err == nil {
			data, err = io.ReadAll(r)
			_ = r.Close()
		}
	})
	return data, err
}

func TestPicturesSurviveBackupAndRestore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := testHost{t, filepath.Join(dir, "first")}
	put := func(user int, text string) (hash, path string) {
		first.open(func(db *all.Store, files *blob.Service) {
			b, err := files.Put(t.Context(), strings.NewReader(text), 100)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Accounts.SetAvatar(t.Context(), testkit.UserID(user), b.Hash, time.Now()); err != nil {
				t.Fatal(err)
			}
			hash, path = b.Hash, filepath.Join(first.dir, "files", filepath.FromSlash(b.Object))
		})
		return hash, path
	}
	first.open(func(db *all.Store, _ *blob.Service) { testkit.Room(t, db, 2) })
	kept, _ := put(0, "kept")
	whole := filepath.Join(dir, "whole.tar")
	if said := first.must("backup", whole); strings.Contains(said, "not in the backup") {
		t.Error(said)
	}
	lost, path := put(1, "lost")
	if err := os.WriteFile(path, []byte("rot!"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := first.must("backup", filepath.Join(dir, "rotten.tar"))
	if !strings.Contains(said, "1 files that the database refers to are not in the backup") {
		t.Error(said)
	}

	second := testHost{t, filepath.Join(dir, "second")}
	second.must("restore", whole)
	if got, err := second.read(kept); err != nil || string(got) != "kept" {
		t.Errorf("restored %q, %v", got, err)
	}
	if said := first.must("restore", "--force", whole); !strings.Contains(said, "The previous files are now in") {
		t.Error(said)
	}
	if _, err := first.read(lost); err == nil {
		t.Error("a file of later is there")
	}
	before, _ := filepath.Glob(filepath.Join(first.dir, "files.*Z", "*", "*", lost+"*"))
	if len(before) != 1 {
		t.Errorf("kept of before: %v", before)
	}
	if said := second.must("doctor"); !strings.Contains(said, "1 in ") {
		t.Error(said)
	}
	if err := os.RemoveAll(filepath.Join(second.dir, "files", kept[:2])); err != nil {
		t.Fatal(err)
	}
	said, code := second.run("doctor")
	if code == exitOK || !strings.Contains(said, "1 files that the database has are not in") {
		t.Errorf("%d: %s", code, said)
	}
}

func TestNoFileOfABackupLeadsOutOfItsFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"files/../unhidra.db", "files/../../x", "/files/x", "files/", "files//x", "server.cfg",
		"files/a/./b"} {
		m := manifest{Format: format, SHA256: map[string]string{databaseEntry: "x", name: "y"}}
		data, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var archive bytes.Buffer
		w := tar.NewWriter(&archive)
		if err := addEntry(w, manifestEntry, int64(len(data)), time.Now(), bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if _, err := readManifest(tar.NewReader(&archive)); err == nil || !strings.Contains(err.Error(), "it has a file") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
