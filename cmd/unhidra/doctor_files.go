package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store/all"
)

// blobs checks that files can be stored, and that those in the database exist.
func (d *diagnosis) blobs(ctx context.Context, c config.Config, db *all.Store) {
	where := "the table blob_data"
	switch {
	case c.S3.Enabled():
		where = "the bucket " + c.S3.Bucket
	case c.DatabaseURL == "":
		where = c.Files()
		if !d.filesFolder(ctx, where, db) {
			return
		}
	}
	log := obs.NewLogger(d.w, "error", "text")
	objects, err := app.OpenObjects(ctx, c, db, log)
	if err != nil {
		d.fail("files", "%v", err)
		return
	}
	report, err := blob.New(blob.Deps{Objects: objects, Rows: db.Blobs, Log: log}).Check(ctx)
	if err != nil {
		d.fail("files", "cannot look at %s; nobody can send or see files meanwhile: %v", where, err)
		return
	}
	if n := len(report.Missing); n > 0 {
		d.fail("files", "missing in %s: %s that the database has, such as %s; put what is missing back from a backup, "+
			"or have the owners send it again", where, count(n, "file"), report.Missing[0].Object)
	}
	if n := len(report.Orphans); n > 0 {
		d.warn("files", "superfluous in %s: %s that no row of this database names; a crash left them, or another server "+
			"keeps its files there; if no other does, delete them, since they only take room: %s",
			where, count(n, "object"), names(report.Orphans))
	}
	if len(report.Missing) == 0 {
		d.ok("files", "%d in %s, %s", report.Objects, where, disk.Size(report.Bytes))
	}
}

// names returns the names of some of objects.
func names(objects []blob.Object) string {
	const most = 10
	var b strings.Builder
	for i, o := range objects[:min(len(objects), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(o.Name)
	}
	if left := len(objects) - most; left > 0 {
		fmt.Fprintf(&b, ", and %d more", left)
	}
	return b.String()
}

// filesFolder reports whether the folder of files exists. It is created at the first start.
func (d *diagnosis) filesFolder(ctx context.Context, dir string, db *all.Store) bool {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		switch has, err := db.Blobs.ReferredBlobs(ctx, "", 1); {
		case err != nil:
			d.fail("files", "%v", err)
		case len(has) > 0:
			d.fail("files", "%s is not there, and the database has files; put it back, mount its disk, or restore a backup", dir)
		default:
			d.ok("files", "%s is created at the next start", dir)
		}
		return false
	}
	f, err := os.CreateTemp(dir, ".doctor-*.tmp")
	if err != nil {
		d.fail("files", "cannot write in %s; give it to the user that the server runs as: %v", dir, err)
		return false
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return true
}

// readings checks the file of what devices measured, beside a SQLite database.
func (d *diagnosis) readings(ctx context.Context, c config.Config, db *all.Store) {
	if c.DatabaseURL != "" {
		return
	}
	repo, err := openReadings(ctx, c, db, obs.NewLogger(d.w, "error", "text"))
	switch {
	case err != nil:
		d.fail("readings", "%v", err)
		return
	case repo == nil:
		d.ok("readings", "%s is created at the next start", c.ReadingsFile())
		return
	}
	defer func() { _ = repo.End() }() // nothing was written
	if err := repo.Verify(ctx); err != nil {
		d.fail("readings", "%v", err)
		return
	}
	d.ok("readings", "%s is intact and up to date", c.ReadingsFile())
}
