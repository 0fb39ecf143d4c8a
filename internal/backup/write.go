package backup

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/domain"
)

// A Source is what is backed up.
type Source struct {
	// Copy writes a copy of the database, as it is at one moment, to a new file.
	Copy func(ctx context.Context, path string) error
	// Readings writes a copy of what devices measured to a new file; nil: there is nothing.
	Readings func(ctx context.Context, path string) error
	Open     Opener // opens these copies
	// Files is the folder of files; empty: they are in a bucket, and are not backed up.
	Files string
	// Key is the file of the server's key; empty: the server was given one otherwise.
	Key     string
	Scratch string // folder in which copies of the database lie meanwhile
	Version string // of this program
}

// Temporary begins the names of what a backup leaves if its process is killed.
const Temporary = ".unhidra-backup-"

// WriteFile writes a backup to a new file, which appears under its name once it is whole, on
// disk and checked. It is encrypted for a recipient, if there is one. It never replaces a file,
// and on an error there is no new one.
func (s Source) WriteFile(ctx context.Context, path string, to age.Recipient) (r Report, err error) {
	if _, err := os.Lstat(path); err == nil {
		return r, errExists(path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, Temporary) // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return r, errNoFolder(dir)
	}
	if err != nil {
		return r, err
	}
	defer os.Remove(f.Name()) // there is none by this name after all went well
	sum := sha256.New()
	r, err = s.Write(ctx, io.MultiWriter(f, sum), to)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return r, err
	}
	onDisk, err := sumFile(ctx, f.Name())
	if err != nil {
		return r, err
	}
	if onDisk != hex.EncodeToString(sum.Sum(nil)) {
		return r, fmt.Errorf("the backup failed its check and was not kept: "+
			"the disk of %s returns other bytes than were written", dir)
	}
	if err := renameNew(f.Name(), path, os.Link); errors.Is(err, fs.ErrExist) {
		return r, errExists(path)
	} else if err != nil {
		return r, err
	}
	return r, syncDir(dir)
}

func errNoFolder(dir string) error {
	return fmt.Errorf("there is no folder %s; make it, or mount its disk", dir)
}

func errExists(path string) error { return fmt.Errorf("%s already exists; choose another name", path) }

// renameNew renames a file, and fails with fs.ErrExist if there is one by the new name. link is
// os.Link.
func renameNew(from, to string, link func(from, to string) error) error {
	err := link(from, to)
	if err == nil {
		_ = os.Remove(from) // WriteFile tries again
		return nil
	} else if errors.Is(err, fs.ErrExist) {
		return err
	}
	// A file system without links, such as that of a memory stick: an empty file takes the name.
	f, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if err = errors.Join(f.Close(), os.Rename(from, to)); err != nil {
		_ = os.Remove(to)
	}
	return err
}

// Write writes a backup to w, encrypted for a recipient, if there is one. The copy of the
// database is checked before, and what is written as it is written. After an error, it is no
// whole backup.
func (s Source) Write(ctx context.Context, w io.Writer, to age.Recipient) (r Report, err error) {
	dir, err := os.MkdirTemp(s.Scratch, Temporary) // mode 0700
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	m := Manifest{Format: format, Version: s.Version, Created: time.Now().UTC().Truncate(time.Second),
		Bucket: s.Files == ""}
	files := map[string]string{Database: filepath.Join(dir, Database)}
	if err := s.Copy(ctx, files[Database]); err != nil {
		return r, err
	}
	if s.Readings != nil { // after the database, so that each device of a reading is likely to be in that
		files[Readings] = filepath.Join(dir, Readings)
		if err := s.Readings(ctx, files[Readings]); err != nil {
			return r, fmt.Errorf("copy the readings of devices: %w", err)
		}
		if err := s.Open.Readings(ctx, files[Readings]); err != nil {
			return r, err
		}
	}
	if _, err := os.Stat(s.Key); err == nil {
		files[Key] = s.Key
	}
	if err := s.describe(ctx, &m, files); err != nil {
		return r, err
	}
	return stream(ctx, w, to, m, files)
}

