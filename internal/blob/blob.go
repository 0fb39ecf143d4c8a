// Package blob keeps files by their content: pictures, files of rooms, firmware. A file
// is named by its SHA-256, so that the same content is kept once and a name never
// changes its meaning.
//
// The bytes lie as objects on disk or in S3; which object has which content, and who
// refers to it, is in the store. A file that nothing refers to is deleted a day after
// it was last added or let go.
//
// No upload can lose its file to that deletion. Each object has a name of its own,
// which is never used again: when a file is added anew while the old object is being
// deleted, the new one is another object. The order of steps is
//
//	add:     write the object; then the row, unless there is one by now
//	collect: delete the row, noting its object; delete the object; forget the note
//
// so that a crash between two steps leaves an object without a row at most. Check finds
// those; nothing here deletes them, since another server may keep its files there too.
package blob

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Objects keep bytes under names.
type Objects interface {
	// Put keeps the file at path, of size bytes, as the object called name, whole or
	// not at all. It may move the file away.
	Put(ctx context.Context, name, path string, size int64) error
	// Get reads length bytes of an object from offset; a negative length reads to its
	// end. Without that object the error is of kind domain.NotFound.
	Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error)
	// Delete deletes an object. It is no error if there is none.
	Delete(ctx context.Context, name string) error
	// List calls fn for each object, in no order, until fn fails.
	List(ctx context.Context, fn func(Object) error) error
}

// An Object is what List tells.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Rows are what the store knows about blobs.
type Rows interface {
	// AddBlob keeps b, or counts as adding it again if there is a blob of that content:
	// then it returns that one, whose object may be another.
	AddBlob(ctx context.Context, b domain.Blob, now time.Time) (domain.Blob, error)
	// TouchBlob counts as adding a blob again, if it is there.
	TouchBlob(ctx context.Context, hash string, now time.Time) (b domain.Blob, ok bool, err error)
	// Blob returns the blob with a hash.
	Blob(ctx context.Context, hash string) (domain.Blob, error)
	// ReferredBlobs returns at most limit blobs that something refers to, of hashes above
	// after, in their order.
	ReferredBlobs(ctx context.Context, after string, limit int) ([]domain.Blob, error)
	// DropBlobs deletes at most limit rows that nothing refers to and that were added
	// before a time, and notes their objects.
	DropBlobs(ctx context.Context, before time.Time, limit int) (dropped int, err error)
	// DroppedObjects returns the names of at most limit objects that were noted.
	DroppedObjects(ctx context.Context, limit int) ([]string, error)
	// DeleteObjectRecords forgets notes of objects that are deleted.
	DeleteObjectRecords(ctx context.Context, names []string) error
	// KnownObjects returns those of names that a row or a note has.
	KnownObjects(ctx context.Context, names []string) (map[string]bool, error)
}

// Deps are what a Service needs.
type Deps struct {
	Objects Objects
	Rows    Rows
	// Temp is the folder in which files lie while they arrive. For objects on disk it
	// is on the same disk.
	Temp string
	// Full refuses uploads while the disk is nearly full; nil: it never is.
	Full func() error
	Log  *slog.Logger
	Now  func() time.Time // nil: time.Now
}

const (
	// grace is how long a file is kept that nothing refers to: longer than any upload
	// takes from its bytes to the row that refers to it.
	grace        = 24 * time.Hour
	collectEvery = time.Hour
	collectBatch = 500
	sniffLength  = 512
)

// Service keeps blobs.
type Service struct{ Deps }

// New returns a service. Run deletes what nobody needs.
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
	return &Service{d}
}
