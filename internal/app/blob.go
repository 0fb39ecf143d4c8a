package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/blobs"
)

// OpenObjects opens where c says that files are: in a bucket, on the disk beside SQLite, or
// in PostgreSQL, which all nodes reach.
func OpenObjects(ctx context.Context, c config.Config, db *all.Store, log *slog.Logger) (blob.Objects, error) {
	switch {
	case c.S3.Enabled():
		s3, err := openS3(c.S3)
		if err != nil {
			return nil, fmt.Errorf("UNHIDRA_S3_URL: %w", err)
		}
		return s3, checkBucket(ctx, s3, log)
	case c.DatabaseURL != "":
		return blobs.NewObjects(db.DB), nil
	}
	disk, err := blob.OpenDisk(c.Files())
	if err != nil {
		return nil, fmt.Errorf("make the folder of files: %w", err)
	}
	return disk, nil
}

func openS3(c config.S3) (*blob.S3, error) {
	return blob.NewS3(blob.S3Options{
		Endpoint: c.Endpoint, Bucket: c.Bucket, Prefix: c.Prefix, Region: c.Region, Key: c.Key, Secret: c.Secret.Reveal(),
	})
}

const bucketTimeout = 10 * time.Second

// checkBucket refuses a bucket that is not there. A service that is away is no reason to
// have no server: only files are missing meanwhile.
func checkBucket(ctx context.Context, s3 *blob.S3, log *slog.Logger) error {
	ctx, cancel := context.WithTimeout(ctx, bucketTimeout)
	defer cancel()
	err := s3.Check(ctx)
	switch {
	case err == nil:
		return nil
	case domain.KindOf(err) == domain.Unavailable, errors.Is(err, context.DeadlineExceeded):
		log.WarnContext(ctx, "the storage of files does not answer; going on without them", "err", err)
		return nil
	}
	return fmt.Errorf("UNHIDRA_S3_URL: %w", err)
}

// OpenFiles opens the files that the server keeps.
func OpenFiles(
	ctx context.Context, c config.Config, db *all.Store, full func() error, log *slog.Logger,
) (*blob.Service, error) {
	objects, err := OpenObjects(ctx, c, db, log)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Incoming(), 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of files that arrive: %w", err)
	}
	return blob.New(blob.Deps{Objects: objects, Rows: db.Blobs, Temp: c.Incoming(), Full: full, Log: log}), nil
}

// buildFiles opens the files, and deletes what nobody needs in the background.
func (s *server) buildFiles(ctx context.Context) (err error) {
	if s.files, err = OpenFiles(ctx, s.Config, s.db, s.reserve.Full, s.logs.Part("blob")); err != nil {
		return err
	}
	s.files.Objects = blob.Measured(s.files.Objects, s.reg)
	if s.Config.Works() {
		s.run("files", s.files.Run)
	}
	return nil
}
