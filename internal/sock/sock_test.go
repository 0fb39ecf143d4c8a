//go:build unix

package sock_test

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/unhidra/unhidra/internal/sock"
)

// pair is two connected sockets, the first as its file descriptor.
func pair(t *testing.T) (do func(func(fd uintptr)), peer net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if peer, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	raw, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return func(f func(uintptr)) {
		t.Helper()
		if err := raw.Control(f); err != nil {
			t.Fatal(err)
		}
	}, peer
}

func TestRead(t *testing.T) {
	t.Parallel()
	do, peer := pair(t)
	b := make([]byte, 8)
	read := func(wantN int, wantAgain bool, wantErr error) {
		t.Helper()
		do(func(fd uintptr) {
			if n, again, err := sock.Read(fd, b); n != wantN || again != wantAgain || !errors.Is(err, wantErr) {
				t.Errorf("got %d, %v, %v; want %d, %v, %v", n, again, err, wantN, wantAgain, wantErr)
			}
		})
	}
	read(0, true, nil)
	if _, err := peer.Write([]byte("0123456789")); err != nil {
		t.Fatal(err)
	}
	read(8, false, nil)
	read(2, false, nil)
	ended := func(want bool) {
		t.Helper()
		do(func(fd uintptr) {
			if got := sock.Ended(fd); got != want {
				t.Errorf("that it has ended is %v", got)
			}
		})
	}
	ended(false)
	if _, err := peer.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	ended(false) // there is something to read
	read(1, false, nil)
	ended(true)
	read(0, false, io.EOF)
}

func TestWrite(t *testing.T) {
	t.Parallel()
	do, peer := pair(t)
	b := make([]byte, 1<<24) // more than a socket takes
	var sent int
	do(func(fd uintptr) {
		n, again, err := sock.Write(fd, b)
		if n == 0 || n == len(b) || !again || err != nil {
			t.Errorf("first: got %d, %v, %v", n, again, err)
		}
		sent = n
		if n, again, err := sock.Write(fd, b); n != 0 || !again || err != nil {
			t.Errorf("second: got %d, %v, %v", n, again, err)
		}
	})
	if _, err := io.ReadFull(peer, b[:sent]); err != nil {
		t.Fatal(err)
	}
	peer.Close()
	do(func(fd uintptr) {
		if _, _, err := sock.Write(fd, b[:1]); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("after the end: %v", err)
		}
	})
}
