package backup

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// Verify reads a backup to its end and checks it: every byte, the database's structure and
// the logs in it, and that it has what it had when the backup was made. It writes the
// databases to dir, and no files. keys open an encrypted one.
func Verify(ctx context.Context, r io.Reader, dir string, open Opener, keys []age.Identity) (Report, error) {
	return unpack(ctx, r, dir, open, keys, func(name string) bool { return name == Database || name == Readings })
}

// Unpack does what Verify does, and writes all files to dir.
func Unpack(ctx context.Context, r io.Reader, dir string, open Opener, keys []age.Identity) (Report, error) {
	return unpack(ctx, r, dir, open, keys, func(string) bool { return true })
}

func unpack(
	ctx context.Context, src io.Reader, dir string, open Opener, keys []age.Identity, keep func(string) bool,
) (Report, error) {
	counted := &countingReader{Reader: src}
	r, err := read(ctx, counted, keys, func(name string) string {
		if !keep(name) {
			return ""
		}
		return filepath.Join(dir, filepath.FromSlash(name))
	})
	if err != nil {
		return r, err
	}
	r.Bytes = counted.n
	if err := r.check(ctx, filepath.Join(dir, Database), open); err != nil {
		return r, fmt.Errorf("its database is not good: %w", err)
	}
	if r.SHA256[Readings] != "" {
		if err := open.Readings(ctx, filepath.Join(dir, Readings)); err != nil {
			return r, fmt.Errorf("its readings are not good: %w", err)
		}
	}
	return r, nil
}

// read reads an archive to its end, and checks every byte. place says which file an entry is
// written to; empty: none.
func read(
	ctx context.Context, src io.Reader, keys []age.Identity, place func(name string) string,
) (Report, error) {
	r, err := readArchive(ctx, src, keys, place)
	var failed *fs.PathError
	if errors.As(err, &failed) && failed.Op == "read" { // a disk or a connection, and not what is in the archive
		err = fmt.Errorf("it cannot be read: %w", failed)
	}
	return r, err
}

func readArchive(
	ctx context.Context, src io.Reader, keys []age.Identity, place func(name string) string,
) (r Report, err error) {
	plain, encrypted, err := decrypt(src, keys)
	if err != nil {
		return r, err
	}
	sum := sha256.New()
	t := tar.NewReader(io.TeeReader(plain, sum))
	r.Encrypted = encrypted
	if r.Manifest, err = readManifest(t); err != nil {
		return r, fmt.Errorf("it is not a backup of Unhidra, or damaged: %w", err)
	}
	if r.Format > format {
		return r, fmt.Errorf("it was written by a newer Unhidra (%s); use that version", r.Version)
	}
	if err := r.readEntries(ctx, t, place); err != nil {
		return r, err
	}
	if err := readEnd(r.Format, t, plain, sum); err != nil {
		return r, fmt.Errorf("it is damaged: %w", err)
	}
	return r, nil
}

type countingReader struct {
	io.Reader
	n int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += int64(n)
	return n, err
}

const maxManifest = 256 << 20 // about a million files

func readManifest(r *tar.Reader) (m Manifest, err error) {
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
		if name != Database && name != Key && !(m.Format >= formatReadings && name == Readings) &&
			!(m.Format >= formatFiles && isFile(name)) {
			return m, fmt.Errorf("it has a file %q", name)
		}
	}
	if m.SHA256[Database] == "" {
		return m, errors.New("it has no database")
	}
	return m, nil
}

// isFile reports whether an entry is the file of an object, below files/ and nowhere else.
func isFile(name string) bool {
	return strings.HasPrefix(name, filesPrefix) && path.Clean(name) == name && filepath.IsLocal(filepath.FromSlash(name))
}

// readEntries reads the files that the manifest lists: each of them, once.
func (r *Report) readEntries(ctx context.Context, t *tar.Reader, place func(name string) string) error {
	seen := make(map[string]bool, len(r.SHA256))
	for range r.SHA256 {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("it is damaged: %w", err)
		}
		want, ok := r.SHA256[h.Name] // a name that was looked at: it cannot lead out of a folder
		if !ok || seen[h.Name] {
			return fmt.Errorf("it is damaged: its manifest lists no such file %q here", h.Name)
		}
		seen[h.Name] = true
		if strings.HasPrefix(h.Name, filesPrefix) {
			r.Objects++
		}
		got, err := readEntry(stoppable{ctx, t}, place(h.Name))
		var file *fs.PathError // of a disk, and not of what is in the archive
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &file):
			return fmt.Errorf("read %s: %w", h.Name, err)
		case err != nil:
			return fmt.Errorf("it is damaged, or ends too early, in %s: %w", h.Name, err)
		}
		if got != want {
			return fmt.Errorf("it is damaged: %s does not match its checksum", h.Name)
		}
	}
	return nil
}

// readEntry writes an entry to a file, or to none, and returns its SHA-256.
func readEntry(r io.Reader, to string) (_ string, err error) {
	sum := sha256.New()
	if to == "" {
		_, err := io.Copy(sum, r)
		return hex.EncodeToString(sum.Sum(nil)), err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.Copy(io.MultiWriter(f, sum), r); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), f.Sync()
}

const (
	sealLength = 2 * sha256.Size
	tarBlock   = 512
	// tail is how many bytes follow the seal: zeros up to the end of its block, and two blocks.
	tail = tarBlock - sealLength + 2*tarBlock
)

// readEnd reads what comes after the files. In sum went all bytes of plain that t has read.
func readEnd(format int, t *tar.Reader, plain io.Reader, sum hash.Hash) error {
	h, err := t.Next()
	if format <= formatFiles {
		if !errors.Is(err, io.EOF) {
			return errors.Join(errors.New("more follows than its manifest lists"), err)
		}
		_, err = io.Copy(io.Discard, plain)
		return err
	}
	if err != nil || h.Name != sealEntry || h.Size != sealLength {
		return errors.Join(errors.New("its end is missing"), err)
	}
	want := hex.EncodeToString(sum.Sum(nil)) // a tar reader reads no further than it must
	got := make([]byte, sealLength)
	if _, err := io.ReadFull(t, got); err != nil {
		return err
	}
	if string(got) != want {
		return errors.New("it does not match its checksum")
	}
	rest, err := io.ReadAll(io.LimitReader(plain, tail+1))
	if err != nil {
		return err
	}
	if !bytes.Equal(rest, make([]byte, tail)) {
		return errors.New("its end is not what was written")
	}
	return nil
}
