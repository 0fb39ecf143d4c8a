package app

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/disk"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/readings"
)

// BackupSource is what a backup of the SQLite server that c describes is made of.
// repo is what devices measured; nil: nothing was ever stored.
func BackupSource(c config.Config, db *all.Store, repo *readings.Repository, version string) backup.Source {
	dir := filepath.Dir(c.Database())
	s := backup.Source{Open: BackupOpener(), Scratch: dir, Version: version}
	s.Copy = func(ctx context.Context, path string) error {
		if err := roomToCopy(ctx, c, dir, db.DB); err != nil {
			return err
		}
		return db.Backup(ctx, path)
	}
	if repo != nil {
		s.Readings = func(ctx context.Context, path string) error {
			if err := roomToCopy(ctx, c, dir, repo.DB()); err != nil {
				return err
			}
			return repo.DB().Backup(ctx, path)
		}
	}
	if !c.S3.Enabled() {
		s.Files = c.Files()
	}
	if c.ServerKey == "" {
		s.Key = c.KeyFile()
	}
	return s
}

// BackupOpener opens what a backup has.
func BackupOpener() backup.Opener {
	return backup.Opener{Database: openBackup, Readings: readings.Check}
}

func openBackup(ctx context.Context, path string) (backup.Copy, error) {
	db, err := all.Open(ctx, store.Options{Path: path, Tool: true})
	if err != nil {
		return nil, err
	}
	return backupCopy{db}, nil
}

type backupCopy struct{ *all.Store }

func (c backupCopy) DropUnreferredBlobs(ctx context.Context) error {
	const atOnce = 1000
	for {
		dropped, err := c.Blobs.DropBlobs(ctx, time.UnixMilli(math.MaxInt64), atOnce)
		if err != nil || dropped < atOnce {
			return err
		}
	}
}

func (c backupCopy) ReferredBlobs(ctx context.Context, after string, limit int) ([]domain.Blob, error) {
	return c.Blobs.ReferredBlobs(ctx, after, limit)
}

// roomToCopy fails if a copy of the database in dir would leave too little room for messages.
func roomToCopy(ctx context.Context, c config.Config, dir string, db *store.DB) error {
	has, err := db.Usage(ctx)
	if err != nil {
		return err
	}
	u, err := disk.Use(dir)
	if err != nil {
		return nil //nolint:nilerr // this system does not tell: the copy will show
	}
	if needs := uint64(has.Bytes) + uint64(c.DiskReserve)<<20; u.Free < needs {
		return fmt.Errorf("a backup needs room for a copy of the database beside it: "+
			"%s must be free on the disk of %s, and %s are", disk.Size(needs), dir, disk.Size(u.Free))
	}
	return nil
}

// buildBackup makes the service that backs a server with SQLite up, if it is told where to.
func (s *server) buildBackup() error {
	c := s.Config.Backup
	if !s.Config.Works() {
		return nil
	}
	place, err := BackupPlace(c)
	if err != nil {
		return err
	}
	d := backup.Deps{
		Source: BackupSource(s.Config, s.db, s.readings, s.Version), Place: place, Every: c.Every, Keep: c.Keep,
		Log: s.logs.Part("backup"), Metrics: s.reg,
	}
	if c.Recipient != "" {
		if d.Recipient, err = backup.ParseRecipient(c.Recipient); err != nil {
			return fmt.Errorf("UNHIDRA_BACKUP_RECIPIENT %w", err)
		}
	} else if c.S3.Enabled() {
		s.logs.Part("backup").Warn("backups go to a bucket as they are: whoever reads it has all data and the server's key; " +
			"set UNHIDRA_BACKUP_RECIPIENT to encrypt them")
	}
	s.modules.backup = backup.New(d)
	if place != nil {
		s.run("backup", s.modules.backup.Run)
	}
	return nil
}
