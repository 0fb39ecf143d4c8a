package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/store/all"
)

// A backup is a tar file: the manifest first, then what it lists.
const (
	manifestEntry = "manifest.json"
	databaseEntry = "unhidra.db"
	keyEntry      = "server.key"
	filesEntry    = "files/" // before the name of an object
	format        = 2        // 1: without files
)

type manifest struct {
	Format  int               `json:"format"`
	Version string            `json:"version"` // of the program that wrote it
	Created time.Time         `json:"created"`
	SHA256  map[string]string `json:"sha256"` // of each file
}

// writeArchive writes files, by their names in the archive, to path.
func writeArchive(path string, m manifest, files map[string]string) (err error) {
	m.Format, m.SHA256 = 1, map[string]string{}
	for name, source := range files {
		if strings.HasPrefix(name, filesEntry) {
			m.Format = format
		}
		if m.SHA256[name], err = sumFile(source); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := tar.NewWriter(f)
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := addEntry(w, manifestEntry, int64(len(b)), m.Created, bytes.NewReader(b)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(w, name, files[name], m.Created); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Sync()
}

func addFile(w *tar.Writer, name, source string, at time.Time) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return addEntry(w, name, info.Size(), at, f)
}

func addEntry(w *tar.Writer, name string, size int64, at time.Time, r io.Reader) error {
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: at,
		Format: tar.FormatPAX}); err != nil {
		return err
	}
	_, err := io.Copy(w, r)
	return err
}

// unpack writes the files of an archive into dir, and checks them:
// every byte, the database's structure, and whether this program can read it.
func unpack(ctx context.Context, archive, dir string) (manifest, error) {
	f, err := os.Open(archive)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return manifest{}, err
	}
	r := tar.NewReader(f)
	m, err := readManifest(r)
	if err != nil {
		return m, fmt.Errorf("%s is not a backup of Unhidra: %w", archive, err)
	}
	if m.Format > format {
		return m, fmt.Errorf("%s was written by a newer Unhidra (%s); use that version", archive, m.Version)
	}
	for range m.SHA256 {
		if err := unpackEntry(r, dir, m); err != nil {
			return m, fmt.Errorf("%s is damaged: %w", archive, err)
		}
	}
	if err := all.Verify(ctx, filepath.Join(dir, databaseEntry)); err != nil {
		return m, fmt.Errorf("the database in %s: %w", archive, err)
	}
	return m, nil
}

const maxManifest = 256 << 20 // about a million files

func readManifest(r *tar.Reader) (m manifest, err error) {
	h, err := r.Next()
	if err != nil {
		return m, err
	}
	if h.Name != manifestEntry {
		return m, fmt.Errorf("it does not begin with %s", manifestEntry)
	}
	if err := json.NewDecoder(io.LimitReader(r, maxManifest)).Decode(&m); err != nil {
		return m, err
	}
	for name := range m.SHA256 {
		if name != databaseEntry && name != keyEntry && !(m.Format > 1 && isFile(name)) {
			return m, fmt.Errorf("it has a file %q", name)
		}
	}
	if m.SHA256[databaseEntry] == "" {
		return m, errors.New("it has no database")
	}
	return m, nil
}

// isFile reports whether an entry is the file of an object, below files/ and nowhere else.
func isFile(name string) bool {
	return strings.HasPrefix(name, filesEntry) && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name))
}

func unpackEntry(r *tar.Reader, dir string, m manifest) (err error) {
	h, err := r.Next()
	if err != nil {
		return err
	}
	want, ok := m.SHA256[h.Name] // a name that was looked at: it cannot lead out of dir
	if !ok {
		return fmt.Errorf("a file %q that its manifest does not list", h.Name)
	}
	to := filepath.Join(dir, filepath.FromSlash(h.Name))
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	if _, err := io.Copy(io.MultiWriter(f, sum), r); err != nil {
		return err
	}
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return fmt.Errorf("%s does not match its checksum", h.Name)
	}
	return f.Sync()
}

func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
