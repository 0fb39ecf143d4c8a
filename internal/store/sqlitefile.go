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
	"github.com/unhidra/unhidra/internal/store/fileaccess"
)

// fileURI returns the URI of the SQLite file at path (https://www.sqlite.org/uri.html). It
// escapes %, ? and #, and makes the path absolute, so that names with a special meaning for
// SQLite (":memory:") are files as well.
func fileURI(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the data folder: %w", err)
	}
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path), nil
}

// createFile creates the SQLite file at path with mode 0600, if it does not exist: SQLite would
// apply the umask. SQLite gives the WAL and the shared memory file the same mode. An existing
// file is not opened, because closing it would release the locks of this process on it.
func createFile(log *slog.Logger, path string) error {
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

// Restrict removes the permissions of group and others from files, and logs each change: the
// files hold messages, hashes and keys. It skips files that do not exist, and does not change
// folders.
func Restrict(log *slog.Logger, paths ...string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil || !fileaccess.ByOthers(info) {
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

// A fileGuard detects that the files of a SQLite database were removed or replaced while the
// server runs. The server would otherwise go on writing to files that the next start does not
// find. A check costs two system calls, some microseconds.
type fileGuard struct {
	log     *slog.Logger
	path    string
	walPath string
	main    fileID
	wal     fileID // as the writer's connection opened it
	walSeen bool
	gone    atomic.Bool // result of the writer's last check
}

func guardFile(log *slog.Logger, path string) (*fileGuard, error) {
	main, err := identify(path)
	return &fileGuard{log: log, path: path, walPath: path + "-wal", main: main}, err
}

// present fails if the database's file was removed or replaced, or if the writer's last check
// failed.
func (g *fileGuard) present() error {
	if g.gone.Load() {
		return errFileLost(g.path)
	}
	return g.same()
}

func (g *fileGuard) same() error {
	if now, err := identify(g.path); err != nil || !now.same(g.main) {
		return errFileLost(g.path)
	}
	return nil
}

// check fails if the database's file or its WAL was removed or replaced. Only the writer calls
// it: after each commit, and before a transaction unless intact.
func (g *fileGuard) check() error {
	err := g.same()
	wal, missing := identify(g.walPath)
	switch {
	case err != nil:
	case !g.walSeen:
		g.wal, g.walSeen = wal, missing == nil
	case missing != nil || !wal.same(g.wal):
		err = errFileLost(g.walPath)
	}
	if gone := err != nil; g.gone.Swap(gone) != gone {
		if gone {
			g.log.Error("a file of the database was removed or replaced under the running server; nothing is accepted until "+
				"it is back", "err", err)
		} else {
			g.log.Info("the files of the database are back")
		}
	}
	return err
}

// intact reports whether the writer's last check passed, on the connection it still has. If so,
// the next transaction begins without a check of its own: should a file be gone by then, the
// check after its commit refuses it, and those that follow do not begin.
func (g *fileGuard) intact() bool { return g.walSeen && !g.gone.Load() }

// reopened tells the guard that the writer has a new connection, which may have created a new
// WAL.
func (g *fileGuard) reopened() { g.walSeen = false }

func errFileLost(path string) error {
	return domain.Unavailable.Errorf(domain.CodeStoreLost,
		"the server's database is gone from its disk; nothing is accepted until an operator has put it back").
		After(retryFileLost).Because(fmt.Errorf("%s is missing, or another file than the server opened", path))
}

const retryFileLost = 30 * time.Second
