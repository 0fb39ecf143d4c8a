//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// lockFile takes the lock that only one server may hold. The kernel lets go of
// it when the process ends, however it ends.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if _, missing := os.Stat(path); errors.Is(err, fs.ErrPermission) && missing == nil {
		return nil, Denied(path, err)
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the user that the server runs as may not write in %s; give it the folder (chown), or name another by UNHIDRA_DATA_DIR: %w", filepath.Dir(path), err)
	} else if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another Unhidra server is using this database (%s is locked); stop it first, or use PostgreSQL to run several: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// readable reports whether others than its owner may do something with a file.
func readable(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// denied fails if this process may not read and write the file at path, which may be
// missing.
func denied(path string) error {
	const readWrite = 4 | 2
	if err := syscall.Access(path, readWrite); errors.Is(err, fs.ErrPermission) {
		return Denied(path, err)
	}
	return nil
}

// Denied says of a file that this process may not use whose it is, and how whoever may
// gives it over. It is usually one that a command made that was run by root.
func Denied(path string, cause error) error {
	me := name(os.Geteuid())
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s may not use %s: %w", me, path, cause)
	}
	owner := me
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = name(int(s.Uid))
	}
	if owner == me {
		return fmt.Errorf("%s may not read and write %s, which is theirs; run: chmod u+rw %s: %w", me, path, path, cause)
	}
	return fmt.Errorf("%s may not use %s, which belongs to %s; run as root: chown -R %s %s: %w", me, path, owner, me, filepath.Dir(path), cause)
}

// name is that of a user, or the number.
func name(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
