package app

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
)

// BackupPlace returns where a server makes backups by itself; nil: it makes none.
func BackupPlace(c config.Backup) (backup.Place, error) {
	switch {
	case c.S3.Enabled():
		return OpenBackupBucket(c.S3)
	case c.Dir != "":
		return backup.Folder(c.Dir), nil
	}
	return nil, nil
}

// OpenBackupBucket returns a bucket of backups. It sends no request.
func OpenBackupBucket(c config.S3) (backup.Bucket, error) {
	s3, err := openS3(c)
	if err != nil {
		return backup.Bucket{}, err
	}
	return backup.Bucket{Objects: backupObjects{s3, c.URL()}, URL: c.URL()}, nil
}

// backupObjects are the objects of a bucket of backups.
type backupObjects struct {
	s3  *blob.S3
	url string
}

// Put implements backup.Objects.
func (o backupObjects) Put(ctx context.Context, name string, r io.Reader) error {
	return o.cause(o.s3.PutStream(ctx, name, r))
}

// Get implements backup.Objects.
func (o backupObjects) Get(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := o.s3.Get(ctx, name, 0, -1)
	return r, o.cause(err)
}

// Delete implements backup.Objects.
func (o backupObjects) Delete(ctx context.Context, name string) error {
	return o.cause(o.s3.Delete(ctx, name))
}

// List implements backup.Objects.
func (o backupObjects) List(ctx context.Context) (all []backup.Stored, err error) {
	err = o.s3.List(ctx, func(object blob.Object) error {
		all = append(all, backup.Stored{Name: object.Name, Size: object.Size})
		return nil
	})
	return all, o.cause(err)
}

// cause says why a bucket is away: its error is for people who look at files, and not for operators.
func (o backupObjects) cause(err error) error {
	var e *domain.Error
	if errors.As(err, &e) && e.Kind == domain.Unavailable && e.Err != nil {
		return fmt.Errorf("the bucket %s: %w", o.url, e.Err)
	}
	return err
}
