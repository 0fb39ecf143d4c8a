package main

import (
	"context"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The service manager is notified when the server is ready and when it stops.
func TestSupervised(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	hear := func(want string) {
		t.Helper()
		_ = l.SetReadDeadline(time.Now().Add(2 * time.Minute))
		b := make([]byte, 1024)
		n, err := l.Read(b)
		if err != nil || !strings.HasPrefix(string(b[:n]), want+"\nSTATUS=") {
			t.Errorf("heard %q, %v; want %s", b[:n], err, want)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		e := &env{stdout: io.Discard, stderr: io.Discard,
			environ: []string{"NOTIFY_SOCKET=" + socket, "UNHIDRA_DATA_DIR=" + t.TempDir(),
				"GATEWAY_PORT=0", "UNHIDRA_BIND_ADDR=127.0.0.1", "UNHIDRA_OPERATOR_ADDR=off", "UNHIDRA_DRAIN=0s"}}
		done <- run(ctx, e, []string{"serve"})
	}()
	hear("READY=1")
	stop()
	hear("STOPPING=1")
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d", code)
	}
}
