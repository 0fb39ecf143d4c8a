package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

const blobsAtOnce = 1000

// A lister lists at most limit blobs of hashes above after.
type lister func(ctx context.Context, after string, limit int) ([]domain.Blob, error)

// eachBlob calls fn for all blobs that list lists.
func eachBlob(ctx context.Context, list lister, fn func(domain.Blob)) error {
	after := ""
	for {
		page, err := list(ctx, after, blobsAtOnce)
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

// addFiles adds the files of the server to those of a backup whose copy of the database
// is made: one that the copy refers to stays for a day at least.
func addFiles(ctx context.Context, c config.Config, db *all.Store, files map[string]string) error {
	return eachBlob(ctx, db.Blobs.Blobs, func(b domain.Blob) {
		source := filepath.Join(c.Files(), filepath.FromSlash(b.Object))
		if info, err := os.Stat(source); err == nil && info.Mode().IsRegular() {
			files[filesEntry+b.Object] = source
		}
	})
}

// countLost opens the unpacked database in dir, and counts the files that it refers to and
// that the backup does not have as they were.
func countLost(ctx context.Context, dir string, m manifest) (lost int, err error) {
	db, err := all.Open(ctx, store.Options{Path: filepath.Join(dir, databaseEntry), Tool: true})
	if err != nil {
		return 0, err
	}
	err = eachBlob(ctx, db.Blobs.ReferredBlobs, func(b domain.Blob) {
		if m.SHA256[filesEntry+b.Object] != b.Hash {
			lost++
		}
	})
	return lost, errors.Join(err, db.Close())
}

// reportLost says that files are not in a backup.
func (e *env) reportLost(lost int, where string) error {
	if lost == 0 {
		return nil
	}
	_, err := fmt.Fprintf(e.stdout, "%d files that the database refers to are not in the backup. %s\n", lost, where)
	return err
}

// lostHere says where files are that are not in a backup that is made.
func lostHere(c config.Config) string {
	if c.S3.Enabled() {
		return "They are in the bucket of UNHIDRA_S3_URL, which you copy with its own tools."
	}
	return "They are missing or damaged on this machine's disk; run unhidra doctor for details."
}

// reportFiles says what is to be done with the files of a backup that was put in place.
func (e *env) reportFiles(c config.Config, m manifest, lost int) error {
	const where = "They were in a bucket (UNHIDRA_S3_URL), or were missing when it was made."
	if err := e.reportLost(lost, where); err != nil {
		return err
	}
	if m.Format < format || !c.S3.Enabled() {
		return nil
	}
	_, err := fmt.Fprintf(e.stdout, "Copy what is in %s to the bucket of UNHIDRA_S3_URL, under the same names.\n",
		c.Files())
	return err
}

// replaceFiles puts the files of the backup in place, and keeps those that are there.
func (e *env) replaceFiles(to, from, suffix string) error {
	if entries, err := os.ReadDir(to); err == nil && len(entries) > 0 {
		if err := os.Rename(to, to+suffix); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(e.stdout, "The previous files are now in %s\n", to+suffix); err != nil {
			return err
		}
	}
	if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	if err := os.Rename(from, to); err == nil {
		return nil
	}
	return os.CopyFS(to, os.DirFS(from)) // the database is on another disk than the data folder
}
