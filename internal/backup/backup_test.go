package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
)

func TestABackupHasWhatTheServerHas(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	for _, to := range []age.Recipient{nil, key.Recipient()} {
		s, _ := newSource(t)
		b := written(t, s, to)
		dir := t.TempDir()
		r, err := Unpack(t.Context(), bytes.NewReader(b), dir, fakes, []age.Identity{key})
		if err != nil {
			t.Fatal(err)
		}
		if r.Encrypted != (to != nil) || r.Objects != 2 || r.Lost != 0 || r.Bytes != int64(len(b)) || r.Has.Events != 9 {
			t.Errorf("%+v", r)
		}
		for name, want := range map[string]string{"files/o/one": "one", "files/t/two": "two", Key: "a key",
			Readings: "readings"} {
			if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

func TestDamagedReadingsAreFound(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	whole := written(t, s, nil)
	refuses := fakes
	refuses.Readings = func(context.Context, string) error { return errors.New("damaged") }
	if _, err := Verify(t.Context(), bytes.NewReader(whole), t.TempDir(), refuses, nil); err == nil ||
		!strings.Contains(err.Error(), "readings") {
		t.Errorf("when it is read: %v", err)
	}
	s.Readings = func(_ context.Context, path string) error { return os.WriteFile(path, []byte("bad"), 0o600) }
	if _, err := s.Write(t.Context(), io.Discard, nil); err == nil {
		t.Error("when it is written: nothing")
	}
	s.Readings = nil
	if _, err := verify(t, written(t, s, nil)); err != nil {
		t.Errorf("without readings: %v", err)
	}
}

// A change of any byte is found, also in the structure of the archive.
func TestEveryFlippedByteIsFound(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	nowhere := func(string) string { return "" }
	whole := written(t, s, nil)
	if _, err := read(t.Context(), bytes.NewReader(whole), nil, nowhere); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 1
		if _, err := read(t.Context(), bytes.NewReader(b), nil, nowhere); err == nil {
			t.Fatalf("byte %d of %d is not looked at", i, len(whole))
		}
	}
	key := newKey(t)
	whole = written(t, s, key.Recipient())
	for i := 0; i < len(whole); i += 101 {
		b := slices.Clone(whole)
		b[i] ^= 1
		if _, err := read(t.Context(), bytes.NewReader(b), []age.Identity{key}, nowhere); err == nil {
			t.Fatalf("byte %d of %d of an encrypted one is not looked at", i, len(whole))
		}
	}
}

func TestATruncatedBackupIsFound(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	key := newKey(t)
	write(t, s.Key, strings.Repeat("long", 20_000)) // half of the backup ends in it
	for _, to := range []age.Recipient{nil, key.Recipient()} {
		whole := written(t, s, to)
		for _, n := range []int{0, 1, 100, len(whole) / 2, len(whole) - 1500, len(whole) - 512, len(whole) - 1} {
			if _, err := verify(t, whole[:n], key); err == nil || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("%d of %d bytes (encrypted: %t): %v", n, len(whole), to != nil, err)
			}
		}
		if _, err := verify(t, append(slices.Clone(whole), 0), key); err == nil {
			t.Errorf("a byte more is not seen (encrypted: %t)", to != nil)
		}
	}
}

func TestVerifyStopsWithinAFile(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	write(t, s.Key, strings.Repeat("large", 2<<20))
	whole := written(t, s, nil)
	ctx, cancel := context.WithCancel(t.Context())
	in := bytes.NewReader(whole)
	_, err := Verify(ctx, readerFunc(func(b []byte) (int, error) {
		if in.Len() < len(whole)-1<<20 {
			cancel()
		}
		return in.Read(b)
	}), t.TempDir(), fakes, nil)
	if !errors.Is(err, context.Canceled) || in.Len() < 8<<20 {
		t.Errorf("%d bytes were left to read: %v", in.Len(), err)
	}
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestAnEncryptedBackupNeedsItsKey(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	b := written(t, s, newKey(t).Recipient())
	if bytes.Contains(b, []byte("a key")) {
		t.Error("it can be read")
	}
	if _, err := verify(t, b); err == nil || !strings.Contains(err.Error(), "--identity") {
		t.Errorf("without a key: %v", err)
	}
	if _, err := verify(t, b, newKey(t)); err == nil || !strings.Contains(err.Error(), "another key") {
		t.Errorf("with another key: %v", err)
	}
}

// rewritten returns a backup with a changed manifest or files, and valid checksums.
func rewritten(t *testing.T, b []byte, change func(m *Manifest, files map[string]string)) []byte {
	t.Helper()
	dir := t.TempDir()
	r, err := Unpack(t.Context(), bytes.NewReader(b), dir, fakes, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name := range r.SHA256 {
		files[name] = filepath.Join(dir, name)
	}
	change(&r.Manifest, files)
	var out bytes.Buffer
	if err := writeArchive(t.Context(), &out, r.Manifest, files); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWhatABackupLacksIsFound(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	whole := written(t, s, nil)
	for _, c := range []struct {
		says   string
		change func(m *Manifest, files map[string]string)
	}{
		{"as they were: 1", func(m *Manifest, files map[string]string) {
			delete(files, "files/o/one")
			delete(m.SHA256, "files/o/one")
		}},
		{"damaged", func(_ *Manifest, files map[string]string) { delete(files, "files/o/one") }},
		{"rom_a ends at 7, and ended at 8", func(m *Manifest, _ map[string]string) { m.Contents.Heads["rom_a"] = 8 }},
		{"events: it has 9, and had 10", func(m *Manifest, _ map[string]string) { m.Contents.Events = 10 }},
		{"accounts: it has 2, and had 3", func(m *Manifest, _ map[string]string) { m.Contents.Users = 3 }},
		{"rooms: it has 2, and had 1", func(m *Manifest, _ map[string]string) { delete(m.Contents.Heads, "rom_a") }},
		{"newer Unhidra", func(m *Manifest, _ map[string]string) { m.Format = format + 1 }},
	} {
		if _, err := verify(t, rewritten(t, whole, c.change)); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want %q, got %v", c.says, err)
		}
	}
}

// Files that the server has lost are reported, and the rest is backed up.
func TestAFileThatTheServerHasLostIsNoFaultOfTheBackup(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	if err := os.Remove(filepath.Join(s.Files, "o", "one")); err != nil {
		t.Fatal(err)
	}
	r, err := verify(t, written(t, s, nil))
	if err != nil || r.Lost != 1 || r.Missing != 1 || r.Objects != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	s.Files = "" // in a bucket
	r, err = verify(t, written(t, s, nil))
	if err != nil || r.Lost != 2 || !r.Bucket {
		t.Errorf("%+v, %v", r, err)
	}
}

// A file that is created under the backup's name meanwhile is not replaced.
func TestABackupReplacesNoFile(t *testing.T) {
	t.Parallel()
	s, _ := newSource(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "a.tar")
	copied := s.Copy
	s.Copy = func(ctx context.Context, to string) error {
		return errors.Join(os.WriteFile(path, []byte("of another"), 0o600), copied(ctx, to))
	}
	if _, err := s.WriteFile(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("the name was taken meanwhile: %v", err)
	}
	b, err := os.ReadFile(path)
	if left, _ := os.ReadDir(dir); err != nil || string(b) != "of another" || len(left) != 1 {
		t.Errorf("%q, %v; the folder has %v", b, err, left)
	}
}

// renameNew replaces no file, with hard links and without.
func TestRenameNew(t *testing.T) {
	t.Parallel()
	noLinks := func(string, string) error { return errors.ErrUnsupported }
	for name, link := range map[string]func(from, to string) error{"links": os.Link, "no links": noLinks} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		has := func(path, want string) {
			t.Helper()
			if b, _ := os.ReadFile(path); string(b) != want {
				t.Errorf("%s: %s has %q, want %q", name, path, b, want)
			}
		}
		for _, text := range []string{"one", "two"} {
			if err := os.WriteFile(from, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := renameNew(from, to, link); (text == "one") != (err == nil) || err != nil && !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: %s: %v", name, text, err)
			}
		}
		has(from, "two")
		has(to, "one")
		none := filepath.Join(dir, "none")
		if err := renameNew(none, none+"~", link); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: no file: %v", name, err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 2 {
			t.Errorf("%s: the folder has %v", name, left)
		}
	}
}

func TestABackupThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	s, db := newSource(t)
	s.Scratch = t.TempDir()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.tar")
	db.Damage = "the log of room rom_a has a gap"
	if _, err := s.WriteFile(t.Context(), path, nil); err == nil || !strings.Contains(err.Error(), db.Damage) {
		t.Errorf("a damaged database: %v", err)
	}
	db.Damage = ""
	want := errors.New("no space left")
	for _, room := range []int{0, 600, 4000} {
		if _, err := s.Write(t.Context(), &smallDisk{room, want}, newKey(t).Recipient()); !errors.Is(err, want) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
	missing := filepath.Join(dir, "missing")
	_, err := s.WriteFile(t.Context(), filepath.Join(missing, "a.tar"), nil)
	if err == nil || !strings.Contains(err.Error(), "no folder "+missing) {
		t.Errorf("a folder that is not there: %v", err)
	}
	if _, err := s.WriteFile(t.Context(), path, nil); err != nil {
		t.Error(err)
	}
	if _, err := s.WriteFile(t.Context(), path, nil); err == nil {
		t.Error("a backup was overwritten")
	}
	for d, want := range map[string]int{dir: 1, s.Scratch: 0} {
		if left, err := os.ReadDir(d); err != nil || len(left) != want {
			t.Errorf("%s has %v, %v", d, left, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

type smallDisk struct {
	room int
	err  error
}

func (d *smallDisk) Write(b []byte) (int, error) {
	if d.room -= len(b); d.room < 0 {
		return 0, d.err
	}
	return len(b), nil
}

// archiveOf returns an archive in the format of an older version, without a seal.
func archiveOf(t *testing.T, m Manifest, files map[string]string) []byte {
	t.Helper()
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	err = addEntry(w, manifestEntry, int64(len(data)), time.Now(), bytes.NewReader(data))
	for name, text := range files {
		err = errors.Join(err, addEntry(w, name, int64(len(text)), time.Now(), strings.NewReader(text)))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return archive.Bytes()
}

func TestABackupOfAnOlderVersionIsRead(t *testing.T) {
	t.Parallel()
	const empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" // of {}
	sums := map[string]string{Database: empty}
	files := map[string]string{Database: "{}"}
	r, err := verify(t, archiveOf(t, Manifest{Format: 2, Version: "0.9", SHA256: sums}, files))
	if err != nil || r.Contents != nil {
		t.Errorf("%+v, %v", r, err)
	}
	files[Key] = "not listed"
	if _, err := verify(t, archiveOf(t, Manifest{Format: 2, SHA256: sums}, files)); err == nil {
		t.Error("a file that the manifest does not list is not seen")
	}
}

func TestNoFileOfABackupLeadsOutOfItsFolder(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"files/../unhidra.db", "files/../../x", "/files/x", "files/", "files//x", "server.cfg", "files/a/./b",
	} {
		b := archiveOf(t, Manifest{Format: format, SHA256: map[string]string{Database: "x", name: "y"}}, nil)
		_, err := readManifest(tar.NewReader(bytes.NewReader(b)))
		if err == nil || !strings.Contains(err.Error(), "it has a file") {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := verify(t, []byte("no backup at all")); err == nil || errors.Is(err, io.ErrShortWrite) {
		t.Errorf("text is taken for a backup: %v", err)
	}
}

func TestParseRecipient(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	if _, err := ParseRecipient(key.Recipient().String()); err != nil {
		t.Error(err)
	}
	two := key.Recipient().String() + "\n" + newKey(t).Recipient().String()
	for _, bad := range []string{"", "age1", "ssh-ed25519 AAAA", key.String(), two} {
		if _, err := ParseRecipient(bad); err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
