package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
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
	code = m.runWith(strings.NewReader(""), &out, &out, args)
	return out.String(), code
}

func (m testHost) runWith(in io.Reader, out, errs io.Writer, args []string) (code int) {
	settings := []string{"UNHIDRA_DATA_DIR=" + m.dir, "GATEWAY_PORT=0", "UNHIDRA_OPERATOR_ADDR=off"}
	return run(m.t.Context(), &env{stdin: in, stdout: out, stderr: errs, environ: settings}, args)
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
	if said := first.must("backup", whole); strings.Contains(said, "Not in the backup") {
		t.Error(said)
	}
	lost, path := put(1, "lost")
	if err := os.WriteFile(path, []byte("rot!"), 0o600); err != nil {
		t.Fatal(err)
	}
	said := first.must("backup", filepath.Join(dir, "rotten.tar"))
	if !strings.Contains(said, "Not in the backup: 1 file that the database refers to, missing or damaged on this") {
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
	before, _ := filepath.Glob(filepath.Join(first.dir, "files.*Z", "*", lost+"*"))
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
	if code == exitOK || !strings.Contains(said, ": 1 file that the database has, such as ") {
		t.Errorf("%d: %s", code, said)
	}
}

// A file without references may be deleted while a backup is made. The backup has neither the file
// nor its row, so that the same file can be uploaded again after a restore.
func TestABackupLeavesOutFilesThatNothingRefersTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, second := testHost{t, filepath.Join(dir, "first")}, testHost{t, filepath.Join(dir, "second")}
	put := func(m testHost) (hash string) {
		m.open(func(_ *all.Store, files *blob.Service) {
			b, err := files.Put(t.Context(), strings.NewReader("unsent"), 100)
			if err != nil {
				t.Fatal(err)
			}
			hash = b.Hash
		})
		return hash
	}
	hash := put(first)
	path := filepath.Join(dir, "backup.tar")
	first.must("backup", path)
	if said := second.must("backup", "verify", path); !strings.Contains(said, "0 files.") {
		t.Error(said)
	}
	second.must("restore", path)
	second.must("doctor")
	put(second)
	for _, m := range []testHost{first, second} {
		if got, err := m.read(hash); err != nil || string(got) != "unsent" {
			t.Errorf("%s: %q, %v", m.dir, got, err)
		}
	}
}

// An encrypted backup that is written to and read from pipes is restored completely.
func TestBackupThroughPipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := testHost{t, filepath.Join(dir, "first")}
	first.open(func(db *all.Store, _ *blob.Service) {
		room := testkit.Room(t, db, 2)
		testkit.Say(t, db, testkit.UserID(0), room, "k", "hello")
	})
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	identity := filepath.Join(dir, "key.txt")
	if err := os.WriteFile(identity, []byte("# made by a test\n"+key.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := func(m testHost, in []byte, args ...string) (out, said []byte, code int) {
		var stdout, stderr bytes.Buffer
		code = m.runWith(bytes.NewReader(in), &stdout, &stderr, args)
		return stdout.Bytes(), stderr.Bytes(), code
	}
	archive, said, code := pipe(first, nil, "backup", "-", "--recipient", key.Recipient().String())
	if code != exitOK || !strings.Contains(string(said), "bytes, checked") {
		t.Fatalf("%d: %s", code, said)
	}
	second := testHost{t, filepath.Join(dir, "second")}
	out, said, code := pipe(second, archive, "backup", "verify", "--identity", identity, "-")
	if code != exitOK || !strings.HasPrefix(string(out), "the backup is good.\n") ||
		!strings.Contains(string(out), "2 accounts, 0 devices, 1 room, ") {
		t.Errorf("%d: %s%s", code, out, said)
	}
	out, said, code = pipe(second, archive, "backup", "verify", "-")
	if code != exitFail || !strings.Contains(string(said), "--identity") {
		t.Errorf("without the key: %d: %s%s", code, out, said)
	}
	cut := archive[:len(archive)-1]
	if out, said, code = pipe(second, cut, "backup", "verify", "--identity", identity, "-"); code != exitFail {
		t.Errorf("a byte less: %d: %s%s", code, out, said)
	}
	if _, err := os.Stat(second.dir); err == nil {
		t.Error("to verify a backup made a data folder")
	}
	if out, said, code = pipe(second, archive, "restore", "--identity", identity, "-"); code != exitOK {
		t.Errorf("restore: %d: %s%s", code, out, said)
	}
	second.open(func(db *all.Store, _ *blob.Service) {
		has, err := db.Contents(t.Context())
		if err != nil || has.Users != 2 || len(has.Heads) != 1 {
			t.Errorf("restored %+v, %v", has, err)
		}
	})
}

func TestBackupVerifyFindsAGapInALog(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	host := testHost{t, filepath.Join(dir, "host")}
	host.open(func(db *all.Store, _ *blob.Service) {
		room := testkit.Room(t, db, 2)
		for _, k := range []string{"a", "b", "c"} {
			testkit.Say(t, db, testkit.UserID(0), room, k, "hello")
		}
	})
	path := filepath.Join(dir, "good.tar")
	host.must("backup", path)
	if said := host.must("backup", "verify", path); !strings.Contains(said, "is good") {
		t.Error(said)
	}
	host.open(func(db *all.Store, _ *blob.Service) {
		err := db.Write(t.Context(), func(ctx context.Context, t *store.Tx) error {
			_, err := t.ExecContext(ctx, "DELETE FROM events WHERE seq = 2")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
	bad := filepath.Join(dir, "bad.tar")
	if said, code := host.run("backup", bad); code != exitFail || !strings.Contains(said, "has a gap") {
		t.Errorf("%d: %s", code, said)
	}
	if _, err := os.Stat(bad); err == nil {
		t.Error("a backup with a gap was kept")
	}
	for _, args := range [][]string{
		{"backup"}, {"backup", "verify"}, {"backup", "a", "b"}, {"backup", "--recipient", "x", bad},
	} {
		if said, code := host.run(args...); code != exitUsage {
			t.Errorf("%v: %d: %s", args, code, said)
		}
	}
}

// A backup is not written to a terminal: nobody can read it there, and it may have secrets.
func TestABackupIsNotShownOnATerminal(t *testing.T) {
	t.Parallel()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system gives no terminal: ", err)
	}
	defer func() { _ = screen.Close() }()
	var stderr bytes.Buffer
	m := testHost{t, t.TempDir()}
	code := m.runWith(nil, screen, &stderr, []string{"backup", "-"})
	if code != exitUsage || !strings.Contains(stderr.String(), "terminal") {
		t.Errorf("%d: %s", code, &stderr)
	}
}

// A file that an earlier restore moved away is not replaced.
func TestMoveAwayReplacesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "unhidra.db")
	for name, text := range map[string]string{path: "second", path + ".1": "first"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := moveAway(path, path+".1"); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("got %v", err)
	}
	if b, err := os.ReadFile(path + ".1"); err != nil || string(b) != "first" {
		t.Errorf("%q, %v", b, err)
	}
	if err := moveAway(path+"-wal", path+".2-wal"); err != nil {
		t.Errorf("a file that is not there: %v", err)
	}
}
