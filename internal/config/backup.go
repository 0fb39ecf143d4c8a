package config

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Backup says where the server writes backups of itself, and how often: to a folder, to a bucket, or
// not at all.
type Backup struct {
	Dir       string
	S3        S3 // its key and secret may be set without a bucket, for commands
	Every     time.Duration
	Keep      int    // how many are kept
	Recipient string // public key of age; empty: they are not encrypted
}

// on reports whether the server makes backups.
func (b Backup) on() bool { return b.Dir != "" || b.S3.Enabled() }

// complete checks what the settings say together with the database and the bucket of files, whose
// key counts for backups on the same service if they have no other.
func (b *Backup) complete(postgres bool, files S3) (err error) {
	switch {
	case b.on() && postgres:
		return errors.New("UNHIDRA_BACKUP is for SQLite; back PostgreSQL up by its own means, " +
			"which docs/operations.md describes, and leave it out")
	case !b.on() && b.Recipient != "":
		return errors.New("UNHIDRA_BACKUP_RECIPIENT is of no backup: set UNHIDRA_BACKUP")
	case !b.S3.Enabled():
		return nil
	case files.Enabled() && (b.S3.URL() == files.URL() || strings.HasPrefix(b.S3.URL(), files.URL()+"/")):
		return errors.New("UNHIDRA_BACKUP is within UNHIDRA_S3_URL, where backups would be taken for files; " +
			"name another bucket, or give both a prefix")
	}
	b.S3, err = b.S3.withKeyOf(b.S3, files)
	return err
}

// withKeyOf returns s with the key of backups, or else with that of files if it is on their service.
func (s S3) withKeyOf(backups, files S3) (S3, error) {
	s.Region, s.Key, s.Secret = backups.Region, backups.Key, backups.Secret
	if s.Key == "" && s.Secret == "" && s.Endpoint == files.Endpoint {
		s.Region, s.Key, s.Secret = files.Region, files.Key, files.Secret
	}
	if s.Key == "" || s.Secret == "" {
		return s, fmt.Errorf("%s needs UNHIDRA_BACKUP_S3_KEY and UNHIDRA_BACKUP_S3_SECRET, "+
			"which the service gives", s.URL())
	}
	return s, nil
}

// IsURL reports whether a backup, or where to write backups, is named by a URL and not by a path.
func IsURL(name string) bool { return strings.Contains(name, "://") }

// BackupAt returns the bucket of the backup at a URL, and its name there. If the URL ends with a
// slash, the name is empty.
func (c Config) BackupAt(url string) (s S3, name string, err error) {
	if err := bucket(&s)(url); err != nil {
		return s, "", fmt.Errorf("the backup's URL %w", err) // without it: it may have a password
	}
	if !strings.HasSuffix(url, "/") {
		name = path.Base("/" + s.Prefix)
		s.Prefix = strings.TrimSuffix(strings.TrimSuffix(s.Prefix, name), "/")
		if name == "/" {
			return s, "", fmt.Errorf("%s names a bucket, and no backup in it; "+
				"with a slash at the end, the newest is meant", url)
		}
	}
	s, err = s.withKeyOf(c.Backup.S3, c.S3)
	return s, name, err
}

// place reads a folder or the URL of a bucket.
func place(b *Backup) func(string) error {
	return func(s string) error {
		if IsURL(s) {
			return bucket(&b.S3)(s)
		}
		b.Dir = s
		return nil
	}
}