// describe checks the copied database, adds the files that it has, and fills in the manifest.
func (s Source) describe(ctx context.Context, m *Manifest, files map[string]string) error {
	db, err := s.Open.Database(ctx, files[Database])
	if err != nil {
		return err
	}
	if err := errors.Join(s.describeOpen(ctx, db, m, files), db.Close()); err != nil {
		return err
	}
	m.SHA256[Database], err = sumFile(ctx, files[Database]) // now that nobody has it open
	return err
}

func (s Source) describeOpen(ctx context.Context, db Copy, m *Manifest, files map[string]string) error {
	if err := db.Check(ctx); err != nil {
		return err
	}
	contents, err := db.Contents(ctx)
	if err != nil {
		return err
	}
	m.Contents = &contents
	if s.Files != "" {
		// The server keeps a file for a day after the last reference to it went, which a backup may
		// need that long. It may delete one without references at any moment: the copy forgets those.
		if err := db.DropUnreferredBlobs(ctx); err != nil {
			return err
		}
		err := eachBlob(ctx, db, func(b domain.Blob) {
			source := filepath.Join(s.Files, filepath.FromSlash(b.Object))
			if info, err := os.Stat(source); err == nil && info.Mode().IsRegular() {
				files[filesPrefix+b.Object] = source
			}
		})
		if err != nil {
			return err
		}
	}
	m.SHA256 = make(map[string]string, len(files))
	for name, source := range files {
		if name == Database {
			continue
		}
		if m.SHA256[name], err = sumFile(ctx, source); err != nil {
			return err
		}
	}
	m.Missing, err = countLost(ctx, db, *m)
	return err
}

// stream writes the archive to w, encrypted, and reads the same bytes back as they are
// written, before they are encrypted.
func stream(
	ctx context.Context, w io.Writer, to age.Recipient, m Manifest, files map[string]string,
) (r Report, err error) {
	counted := &countingWriter{Writer: w}
	out, err := encrypt(counted, to)
	if err != nil {
		return r, err
	}
	pipe, copied := io.Pipe()
	checked := make(chan error, 1)
	go func() {
		var err error
		r, err = read(ctx, pipe, nil, func(string) string { return "" })
		_ = pipe.CloseWithError(cmp.Or(err, io.ErrClosedPipe)) // the writer must not wait
		checked <- err
	}()
	err = writeArchive(ctx, io.MultiWriter(out, copied), m, files)
	_ = copied.CloseWithError(err) // nil: the end
	checkErr := <-checked
	if err == nil {
		err = checkErr
	}
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		return r, fmt.Errorf("the backup failed its check and was not kept: %w", err)
	}
	r.Bytes, r.Encrypted, r.Has, r.Lost = counted.n, to != nil, *m.Contents, m.Missing
	return r, nil
}

type countingWriter struct {
	io.Writer
	n int64
}

func (w *countingWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.n += int64(n)
	return n, err
}

// writeArchive writes the manifest, files by their names in the archive, and the seal.
func writeArchive(ctx context.Context, out io.Writer, m Manifest, files map[string]string) error {
	sum := sha256.New()
	w := tar.NewWriter(io.MultiWriter(out, sum))
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	if err := addEntry(w, manifestEntry, int64(len(b)), m.Created, bytes.NewReader(b)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := addFile(ctx, w, name, files[name], m.Created); err != nil {
			return err
		}
	}
	if err := w.WriteHeader(header(sealEntry, sealLength, m.Created)); err != nil {
		return err
	}
	if _, err := io.WriteString(w, hex.EncodeToString(sum.Sum(nil))); err != nil {
		return err
	}
	return w.Close()
}

func addFile(ctx context.Context, w *tar.Writer, name, source string, at time.Time) error {
	f, err := os.Open(source)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return addEntry(w, name, info.Size(), at, stoppable{ctx, f})
}

func addEntry(w *tar.Writer, name string, size int64, at time.Time, r io.Reader) error {
	if err := w.WriteHeader(header(name, size, at)); err != nil {
		return err
	}
	_, err := io.Copy(w, r)
	return err
}

func header(name string, size int64, at time.Time) *tar.Header {
	return &tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: at, Format: tar.FormatPAX}
}

// A stoppable reader reads no further once its context has ended: files may be large.
type stoppable struct {
	ctx context.Context
	io.Reader
}

func (r stoppable) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

func sumFile(ctx context.Context, path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, stoppable{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
