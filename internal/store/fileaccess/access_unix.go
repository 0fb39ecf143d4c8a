//go:build unix

package fileaccess

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

// Lock takes the exclusive lock of a server. The kernel releases it when the process ends,
// however it ends.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if _, missing := os.Stat(path); errors.Is(err, fs.ErrPermission) && missing == nil {
		return nil, Denied(path, err)
	} else if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("the user that the server runs as may not write in %s; give it the folder (chown), or name "+
			"another by UNHIDRA_DATA_DIR: %w", filepath.Dir(path), err)
	} else if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("another Unhidra server is using this database (%s is locked); stop it first, or use "+
			"PostgreSQL to run several: %w", path, err)
	}
	return func() { _ = f.Close() }, nil
}

// ByOthers reports whether group or others have any permission on a file.
func ByOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// Check fails if this process may not read and write the file at path. It succeeds if
// there is no such file.
func Check(path string) error {
	const readWrite = 4 | 2
	if err := syscall.Access(path, readWrite); errors.Is(err, fs.ErrPermission) {
		return Denied(path, err)
	}
	return nil
}

// Denied returns an error that says who owns the file at path, which this process may not
// use, and how to give it to the server's user. Usually root created it by a command.
func Denied(path string, cause error) error {
	me := userName(os.Geteuid())
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s may not use %s: %w", me, path, cause)
	}
	owner := me
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = userName(int(s.Uid))
	}
	if owner == me {
		return fmt.Errorf("%s may not read and write %s, which is theirs; run: chmod u+rw %s: %w", me, path, path, cause)
	}
	return fmt.Errorf("%s may not use %s, which belongs to %s; run as root: chown -R %s %s: %w", me, path, owner, me,
		filepath.Dir(path), cause)
}

// userName returns the name of the user uid, or the number if it has none.
func userName(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return strconv.Itoa(uid)
}
