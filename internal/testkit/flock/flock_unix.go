//go:build unix

package flock

import (
	"errors"
	"os"
	"syscall"
)

func exclusive(f *os.File) error { return lock(f, syscall.LOCK_EX) }
func shared(f *os.File) error    { return lock(f, syscall.LOCK_SH) }

func tryExclusive(f *os.File) error {
	err := lock(f, syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrHeld
	}
	return err
}

func lock(f *os.File, how int) error {
	for {
		if err := syscall.Flock(int(f.Fd()), how); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}
