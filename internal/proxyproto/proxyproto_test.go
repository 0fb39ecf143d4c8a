package proxyproto

import (
	"bytes"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"
)

func unhex(s string) string {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestRead(t *testing.T) {
	v2 := signature + unhex("21 11 000c cb007107 7f000001 c000 01bb")
	v26 := signature + unhex("21 21 0024 20010db8000000000000000000000001 00000000000000000000000000000001 c000 01bb")
	for in, want := range map[string]string{
		"PROXY TCP4 203.0.113.7 127.0.0.1 49152 443\r\n": "203.0.113.7:49152",
		"PROXY TCP6 2001:db8::1 ::1 49152 443\r\n":       "[2001:db8::1]:49152",
		"PROXY UNKNOWN\r\n":                              "invalid AddrPort",
		"PROXY UNKNOWN ffff:: ::1 1 2\r\n":               "invalid AddrPort",
		v2:                                               "203.0.113.7:49152",
		v26:                                              "[2001:db8::1]:49152",
		signature + unhex("20 00 0000"):                  "invalid AddrPort",
		signature + unhex("21 00 0003 010203"):           "invalid AddrPort",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n":              "",
		"PROXY TCP4 ::1 ::1 1 2\r\n":                     "",
		"PROXY TCP4 203.0.113.7 127.0.0.1 x 443\r\n":     "",
		"PROXY TCP4 203.0.113.7\r\n":                     "",
		"PROXY " + strings.Repeat("x", 200) + "\r\n":     "",
		"PROXY": "",
		signature + unhex("31 11 000c") + v2[16:]: "",
		signature + unhex("21 11 ffff"):           "",
		signature + unhex("21 11 0004 01020304"):  "",
		signature + unhex("22 11 000c") + v2[16:]: "",
	} {
		rest := strings.NewReader(in + "GET")
		got, err := read(rest)
		if want == "" {
			if err == nil {
				t.Errorf("%q: %v", in, got)
			}
			continue
		}
		if left, _ := io.ReadAll(rest); err != nil || got.String() != want || string(left) != "GET" {
			t.Errorf("%q: got %v, %v, and %q is left", in, got, err, left)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("PROXY TCP4 203.0.113.7 127.0.0.1 49152 443\r\n"))
	f.Add([]byte(signature + unhex("21 11 000c cb007107 7f000001 c000 01bb")))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		if a, err := read(r); err == nil && a.IsValid() && a.Addr().Zone() != "" {
			t.Error(a)
		}
	})
}

// Trusted peers tell who the client is, and are cut off if they do not; others
// are taken for what they are, whatever they send.
func TestListen(t *testing.T) {
	for _, c := range []struct{ trusted, send, from, left string }{
		{"127.0.0.0/8", "PROXY TCP4 203.0.113.7 127.0.0.1 49152 443\r\nhello", "203.0.113.7", "hello"},
		{"127.0.0.0/8", "GET / HTTP/1.1\r\n\r\n", "", ""},
		{"127.0.0.0/8", "", "", ""},
		{"10.0.0.0/8", "PROXY TCP4 203.0.113.7 127.0.0.1 49152 443\r\nhello", "127.0.0.1",
			"PROXY TCP4 203.0.113.7 127.0.0.1 49152 443\r\nhello"},
	} {
		bare, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l := Listen(bare, Options{Trusted: []netip.Prefix{netip.MustParsePrefix(c.trusted)},
			Log: slog.New(slog.DiscardHandler), Wait: 50 * time.Millisecond})
		client, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", bare.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(client, c.send); err != nil {
			t.Fatal(err)
		}
		if c.from == "" {
			if _, err := client.Read(make([]byte, 1)); err == nil {
				t.Errorf("%q is let in", c.send)
			}
		} else {
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			_ = client.(*net.TCPConn).CloseWrite()
			got, _ := io.ReadAll(server)
			host, _, _ := net.SplitHostPort(server.RemoteAddr().String())
			if host != c.from || string(got) != c.left {
				t.Errorf("%q: from %s, %q is left", c.send, host, got)
			}
			if _, ok := server.(syscall.Conn); !ok {
				t.Error("the socket is hidden")
			}
			_ = server.Close()
		}
		_ = client.Close()
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := l.Accept(); err == nil {
			t.Error("accepts after its end")
		}
	}
}
