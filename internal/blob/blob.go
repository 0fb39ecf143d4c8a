// Package blob stores files by their content: avatars, files of rooms, firmware. The name of a file
// is its SHA-256, so that equal content is stored once and a name never changes its meaning.
//
// The bytes are objects on disk, in S3 or in the database. The store knows which object has which
// content, and what refers to it. A file without references is deleted a day after it was last
// added or its last reference was removed.
//
// An upload cannot lose its file to that deletion. Each object has a unique name that is never used
// again: if a file is added while the object with the same content is being deleted, it becomes a
// new object. The order of steps is
//
//	add:     write the object and sync it; then the row, unless there is one by now
//	collect: delete the row, noting its object; delete the object; forget the note
//
// so a crash between two steps leaves at most an object without a row. Check finds such objects.
// Nothing deletes them, because another server may use the same storage.
package blob

import (
	"context"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Objects stores objects by name.
type Objects interface {
	// Put stores the content of f, of size bytes, as the object name, so that it outlives a power cut.
	// After an error there may be a part of it, which nobody reads. It may move the file away.
	Put(ctx context.Context, name string, f *os.File, size int64) error
	// Get reads length bytes of an object from offset, or up to its end if length is negative. If
	// there is no such object, the error is of kind domain.NotFound.
	Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)
	// Delete deletes an object. Deleting a missing object is no error.
	Delete(ctx context.Context, name string) error
	// List calls fn for each object, in no particular order, until fn returns an error.
	List(ctx context.Context, fn func(Object) error) error
}

// Opener is implemented by Objects that are files, which the kernel can copy to a connection.
type Opener interface {
	// OpenObject opens the file of an object. If there is none, the error is of kind domain.NotFound.
	OpenObject(name string) (*os.File, error)
}

// Presigner is implemented by Objects that others can load from where they are.
type Presigner interface {
	// Presign returns a URL by which whoever has it can load an object for some time.
	Presign(name string, life time.Duration) (string, error)
}

// An Object is an entry of List.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Rows stores the rows of blobs. Package store/blobs implements it.
type Rows interface {
	// AddBlob stores b. If a blob with this hash exists, AddBlob renews its time and returns it;
	// its object may be another than b's.
	AddBlob(ctx context.Context, b domain.Blob, now time.Time) (domain.Blob, error)
	// TouchBlob renews the time of a blob as AddBlob does. ok is false if there is none.
	TouchBlob(ctx context.Context, hash string, now time.Time) (b domain.Blob, ok bool, err error)
	// Blob returns the blob with a hash.
	Blob(ctx context.Context, hash string) (domain.Blob, error)
	// ReferredBlobs returns at most limit blobs that have references, with hashes above after, in
	// order.
	ReferredBlobs(ctx context.Context, after string, limit int) ([]domain.Blob, error)
	// DropBlobs deletes at most limit blobs without references that were added before a time, and
	// records their objects for deletion.
	DropBlobs(ctx context.Context, before time.Time, limit int) (dropped int, err error)
	// DroppedObjects returns the names of at most limit objects that are recorded for deletion.
	DroppedObjects(ctx context.Context, limit int) ([]string, error)
	// DeleteObjectRecords deletes the records of objects that have been deleted.
	DeleteObjectRecords(ctx context.Context, names []string) error
	// KnownObjects returns those of names that belong to a blob or are recorded for deletion.
	KnownObjects(ctx context.Context, names []string) (map[string]bool, error)
}

// Deps are the dependencies of a Service.
type Deps struct {
	Objects Objects
	Rows    Rows
	// Temp is the folder for uploads in progress. For objects on disk it must be on the same file
	// system.
	Temp string
	// Full returns an error while the disk is nearly full; nil: no check.
	Full func() error
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

const (
	// grace is how long a file without references is kept. It is longer than any upload takes until
	// a row refers to the file.
	grace        = 24 * time.Hour
	collectEvery = time.Hour
	collectBatch = 500
	sniffLength  = 512
)

// Service stores files.
type Service struct {
	Deps
	recent recent
}

// New returns a service. Run deletes files without references.
func New(d Deps) *Service {
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Full == nil {
		d.Full = func() error { return nil }
	}
	return &Service{Deps: d, recent: recent{rows: make(map[string]domain.Blob)}}
}
