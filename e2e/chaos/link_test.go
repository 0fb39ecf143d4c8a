package chaos

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// echo sends its name, and then back every byte that it receives.
func echo(t *testing.T, name string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.WriteString(c, name); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func dial(t *testing.T, k *Link) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", k.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// hears returns the next byte, or "" if none comes in time.
func hears(c net.Conn, within time.Duration) string {
	b := make([]byte, 1)
	_ = c.SetReadDeadline(time.Now().Add(within))
	n, _ := c.Read(b)
	return string(b[:n])
}

const (
	soon = 50 * time.Millisecond // for what must not come
	long = 20 * time.Second      // for what must
)

func link(t *testing.T, targets ...string) *Link {
	t.Helper()
	k, err := NewLink(targets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

func TestLinkStallsAndGoesOn(t *testing.T) {
	k := link(t, echo(t, "a"))
	c := dial(t, k)
	if got := hears(c, long); got != "a" {
		t.Fatalf("heard %q", got)
	}
	k.Set(stalled)
	_, _ = c.Write([]byte("x"))
	if got := hears(c, soon); got != "" {
		t.Fatalf("a stalled link passed %q", got)
	}
	late := dial(t, k)
	if got := hears(late, soon); got != "" {
		t.Fatalf("a stalled link let a new connection hear %q", got)
	}
	k.Set(open)
	if got := hears(c, long) + hears(late, long); got != "xa" {
		t.Errorf("after the stall: %q", got)
	}
}

func TestLinkCutsAndRefuses(t *testing.T) {
	k := link(t, echo(t, "a"))
	c := dial(t, k)
	hears(c, long)
	k.Set(cut)
	_ = c.SetReadDeadline(time.Now().Add(long))
	if _, err := c.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("a cut link keeps its connection: %v", err)
	}
	if late, err := net.Dial("tcp", k.Addr()); err == nil { // it may be reset as early as that
		_ = late.SetReadDeadline(time.Now().Add(long))
		if n, err := late.Read(make([]byte, 1)); n != 0 || isTimeout(err) {
			t.Errorf("a cut link takes a connection: %d, %v", n, err)
		}
		_ = late.Close()
	}
	k.Set(open)
	if got := hears(dial(t, k), long); got != "a" {
		t.Errorf("after the cut: %q", got)
	}
}

func TestLinkMovesAndFindsWhoAnswers(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = gone.Close()
	k := link(t, echo(t, "a"), echo(t, "b"), gone.Addr().String())
	for _, want := range []string{"a", "b", "a"} { // the third leads to nobody, and on
		c := dial(t, k)
		if got := hears(c, long); got != want {
			t.Errorf("led to %q, want %q", got, want)
		}
		k.Move()
		_ = c.SetReadDeadline(time.Now().Add(long))
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Error("a connection outlived the move")
		}
	}
}

func TestLinkIsSlow(t *testing.T) {
	k := link(t, echo(t, "a"))
	c := dial(t, k)
	hears(c, long)
	k.Set(slow)
	start := time.Now()
	if _, err := c.Write(make([]byte, slowBytes)); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(long))
	if _, err := io.ReadFull(c, make([]byte, slowBytes)); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < time.Second/2 {
		t.Errorf("%d bytes took %s", slowBytes, took)
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}
