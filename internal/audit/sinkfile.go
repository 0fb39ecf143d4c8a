package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// File is a sink that writes one line for each record, for programs on the same machine that follow
// a growing file.
type File struct {
	path   string
	size   int64 // in bytes, at which the file is rotated
	count  int   // rotated files to keep; 0: all
	format Format
	file   *os.File
	length int64
}

// NewFile returns a sink that writes to path.
func NewFile(path string, size int64, count int, f Format) *File {
	return &File{path: path, size: size, count: count, format: f}
}

// Name returns the path of the file, as a name.
func (s *File) Name() string { return "file:" + s.path }

// Send appends records and returns once they are on disk.
func (s *File) Send(_ context.Context, records []domain.AuditRecord) error {
	if err := s.ready(); err != nil {
		return err
	}
	var b bytes.Buffer
	for _, r := range records {
		b.Write(s.format.Line(r))
		b.WriteByte('\n')
	}
	n, err := s.file.Write(b.Bytes())
	s.length += int64(n)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(err, s.Close()) // an incomplete line is truncated when the file is opened again
	}
	return nil
}

// CheckFile returns an error if records cannot be written to the file at path. It changes nothing.
func CheckFile(path string) error {
	if _, err := os.Stat(path); err == nil {
		f, err := os.OpenFile(path, os.O_RDWR, 0) // as ready opens it
		if err != nil {
			return err
		}
		return f.Close()
	}
	dir := filepath.Dir(path)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil // ready creates it
	}
	f, err := os.CreateTemp(dir, "doctor-*.tmp")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// ready opens the file, again if somebody has moved it, and rotates it if it is full.
func (s *File) ready() error {
	if s.file != nil {
		mine, err := s.file.Stat()
		if err != nil {
			return err
		}
		theirs, err := os.Stat(s.path)
		if err != nil || !os.SameFile(mine, theirs) {
			_ = s.Close()
		}
	}
	if s.file == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	if s.length < s.size {
		return nil
	}
	if err := errors.Join(s.Close(), os.Rename(s.path, s.full(time.Now()))); err != nil {
		return err
	}
	return errors.Join(s.prune(), s.open())
}

func (s *File) open() error {
	if err := os.MkdirAll(filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	length, err := wholeLines(f)
	if err == nil {
		err = f.Truncate(length)
	}
	if err == nil {
		_, err = f.Seek(length, io.SeekStart)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.length = f, length
	return nil
}

// wholeLines returns the length of f without an incomplete last line, which a crash may leave.
func wholeLines(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s is not a file", f.Name())
	}
	const window = 256 << 10 // longer than any line
	end := info.Size()
	start := max(0, end-window)
	b := make([]byte, end-start)
	if _, err := f.ReadAt(b, start); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	if i := bytes.LastIndexByte(b, '\n'); i >= 0 {
		return start + int64(i) + 1, nil
	}
	return start, nil
}

// full returns the name of a rotated file. Names sort by time.
func (s *File) full(now time.Time) string {
	ext := filepath.Ext(s.path)
	return strings.TrimSuffix(s.path, ext) + "-" + now.UTC().Format("20060102T150405.000000000") + ext
}

func (s *File) prune() error {
	if s.count == 0 {
		return nil
	}
	ext := filepath.Ext(s.path)
	entries, err := os.ReadDir(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	stem := strings.TrimSuffix(filepath.Base(s.path), ext) + "-"
	var full []string
	for _, e := range entries {
		middle, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ext), stem)
		if _, err := time.Parse("20060102T150405.000000000", middle); ok && err == nil {
			full = append(full, e.Name())
		}
	}
	slices.Sort(full)
	for len(full) > s.count {
		if err := os.Remove(filepath.Join(filepath.Dir(s.path), full[0])); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		full = full[1:]
	}
	return nil
}

// Close closes the file.
func (s *File) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}
