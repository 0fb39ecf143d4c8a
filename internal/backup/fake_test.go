package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/domain"
)

// A fakeDB stands for a database. Its file is its JSON.
type fakeDB struct {
	Had      domain.StoreContents
	Referred []domain.Blob
	Damage   string // what Check finds
}

func (f *fakeDB) Check(context.Context) error {
	if f.Damage != "" {
		return errors.New(f.Damage)
	}
	return nil
}
func (f *fakeDB) Contents(context.Context) (domain.StoreContents, error) { return f.Had, nil }
func (f *fakeDB) DropUnreferredBlobs(context.Context) error              { return nil }
func (f *fakeDB) ReferredBlobs(context.Context, string, int) ([]domain.Blob, error) {
	return f.Referred, nil
}
func (f *fakeDB) Close() error { return nil }

func openFake(_ context.Context, path string) (Copy, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f := &fakeDB{}
	return f, json.Unmarshal(b, f)
}

var fakes = Opener{Database: openFake, Readings: func(_ context.Context, path string) error {
	b, err := os.ReadFile(path)
	if err == nil && !bytes.HasPrefix(b, []byte("readings")) {
		err = errors.New("the readings are damaged")
	}
	return err
}}

// newSource returns a source with a database, two files and a key.
func newSource(t *testing.T) (Source, *fakeDB) {
	t.Helper()
	dir := t.TempDir()
	db := &fakeDB{Had: domain.StoreContents{
		Users: 2, Devices: 1, Events: 9, Heads: map[string]int64{"rom_a": 7, "rom_b": 2},
	}}
	for _, text := range []string{"one", "two"} {
		sum := sha256.Sum256([]byte(text))
		b := domain.Blob{Hash: hex.EncodeToString(sum[:]), Object: text[:1] + "/" + text}
		db.Referred = append(db.Referred, b)
		write(t, filepath.Join(dir, "files", b.Object), text)
	}
	write(t, filepath.Join(dir, Key), "a key")
	return Source{
		Copy: func(_ context.Context, path string) error {
			b, err := json.Marshal(db)
			return errors.Join(err, os.WriteFile(path, b, 0o600))
		},
		Readings: func(_ context.Context, path string) error { return os.WriteFile(path, []byte("readings"), 0o600) },
		Open:     fakes, Files: filepath.Join(dir, "files"), Key: filepath.Join(dir, Key), Scratch: dir, Version: "1.0",
	}, db
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// written returns a backup that s wrote.
func written(t *testing.T, s Source, to age.Recipient) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := s.Write(t.Context(), &b, to); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func newKey(t *testing.T) *age.X25519Identity {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func verify(t *testing.T, b []byte, keys ...age.Identity) (Report, error) {
	t.Helper()
	return Verify(t.Context(), bytes.NewReader(b), t.TempDir(), fakes, keys)
}
