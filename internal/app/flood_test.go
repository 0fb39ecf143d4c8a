package app_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
)

// unfinished opens n connections that send a request and not the body that it
// announces.
func unfinished(t *testing.T, addr string, n int, method, path string) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	var wg sync.WaitGroup
	for i := range conns {
		c := tcp(t, addr)
		conns[i] = c
		wg.Go(func() {
			_, _ = fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
				method, path, addr)
		})
	}
	wg.Wait()
	return conns
}

// Requests whose bodies never come hold no place of those that are answered, on
// routes that read a body, on those that do not, and where there is no route.
func TestBodiesThatNeverComeHoldNothing(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_CONNECTIONS_PER_ADDR=1000")
	for _, r := range []struct{ method, path string }{
		{"GET", "/openapi.json"}, {"POST", "/api/v1/auth/sign-in"}, {"POST", "/nowhere"},
	} {
		conns := unfinished(t, s.Public, 1100, r.method, r.path)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/openapi.json", nil)
		must(t, err)
		res, err := http.DefaultClient.Do(req)
		cancel()
		if err != nil {
			t.Fatalf("%s %s: nobody else is answered: %v", r.method, r.path, err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s %s: somebody else is answered %d", r.method, r.path, res.StatusCode)
		}
		for _, c := range conns {
			_ = c.Close()
		}
	}
}

// A request with a body that nobody reads is answered at once, and its connection
// ends: its bytes are nothing that could follow.
func TestBodiesThatNobodyReadEndTheConnection(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t))
	for _, r := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/", 200}, {"GET", "/ws", 426}, {"GET", "/api/v1/me", 401}, {"GET", "/api/v1/server", 200},
		{"POST", "/api/v1/nothing", 404}, {"PUT", "/health", 405},
		{"OPTIONS", "*", 404},
	} {
		c := unfinished(t, s.Public, 1, r.method, r.path)[0]
		closes(t, c, r.method+" "+r.path, r.status)
	}
	c := unfinished(t, s.Operator, 1, "GET", "/health")[0]
	closes(t, c, "operator's listener", 200)
}

func closes(t *testing.T, c net.Conn, what string, status int) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(time.Minute)))
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	_ = res.Body.Close()
	if res.StatusCode != status || !res.Close {
		t.Errorf("%s: %d, want %d; closes: %v", what, res.StatusCode, status, res.Close)
	}
}

// Connections of one address have a limit; one that closes makes room.
func TestConnectionsOfOneAddressAreLimited(t *testing.T) {
	t.Parallel()
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_CONNECTIONS_PER_ADDR=2") // 8 of every kind
	ask := func(c net.Conn) error {
		_ = c.SetDeadline(time.Now().Add(time.Minute))
		_, _ = fmt.Fprintf(c, "GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", s.Public)
		res, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			_ = res.Body.Close()
		}
		return err
	}
	var open []net.Conn
	for i := range 8 {
		c := tcp(t, s.Public)
		open = append(open, c)
		if err := ask(c); err != nil {
			t.Fatalf("connection %d: %v", i+1, err)
		}
	}
	if err := ask(tcp(t, s.Public)); err == nil {
		t.Error("a ninth connection was answered")
	}
	_ = open[0].Close()
	for end := time.Now().Add(time.Minute); ask(tcp(t, s.Public)) != nil; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a connection that closed made no room")
		}
	}
}

func tcp(t *testing.T, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}
