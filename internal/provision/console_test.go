package provision

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// said is a device on a line that answers each line by lines.
func said(t *testing.T, answers ...string) (line io.ReadWriteCloser, told chan string) {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = here.Close(); _ = there.Close() })
	told = make(chan string, 1)
	go func() {
		text, err := bufio.NewReader(there).ReadString('\n')
		if err != nil {
			return
		}
		told <- text
		for _, a := range answers {
			_, _ = io.WriteString(there, a+"\r\n")
		}
	}()
	return here, told
}

// A device on a cable is told all in one line, whatever it logs meanwhile.
func TestConsole(t *testing.T) {
	t.Parallel()
	to := Target{SSID: "Home", Password: `p"w`, Claim: &Claim{Server: "wss://a:443", Token: "dc_x"}}
	line, told := said(t, "boot", `{"heap":1}`, "{not JSON", `{"ok":true}`)
	if err := Console(t.Context(), line, to); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != `{"ssid":"Home","password":"p\"w","server":"wss://a:443","claim":"dc_x"}`+"\n" {
		t.Errorf("it was told %s", got)
	}
	line, told = said(t, `{"ok":true}`)
	if err := Console(t.Context(), line, Target{SSID: "Home"}); err != nil {
		t.Fatal(err)
	}
	if got := <-told; got != `{"ssid":"Home"}`+"\n" {
		t.Errorf("it was told %s", got)
	}
}

// What the device refuses, what is too long, and a line on which nothing answers are said.
func TestConsoleFails(t *testing.T) {
	t.Parallel()
	line, _ := said(t, `{"ok":false,"error":"it is not there"}`)
	if err := Console(t.Context(), line, Target{SSID: "Home"}); err == nil || !strings.Contains(err.Error(), "not there") {
		t.Error(err)
	}
	if err := Console(t.Context(), nil, Target{SSID: strings.Repeat("x", 33)}); err == nil {
		t.Error("a name of 33 bytes was sent")
	}
	big := &Claim{Server: "wss://a:443", Token: "dc_x", CA: strings.Repeat("x", 5000)}
	if err := Console(t.Context(), nil, Target{Claim: big}); err == nil || !strings.Contains(err.Error(), "fewer") {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, io.ErrNoProgress)
	defer cancel()
	line, _ = said(t)
	if err := Console(ctx, line, Target{SSID: "Home"}); !errors.Is(err, io.ErrNoProgress) || !errors.Is(err, errSilent) {
		t.Error(err)
	}
}
