package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
)

const backupText = `backup [flags] <file>

Backs up all data of the server to one file, also while it runs: the database as of
one moment, the files that people sent, and the server's key, without which everyone
would have to sign in again. The file is as secret as the data folder, and readable
by you alone. It is checked before it gets its name. Restore it with unhidra restore.

Files in a bucket (UNHIDRA_S3_URL) are not included: copy the bucket with its own
tools, after the backup. With PostgreSQL (DATABASE_URL), use pg_dump instead, which
includes the files if there is no bucket, and keep a copy of server.key from the data
folder.
`

const restoreText = `restore [flags] <file>

Restores a backup. Stop the server first. Before anything changes, the file is
checked: its checksums, the structure of the database, and whether this version can
read it. An existing database is replaced only with --force. It and existing files
are kept, with the time added to their names. All sessions end, since some may have
been ended after the backup.
`

var errPostgres = errors.New(
	"the data is in PostgreSQL; use pg_dump and pg_restore, and keep server.key of the data folder beside the dump")

func backup(ctx context.Context, e *env, args []string) error {
	fs := e.flags("backup", backupText)
	flags := config.NewFlags(fs, storeFlags("log-level")...)
	words, err := parse(fs, args, "<file>")
	if err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	if c.DatabaseURL != "" {
		return errPostgres
	}
	if _, err := os.Stat(c.Database()); err != nil {
		return fmt.Errorf("there is nothing to back up yet: %w", err)
	}
	path := words[0]
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("%s already exists; choose another name", path)
	}
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: obs.NewLogger(e.stderr, c.LogLevel, c.LogFormat), Tool: true,
		NoMigrate: true})
	if err != nil {
		return err
	}
	defer db.Close()
	// mode 0700, and on the disk that must have room anyway
	dir, err := os.MkdirTemp(filepath.Dir(path), ".unhidra-backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	copied := filepath.Join(dir, databaseEntry)
	if err := db.Backup(ctx, copied); err != nil {
		return err
	}
	archive := filepath.Join(dir, "archive")
	files := map[string]string{databaseEntry: copied}
	if _, err := os.Stat(c.KeyFile()); err == nil && c.ServerKey == "" {
		files[keyEntry] = c.KeyFile()
	}
	if !c.S3.Enabled() {
		if err := addFiles(ctx, c, db, files); err != nil {
			return err
		}
	}
	if err := writeArchive(archive, manifest{Version: version(), Created: time.Now().UTC()}, files); err != nil {
		return err
	}
	check := filepath.Join(dir, "check")
	m, err := unpack(ctx, archive, check)
	if err != nil {
		return fmt.Errorf("the backup failed its check and was not kept: %w", err)
	}
	lost, err := countLost(ctx, check, m)
	if err != nil {
		return err
	}
	if err := os.Rename(archive, path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(e.stdout, "%s: %d bytes, checked.\n", path, info.Size()); err != nil {
		return err
	}
	return e.reportLost(lost, lostHere(c))
}

func restore(ctx context.Context, e *env, args []string) error {
	fs := e.flags("restore", restoreText)
	force := fs.Bool("force", false, "replace the existing database; it is kept under another name")
	flags := config.NewFlags(fs, storeFlags("log-level")...)
	words, err := parse(fs, args, "<file>")
	if err != nil {
		return err
	}
	c, err := e.load(flags)
	if err != nil {
		return err
	}
	if c.DatabaseURL != "" {
		return errPostgres
	}
	if err := os.MkdirAll(filepath.Dir(c.Database()), 0o700); err != nil {
		return err
	}
	unlock, err := app.LockStore(c)
	if err != nil {
		return err
	}
	defer unlock()
	_, err = os.Stat(c.Database())
	exists := err == nil
	if exists && !*force {
		return fmt.Errorf("%s already exists; --force replaces it, and keeps it under another name",
			c.Database())
	}
	dir, err := os.MkdirTemp(filepath.Dir(c.Database()), ".unhidra-restore-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	m, err := unpack(ctx, words[0], dir)
	if err != nil {
		return err
	}
	lost, err := countLost(ctx, dir, m)
	if err != nil {
		return err
	}
	ended, err := endSessions(ctx, filepath.Join(dir, databaseEntry))
	if err != nil {
		return fmt.Errorf("end the sessions of the backup: %w", err)
	}
	if err := e.replace(c, dir, exists); err != nil {
		return err
	}
	if err := e.reportFiles(c, m, lost); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, `Restored the backup of %s (made by version %s).
Its %d sessions and the links in sent mails have ended: everyone has to sign in again.
Accounts, roles, passwords and device keys are as they were then: disable and revoke
again what was disabled or revoked since ("unhidra user list" shows all accounts).
`, m.Created.Format(time.RFC3339), m.Version, ended)
	return err
}

// endSessions ends every session in a database, which may have been ended since the
// backup was made.
func endSessions(ctx context.Context, path string) (int64, error) {
	db, err := all.Open(ctx, store.Options{Path: path, Tool: true})
	if err != nil {
		return 0, err
	}
	ended, err := db.Sessions.EndAllSessions(ctx, "restored", time.Now())
	return ended, errors.Join(err, db.Close())
}

// replace puts the unpacked files in place and moves away what is there: a database
// together with its key, without which nobody could use it again.
func (e *env) replace(c config.Config, dir string, exists bool) error {
	suffix := time.Now().UTC().Format(".20060102T150405Z")
	if exists {
		// What a server that was killed had not yet moved from its log into the
		// file belongs to the file.
		for _, part := range []string{"", "-wal", "-shm"} {
			if err := moveAway(c.Database()+part, c.Database()+suffix+part); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(e.stdout, "The previous database is now %s\n", c.Database()+suffix); err != nil {
			return err
		}
	}
	if err := e.replaceFiles(c.Files(), filepath.Join(dir, "files"), suffix); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, databaseEntry), c.Database()); err != nil {
		return err
	}
	if c.ServerKey != "" {
		return nil
	}
	return e.replaceKey(c.KeyFile(), filepath.Join(dir, keyEntry), suffix)
}

// replaceKey puts the key of the backup at path, if the backup has one, and keeps
// another one that is there.
func (e *env) replaceKey(path, from, suffix string) error {
	key, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	if there, err := os.ReadFile(path); err == nil {
		if bytes.Equal(there, key) {
			return nil
		}
		if err := moveAway(path, path+suffix); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(e.stdout, "The previous server's key is now %s; the previous database needs it\n",
			path+suffix); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, key, 0o600)
}

// moveAway gives a file another name, which nobody but its owner can read it by.
func moveAway(path, to string) error {
	err := os.Rename(path, to)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.Chmod(to, 0o600)
}
