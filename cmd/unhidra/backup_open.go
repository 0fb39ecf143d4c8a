package main

import (
	"context"
	"io"
	"os"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
)

// openBackup opens the backup at a path or URL, or the standard input, and reads the secret keys in
// the file identity, if that is not empty. It returns what messages call the backup.
func (e *env) openBackup(
	ctx context.Context, c config.Config, path, identity string,
) (r io.ReadCloser, name string, keys []age.Identity, err error) {
	if identity != "" {
		if keys, err = backup.ReadIdentities(identity); err != nil {
			return nil, "", nil, err
		}
	}
	switch {
	case path == stdio:
		return io.NopCloser(e.stdin), "the backup", keys, nil
	case config.IsURL(path):
		b, name, err := bucketOf(c, path)
		if err != nil {
			return nil, "", nil, err
		}
		r, name, err = b.Open(ctx, name)
		return r, b.Path(name), keys, err
	}
	r, err = os.Open(path)
	return r, path, keys, err
}

// bucketOf opens the bucket of the backup at a URL, and returns its name there.
func bucketOf(c config.Config, url string) (b backup.Bucket, name string, err error) {
	at, name, err := c.BackupAt(url)
	if err != nil {
		return b, "", usagef("%v", err)
	}
	b, err = app.OpenBackupBucket(at)
	return b, name, err
}

// writeToBucket writes a backup to the object at a URL.
func writeToBucket(
	ctx context.Context, c config.Config, s backup.Source, url string, to age.Recipient,
) (backup.Report, error) {
	b, name, err := bucketOf(c, url)
	if err != nil {
		return backup.Report{}, err
	}
	if name == "" {
		return backup.Report{}, usagef("%s ends with a slash; give the backup a name", url)
	}
	return b.Write(ctx, s, name, to)
}
