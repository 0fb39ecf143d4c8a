package main

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openSerial opens a serial line with 115,200 bauds, 8 data bits and no parity, unchanged by the terminal.
func openSerial(name string) (io.ReadWriteCloser, error) {
	f, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) {
			var t *unix.Termios
			if t, failed = unix.IoctlGetTermios(int(fd), unix.TCGETS); failed != nil {
				return
			}
			t.Iflag, t.Oflag, t.Lflag = 0, 0, 0
			t.Cflag = unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
			t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
			t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
			failed = unix.IoctlSetTermios(int(fd), unix.TCSETS, t)
		})
		if err == nil {
			err = failed
		}
	}
	if errors.Is(err, unix.ENOTTY) {
		err = errors.New("it is no serial line")
	}
	if err != nil {
		_ = f.Close()
		return nil, &os.PathError{Op: "set up serial line", Path: name, Err: err}
	}
	return f, nil
}
