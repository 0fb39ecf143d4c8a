//go:build unix

package sock

import (
	"io"
	"syscall"
)

// Read reads once what has arrived, into b, which must have room. It reports again if nothing has, and
// io.EOF at the end of the stream.
func Read(fd uintptr, b []byte) (n int, again bool, err error) {
	n, again, err = once(syscall.Read, fd, b)
	if n == 0 && !again && err == nil {
		err = io.EOF
	}
	return n, again, err
}

// Write writes once as much of b as the socket takes. It reports again if that was not all of it.
func Write(fd uintptr, b []byte) (n int, again bool, err error) {
	n, again, err = once(syscall.Write, fd, b)
	return n, again || err == nil && n < len(b), err
}

// Ended reports whether the other side has closed the stream, and all of it was read. It reads nothing.
func Ended(fd uintptr) bool {
	var b [1]byte
	for {
		n, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK)
		if err == syscall.EINTR { //nolint:errorlint // a number, as the system gave it
			continue
		}
		return n == 0 && err == nil
	}
}

// once calls one of the two until no signal interrupts it.
func once(call func(int, []byte) (int, error), fd uintptr, b []byte) (n int, again bool, err error) {
	for {
		n, err = call(int(fd), b)
		if err == syscall.EAGAIN { //nolint:errorlint // a number, as the system gave it; this is a hot path
			return 0, true, nil
		}
		if err != syscall.EINTR { //nolint:errorlint // the same
			return max(n, 0), false, err
		}
	}
}
