package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// uri names the SQLite file at path, whatever bytes the path has, as in
// https://www.sqlite.org/uri.html: unescaped, # and ? would end it and % would begin an
// escape. It is absolute, so that no name looks like one that SQLite gives a meaning to.
func uri(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path), nil
}

// claimFile makes the SQLite file at path, for the server's own user alone, if there is
// none: SQLite would make it as the umask says. The files that SQLite makes beside it
// have its mode. One that is there is not opened: closing it would end the locks that
// this process has on it.
func claimFile(log *slog.Logger, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		return f.Close()
	}
	if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the database: %w", err)
	}
	Restrict(log, path, path+"-wal", path+"-shm")
	return nil
}

// Restrict takes files away from everybody but their owner, and says so: they hold
// messages, hashes and keys. Files that are not there are left out. Folders stay as
// whoever made them wanted.
func Restrict(log *slog.Logger, paths ...string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !readable(info) {
			continue
		}
		mode := info.Mode().Perm()
		if err := os.Chmod(path, mode&^0o077); err != nil {
			log.Warn("others on this machine can read a file that is not for them; run chmod 600 as its owner",
				"file", path, "mode", mode.String(), "err", err)
			continue
		}
		log.Warn("others on this machine could read this file; now its owner alone can", "file", path, "mode", mode.String())
	}
}
