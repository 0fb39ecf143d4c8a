//go:build !unix

package fileaccess

import (
	"fmt"
	"io/fs"
	"os"
)

// Lock takes the lock that only one server may hold. Without flock, the
// file's existence is the lock: it must be removed by hand after a crash.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("another Unhidra server is using this database, or crashed; if none runs, remove %s: %w", path,
			err)
	}
	return func() { _ = f.Close(); _ = os.Remove(path) }, nil
}

// ByOthers cannot be told by the mode of a file here.
func ByOthers(fs.FileInfo) bool { return false }

// Check does nothing: opening the file tells.
func Check(string) error { return nil }

// Denied says that this process may not use the file at path, and what to do about it.
func Denied(path string, cause error) error {
	return fmt.Errorf("this user may not use %s; give it to the one that the server runs as: %w", path, cause)
}
