// Package flock has the processes of a test run wait for each other: what one of them
// makes, such as a server or a program, the others use. The system lets go of a lock
// when its process ends, however it ends.
package flock

import (
	"errors"
	"os"
)

// ErrHeld says that another process holds a lock that TryExclusive asked for.
var ErrHeld = errors.New("the lock is held")

// Exclusive waits until it alone holds the lock of the file at path, which it makes.
// Closing the file lets go of it. The file stays: who removed it would let two hold a
// lock of one name.
func Exclusive(path string) (*os.File, error) { return open(path, exclusive) }

// Shared waits until nobody holds the lock exclusively.
func Shared(path string) (*os.File, error) { return open(path, shared) }

// TryExclusive is Exclusive, but fails with ErrHeld where it would wait.
func TryExclusive(path string) (*os.File, error) { return open(path, tryExclusive) }

func open(path string, lock func(*os.File) error) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
