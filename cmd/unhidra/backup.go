package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/backup"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/obs"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/store/all"
	"github.com/unhidra/unhidra/internal/store/readings"
)

const backupText = `backup [flags] <file>
       unhidra backup verify [flags] <file>

Backs up all data of the server to one file, also while it runs: the database as of
one moment, the files that people sent, and the server's key, without which everyone
would have to sign in again. The file is as secret as the data folder unless it is
encrypted (--recipient), and readable by you alone. It is checked before it gets its
name. Restore it with unhidra restore.

The file "-" is the standard output. What was written there is complete only if the
exit code is 0. A file may also be an object in an S3-compatible bucket,
https://s3.example.org/bucket/prefix/monday.tar.age, with the access key in
UNHIDRA_BACKUP_S3_KEY and UNHIDRA_BACKUP_S3_SECRET. To verify and to restore, a URL
with a slash at the end means the newest backup there that a server has made.

"backup verify" checks a backup ("-": from the standard input): its checksums, the
structure of the database, the logs of all rooms, the files, and whether it has all
that the server had when it was made. It needs as much room as the database in the
folder for temporary files (TMPDIR), but no server and no data folder.

Files in a bucket (UNHIDRA_S3_URL) are not included: copy the bucket with its own
tools, after the backup. With PostgreSQL (DATABASE_URL), use pg_dump instead, which
includes the files if there is no bucket, and keep a copy of server.key from the data
folder.
`

const restoreText = `restore [flags] <file>

Restores a backup ("-": from the standard input; https://...: from a bucket, as
"unhidra backup --help" says). Stop the server first. Before
anything changes, the backup is checked: its checksums, the structure of the database,
and whether this version can read it. An existing database is replaced only with
--force. It and existing files are kept, with the time added to their names. All
sessions end, since some may have been ended after the backup.
`

var errPostgres = errors.New("the data is in PostgreSQL; use pg_dump and pg_restore, " +
	"and keep server.key of the data folder beside the dump")

func makeBackup(ctx context.Context, e *env, args []string) error {
	fs := e.flags("backup", backupText)
	recipient := fs.String("recipient", "", "encrypt the backup for this public `key` of age (age1...)")
	identity := fs.String("identity", "", identityUsage)
	flags := config.NewFlags(fs, storeFlags("log-level")...)
	words, err := interspersed(fs, args)
	if err != nil {
		return err
	}
	if len(words) > 0 && words[0] == "verify" {
		if err := (action{name: "verify", names: []string{"<file>"}}).check("backup", words[1:]); err != nil {
			return err
		}
		return e.verifyBackup(ctx, flags, words[1], *identity)
	}
	if err := (action{names: []string{"<file>"}}).check("backup", words); err != nil {
		return err
	}
	if words[0] == stdio && terminal(e.stdout) {
		return usagef("a backup cannot be shown on a terminal; write it to a file, or pipe it on: unhidra backup - > file")
	}
	var to age.Recipient
	if *recipient != "" {
		if to, err = backup.ParseRecipient(*recipient); err != nil {
			return usagef("--recipient %v", err)
		}
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
	log := obs.NewLogger(e.stderr, c.Log.Level, c.Log.Format)
	db, err := app.OpenStore(ctx, c, app.StoreOptions{Log: log, Tool: true, NoMigrate: true})
	if err != nil {
		return err
	}
	defer db.Close()
	repo, err := openReadings(ctx, c, db, log)
	if err != nil {
		return err
	}
	if repo != nil {
		defer func() { _ = repo.End() }() // nothing was written
	}
	return e.writeBackup(ctx, c, app.BackupSource(c, db, repo, version()), words[0], to)
}

// openReadings opens what devices measured, beside a server that may run. It returns nil if no server
// of this version has run yet.
func openReadings(ctx context.Context, c config.Config, db *all.Store, log *slog.Logger) (*readings.Repository, error) {
	if _, err := os.Stat(c.ReadingsFile()); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return app.OpenReadings(ctx, db, c, app.StoreOptions{Log: log, Tool: true, NoMigrate: true})
}

// writeBackup writes a backup to the file at path, or to the standard output. It then reports the
// size and what is missing: on the standard error if the backup went to the standard output.
func (e *env) writeBackup(
	ctx context.Context, c config.Config, s backup.Source, path string, to age.Recipient,
) (err error) {
	var r backup.Report
	tell := e.stdout
	switch {
	case path == stdio:
		path, tell = "the backup", e.stderr
		r, err = s.Write(ctx, e.stdout, to)
	case config.IsURL(path):
		r, err = writeToBucket(ctx, c, s, path, to)
	default:
		r, err = s.WriteFile(ctx, path, to)
	}
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(tell, "%s: %d bytes, checked.\n", path, r.Bytes); err != nil {
		return err
	}
	return reportLost(tell, r.Lost, lostHere(c))
}

const (
	stdio         = "-" // instead of a file: the standard input or output
	identityUsage = "open an encrypted backup with the secret key in this `file` of age"
)

// verifyBackup checks a backup, and prints how much is in it.
func (e *env) verifyBackup(ctx context.Context, flags config.Flags, path, identity string) error {
	var c config.Config // which only a bucket needs
	if config.IsURL(path) {
		var err error
		if c, err = e.load(flags); err != nil {
			return err
		}
	}
	in, path, keys, err := e.openBackup(ctx, c, path, identity)
	if err != nil {
		return err
	}
	defer in.Close()
	dir, err := os.MkdirTemp("", "unhidra-verify-") // mode 0700
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := backup.Verify(ctx, in, dir, app.BackupOpener(), keys)
	if err != nil {
		return fmt.Errorf("%s failed its check: %w", path, err)
	}
	encrypted := "not encrypted"
	if r.Encrypted {
		encrypted = "encrypted"
	}
	_, err = fmt.Fprintf(e.stdout, `%s is good.
Made %s by version %s; %d bytes, %s.
%s, %s, %s, %s, %s.
`, path, r.Created.Format(time.RFC3339), r.Version, r.Bytes, encrypted,
		count(r.Has.Users, "account"), count(r.Has.Devices, "device"), count(len(r.Has.Heads), "room"),
		count(r.Has.Events, "event"), count(r.Objects, "file"))
	if err != nil {
		return err
	}
	return reportLost(e.stdout, r.Lost, lostThen(r.Manifest))
}

func restore(ctx context.Context, e *env, args []string) error {
	fs := e.flags("restore", restoreText)
	identity := fs.String("identity", "", identityUsage)
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
	dir, err := makeRestoreDir(c)
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r, err := e.unpack(ctx, c, words[0], *identity, dir)
	if err != nil {
		return err
	}
	ended, err := endSessions(ctx, filepath.Join(dir, backup.Database))
	if err != nil {
		return fmt.Errorf("end the sessions of the backup: %w", err)
	}
	if err := e.replace(c, dir, exists); err != nil {
		return err
	}
	if err := e.reportFiles(c, r); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, `Restored the backup of %s (made by version %s).
Sessions ended: %d. Everyone has to sign in again, and links in sent mails are void.
Accounts, roles, passwords and device keys are as they were then: disable and revoke
again what was disabled or revoked since ("unhidra user list" shows all accounts).
`, r.Created.Format(time.RFC3339), r.Version, ended)
	return err
}

