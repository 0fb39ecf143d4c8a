package outbound

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers each question for an IPv4 address with the one that is set, for no time.
func nameServer(t *testing.T, to *atomic.Pointer[netip.Addr]) (address string) {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		data := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(data)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(data[:n]); err != nil {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class},
					Body: &dnsmessage.AResource{A: to.Load().As4()}}}
			}
			answer, err := m.Pack()
			if err != nil {
				continue
			}
			_, _ = conn.WriteTo(answer, from)
		}
	}()
	return conn.LocalAddr().String()
}

// A name that leads to an allowed address first and to another one later opens no way to that one: the address that is
// dialed is the one that is checked.
func TestANameThatChangesItsAddressLeadsNowhere(t *testing.T) {
	t.Parallel()
	var reached atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { reached.Add(1) }))
	t.Cleanup(s.Close)
	var at atomic.Pointer[netip.Addr]
	set := func(text string) {
		a := netip.MustParseAddr(text)
		at.Store(&a)
	}
	server := nameServer(t, &at)
	d := dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")})
	d.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", server)
	}}
	c := client(d, time.Minute)
	get := func() error {
		req, err := http.NewRequestWithContext(t.Context(), "GET",
			"http://pages.example."+s.URL[strings.LastIndex(s.URL, ":"):], nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := c.Do(req)
		if err != nil {
			return err
		}
		return res.Body.Close()
	}
	set("127.0.0.1")
	if err := get(); err != nil || reached.Load() != 1 {
		t.Fatalf("an allowed address: %v", err)
	}
	c.CloseIdleConnections()
	for _, text := range []string{"127.0.0.2", "10.1.2.3", "169.254.169.254", "100.100.100.200"} {
		set(text)
		if err := get(); !errors.Is(err, ErrPrivate) {
			t.Errorf("the name leads to %s now, and the answer is %v", text, err)
		}
	}
	if reached.Load() != 1 {
		t.Errorf("%d requests arrived", reached.Load())
	}
}
