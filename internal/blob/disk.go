package blob

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/unhidra/unhidra/internal/domain"
)

// Disk stores objects as files in a folder.
type Disk struct {
	dir    string
	synced sync.Map // folders that outlive a power cut
}

// OpenDisk returns the objects in dir, which it creates if needed.
func OpenDisk(dir string) (*Disk, error) { return &Disk{dir: dir}, os.MkdirAll(dir, 0o700) }

// path returns the path of an object. It refuses names that lead out of the folder.
func (d *Disk) path(name string) (string, error) {
	if !filepath.IsLocal(name) {
		return "", domain.Invalid.Errorf(domain.CodeObjectName, "%q is no name of an object", name)
	}
	return filepath.Join(d.dir, filepath.FromSlash(name)), nil
}

// Put moves a file to its final path, and syncs it there: its content and its name at once, for which a file system
// with a journal writes that once.
func (d *Disk) Put(_ context.Context, name string, f *os.File, _ int64) error {
	to, err := d.path(name)
	if err != nil {
		return err
	}
	dir := filepath.Dir(to)
	if err := d.makeFolder(dir); err != nil {
		return err
	}
	err = os.Rename(f.Name(), to)
	if errors.Is(err, fs.ErrNotExist) { // somebody has removed the folder
		d.synced.Delete(dir)
		if err = d.makeFolder(dir); err == nil {
			err = os.Rename(f.Name(), to)
		}
	}
	if err != nil {
		return err
	}
	named := make(chan error, 1)
	go func() { named <- syncDir(dir) }()
	err = f.Sync()
	return errors.Join(err, <-named)
}

// makeFolder makes a folder, and syncs it in the folders above it. One that is there may be of a server that was ended
// before it had synced it, so each is synced once.
func (d *Disk) makeFolder(dir string) error {
	if _, ok := d.synced.Load(dir); ok {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for up := dir; up != d.dir; {
		up = filepath.Dir(up)
		if err := syncDir(up); err != nil {
			return err
		}
	}
	d.synced.Store(dir, true)
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// OpenObject opens the file of an object.
func (d *Disk) OpenObject(name string) (*os.File, error) {
	path, err := d.path(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Missing(name)
	}
	return f, err
}

// Get returns a reader of the object's file.
func (d *Disk) Get(_ context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	f, err := d.OpenObject(name)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if length < 0 {
		return f, nil
	}
	return section{io.LimitReader(f, length), f}, nil
}

type section struct {
	io.Reader
	io.Closer
}

// Missing returns the error for a blob whose object is missing.
func Missing(name string) error {
	return domain.NotFound.Errorf(domain.CodeFileMissing,
		"the content of this file is missing").Because(errors.New("no object " + name))
}

// Delete deletes the file of an object.
func (d *Disk) Delete(_ context.Context, name string) error {
	path, err := d.path(name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// List calls fn for each file.
func (d *Disk) List(ctx context.Context, fn func(Object) error) error {
	return filepath.WalkDir(d.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // deleted meanwhile
			return nil
		}
		if err != nil || e.IsDir() {
			return errors.Join(err, ctx.Err())
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(filepath.ToSlash(strings.TrimPrefix(path, d.dir)), "/")
		return fn(Object{Name: name, Size: info.Size(), Modified: info.ModTime()})
	})
}