// restoring begins the name of the folder that a backup is unpacked to.
const restoring = ".unhidra-restore-"

// makeRestoreDir makes the folder beside the database that a backup is unpacked to, and deletes
// what a restore left there whose process was killed. The caller has the lock of the store: no
// other restores into this database.
func makeRestoreDir(c config.Config) (dir string, err error) {
	dir = filepath.Join(filepath.Dir(c.Database()), restoring+filepath.Base(c.Database()))
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	return dir, os.Mkdir(dir, 0o700)
}

// unpack writes all that is in a backup to dir, and checks it.
func (e *env) unpack(ctx context.Context, c config.Config, path, identity, dir string) (backup.Report, error) {
	in, path, keys, err := e.openBackup(ctx, c, path, identity)
	if err != nil {
		return backup.Report{}, err
	}
	defer in.Close()
	r, err := backup.Unpack(ctx, in, dir, app.BackupOpener(), keys)
	if err != nil {
		return r, fmt.Errorf("%s cannot be restored: %w", path, err)
	}
	return r, nil
}

// endSessions ends all sessions in the database at path, because some may have been ended after the
// backup. It returns how many it ended.
func endSessions(ctx context.Context, path string) (int64, error) {
	db, err := all.Open(ctx, store.Options{Path: path, Tool: true})
	if err != nil {
		return 0, err
	}
	ended, err := db.Sessions.EndAllSessions(ctx, "restored", time.Now())
	return ended, errors.Join(err, db.Close())
}

// replace moves the existing database, files and server's key away, and puts those in dir in their
// place. A database cannot be used without its own key, so both are kept.
func (e *env) replace(c config.Config, dir string, exists bool) error {
	suffix := time.Now().UTC().Format(".20060102T150405Z")
	if exists {
		// If a server was killed, its write-ahead log has changes that are not in the file yet.
		for _, part := range []string{"", "-wal", "-shm"} {
			if err := moveAway(c.Database()+part, c.Database()+suffix+part); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintf(e.stdout, "The previous database is now %s\n", c.Database()+suffix); err != nil {
			return err
		}
	}
	if err := e.replaceReadings(c.ReadingsFile(), filepath.Join(dir, backup.Readings), suffix); err != nil {
		return err
	}
	if err := e.replaceFiles(c.Files(), filepath.Join(dir, backup.Files), suffix); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(dir, backup.Database), c.Database()); err != nil {
		return err
	}
	if c.ServerKey != "" {
		return nil
	}
	return e.replaceKey(c.KeyFile(), filepath.Join(dir, backup.Key), suffix)
}

// replaceReadings puts the readings of the backup at path. A backup of an older version has none: there
// are none then.
func (e *env) replaceReadings(path, from, suffix string) error {
	for _, part := range []string{"", "-wal", "-shm"} {
		if err := moveAway(path+part, path+suffix+part); err != nil {
			return err
		}
	}
	if err := os.Rename(from, path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// replaceKey puts the backup's key at path, if the backup has one. A different key that is there is
// kept, with suffix added to its name.
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

// moveAway renames a file, and makes it readable only by its owner. It replaces no file.
func moveAway(path, to string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s already exists; wait a second, and try again", to)
	}
	err := os.Rename(path, to)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return os.Chmod(to, 0o600)
}
