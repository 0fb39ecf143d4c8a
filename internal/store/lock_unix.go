//go:build unix

package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes the lock that only one server may hold. The kernel lets go of
// it when the process ends, however it ends.
func lockFile(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrPermission) {
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
