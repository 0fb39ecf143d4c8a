package backup

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
)

// A Place is where backups are: a Folder or a Bucket.
type Place interface {
	// Write writes a backup of a source under a name, encrypted for a recipient, if there is one.
	// What was written is read back. Write never replaces a file, and on an error there is no new one.
	Write(ctx context.Context, s Source, name string, to age.Recipient) (Report, error)
	// List returns all files, in no particular order.
	List(ctx context.Context) ([]Stored, error)
	Delete(ctx context.Context, name string) error
	// Path returns the path or the URL of a file.
	Path(name string) string
}

// Stored is a file in a Place.
type Stored struct {
	Name string
	Size int64 // in bytes
}

// A Folder is a Place on a disk of this machine. It must be there: one that is missing may be a
// disk that is not mounted.
type Folder string

// Write implements Place.
func (f Folder) Write(ctx context.Context, s Source, name string, to age.Recipient) (Report, error) {
	return s.WriteFile(ctx, f.Path(name), to)
}

// List implements Place. It leaves out what is no regular file.
func (f Folder) List(context.Context) (all []Stored, err error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNoFolder(string(f))
	} else if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		if info, err := e.Info(); err == nil { // else it was deleted meanwhile
			all = append(all, Stored{e.Name(), info.Size()})
		}
	}
	return all, nil
}

// Delete implements Place.
func (f Folder) Delete(_ context.Context, name string) error { return os.Remove(f.Path(name)) }

// Path implements Place.
func (f Folder) Path(name string) string { return filepath.Join(string(f), name) }
