// Package backup writes everything that a server with SQLite keeps to one stream: the
// database as it was at one moment, what devices measured up to a moment later, the files that it
// refers to, and the server's key. It reads such a stream back, checks it, and makes one regularly.
//
// A backup is a tar archive: a manifest, the files that it lists, and a seal, which is the
// SHA-256 of all bytes before it. It may be encrypted as a whole by age
// (https://age-encryption.org/v1). Format 3 had no readings, format 2 no seal, format 1 no files.
package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// Names in an archive, and of what Unpack writes.
const (
	Database = "unhidra.db"
	Readings = "readings.db"
	Key      = "server.key"
	Files    = "files"

	manifestEntry = "manifest.json"
	sealEntry     = "seal"
	filesPrefix   = Files + "/" // before the name of an object
)

const (
	formatFiles    = 2
	formatReadings = 4
	format         = formatReadings
)

// A Manifest says what a backup has.
type Manifest struct {
	Format  int               `json:"format"`
	Version string            `json:"version"` // of the program that wrote it
	Created time.Time         `json:"created"`
	SHA256  map[string]string `json:"sha256"` // of each file
	// Contents are what the database had when the backup was made. nil: format 2 or older.
	Contents *domain.StoreContents `json:"contents,omitempty"`
	// Missing is how many files the database referred to that the server did not have.
	Missing int `json:"missing,omitempty"`
	// Bucket says that files are in a bucket, and not in the backup.
	Bucket bool `json:"bucket,omitempty"`
}

// HasFiles reports whether files may be in a backup of this format.
func (m Manifest) HasFiles() bool { return m.Format >= formatFiles && !m.Bucket }

// A Copy is the open database of a backup, which nobody else uses.
type Copy interface {
	// Check looks for damage: the database's own structure, and gaps in the logs of rooms.
	Check(ctx context.Context) error
	// Contents counts what is in the database.
	Contents(ctx context.Context) (domain.StoreContents, error)
	// DropUnreferredBlobs deletes the blobs that nothing refers to from the database.
	DropUnreferredBlobs(ctx context.Context) error
	// ReferredBlobs lists at most limit of the other blobs, of hashes above after, in their order.
	ReferredBlobs(ctx context.Context, after string, limit int) ([]domain.Blob, error)
	Close() error
}

// An Opener opens what a backup has, and brings it to the schema of this program.
type Opener struct {
	Database func(ctx context.Context, path string) (Copy, error)
	// Readings looks for damage in a file of what devices measured.
	Readings func(ctx context.Context, path string) error
}

// A Report is what was found in a backup that is good.
type Report struct {
	Manifest
	Bytes     int64 // of the backup
	Encrypted bool
	Has       domain.StoreContents
	Objects   int // files of people that are in it
	// Lost is how many files the database refers to that are not in the backup, or not as
	// they were.
	Lost int
}

const blobsAtOnce = 1000

// eachBlob calls fn for all blobs that something refers to.
func eachBlob(ctx context.Context, db Copy, fn func(domain.Blob)) error {
	after := ""
	for {
		page, err := db.ReferredBlobs(ctx, after, blobsAtOnce)
		if err != nil {
			return err
		}
		for _, b := range page {
			fn(b)
			after = b.Hash
		}
		if len(page) < blobsAtOnce {
			return nil
		}
	}
}

// countLost counts the files that a database refers to and that m does not have as they were.
func countLost(ctx context.Context, db Copy, m Manifest) (lost int, err error) {
	err = eachBlob(ctx, db, func(b domain.Blob) {
		if m.SHA256[filesPrefix+b.Object] != b.Hash {
			lost++
		}
	})
	return lost, err
}

// check looks through the unpacked database at path, and compares it with the manifest.
func (r *Report) check(ctx context.Context, path string, open Opener) (err error) {
	db, err := open.Database(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Check(ctx); err != nil {
		return err
	}
	if r.Has, err = db.Contents(ctx); err != nil {
		return err
	}
	if r.Lost, err = countLost(ctx, db, r.Manifest); err != nil {
		return err
	}
	if r.Contents == nil {
		return nil
	}
	if r.Lost > r.Missing && !r.Bucket {
		return fmt.Errorf("files that it refers to and that the backup does not have as they were: %d", r.Lost-r.Missing)
	}
	return compare(*r.Contents, r.Has)
}

// compare says where a database differs from what it had when the backup was made.
func compare(want, has domain.StoreContents) error {
	counts := []struct {
		of        string
		want, has int64
	}{
		{"accounts", want.Users, has.Users}, {"devices", want.Devices, has.Devices},
		{"rooms", int64(len(want.Heads)), int64(len(has.Heads))}, {"events", want.Events, has.Events},
	}
	for _, c := range counts {
		if c.want != c.has {
			return fmt.Errorf("%s: it has %d, and had %d when the backup was made", c.of, c.has, c.want)
		}
	}
	for _, room := range slices.Sorted(maps.Keys(want.Heads)) {
		if has.Heads[room] != want.Heads[room] {
			return fmt.Errorf("the log of room %s ends at %d, and ended at %d when the backup was made",
				room, has.Heads[room], want.Heads[room])
		}
	}
	return nil
}
