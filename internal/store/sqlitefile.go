package store

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
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

// A fileGuard sees when the files of a SQLite database are removed or replaced under the
// server, which goes on writing to what nobody finds at the next start. It costs two
// calls of stat, a few microseconds.
type fileGuard struct {
	log  *slog.Logger
	path string
	main os.FileInfo
	wal  os.FileInfo // as the writer's connection found it; nil: not seen yet
	gone atomic.Bool // as the writer saw last
}

func guardFile(log *slog.Logger, path string) (*fileGuard, error) {
	main, err := os.Stat(path)
	return &fileGuard{log: log, path: path, main: main}, err
}

// present fails if the database's file is another than it was, or none, or the writer
// saw that its log is gone.
func (g *fileGuard) present() error {
	if g.gone.Load() {
		return lost(g.path)
	}
	return g.same()
}

func (g *fileGuard) same() error {
	if now, err := os.Stat(g.path); err != nil || !os.SameFile(now, g.main) {
		return lost(g.path)
	}
	return nil
}

// check fails like present, and looks after the log beside the file as well. It belongs to the
// writer, which calls it before and after a commit.
func (g *fileGuard) check() error {
	err := g.same()
	wal, missing := os.Stat(g.path + "-wal")
	switch {
	case err != nil:
	case g.wal == nil:
		g.wal = wal
	case missing != nil || !os.SameFile(wal, g.wal):
		err = lost(g.path + "-wal")
	}
	if gone := err != nil; g.gone.Swap(gone) != gone {
		if gone {
			g.log.Error("a file of the database was removed or replaced under the running server; nothing is accepted until it is back", "err", err)
		} else {
			g.log.Info("the files of the database are back")
		}
	}
	return err
}

// reopened says that the writer has a new connection, which may have made a new log.
func (g *fileGuard) reopened() { g.wal = nil }

func lost(path string) error {
	return domain.Unavailable.Errorf("store_lost", "the server's database is gone from its disk; nothing is accepted until an operator has put it back").
		After(retryLost).Because(fmt.Errorf("%s is missing, or another file than the server opened", path))
}

const retryLost = 30 * time.Second
