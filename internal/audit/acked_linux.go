package audit

import (
	"context"
	"errors"
	"net"
	"syscall"
	"time"
	"unsafe"
)

// acknowledged waits until the peer's TCP stack has acknowledged everything that was written to
// conn. It fails if the connection breaks.
func acknowledged(ctx context.Context, conn net.Conn, broken *brokenState) error {
	tcp, ok := conn.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		var queued int32
		var errno syscall.Errno
		err := raw.Control(func(fd uintptr) {
			_, _, errno = syscall.Syscall(syscall.SYS_IOCTL, fd, syscall.TIOCOUTQ, uintptr(unsafe.Pointer(&queued)))
		})
		switch {
		case err != nil:
			return err
		case errno != 0:
			return errno
		case queued == 0:
			return nil
		case !broken.brokenSince().IsZero():
			return errClosed
		}
		if !pause(ctx, wait) {
			return errors.New("it does not acknowledge what it was sent")
		}
	}
}
