package app_test

import (
	"crypto/rand"
	"crypto/tls"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/app"
	"github.com/unhidra/unhidra/internal/config"
	"github.com/unhidra/unhidra/internal/store"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/acmetest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// get sends a request without following redirects.
func ask(t *testing.T, c *tls.Config, method, url string) *http.Response {
	t.Helper()
	tr := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}
	t.Cleanup(tr.CloseIdleConnections)
	hc := &http.Client{Transport: tr, CheckRedirect: func(*http.Request,
		[]*http.Request) error {
		return http.ErrUseLastResponse
	}}
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := hc.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// talk signs someone in and opens a room and a WebSocket.
func talk(t *testing.T, s *live.Server, c *tls.Config) (send func(text string) error) {
	t.Helper()
	ctx := t.Context()
	ann := client.New(s.URL)
	ann.Trust(c)
	if err := ann.Register(ctx, client.Registration{Username: "ann", Password: live.Password}); err != nil {
		t.Fatal(err)
	}
	room, err := ann.CreateRoom(ctx, client.NewRoom{Kind: "private", Name: "Operations"})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan struct{}, 1)
	l := ann.Live(ctx, client.LiveOptions{OnHello: func(client.Hello) {
		select {
		case first <- struct{}{}:
		default:
			t.Error("the socket was dropped")
		}
	}})
	t.Cleanup(l.Close)
	if err := l.Ready(ctx); err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		_, err := l.Send(ctx, client.Draft{Room: room.ID, Key: text, Text: text})
		return err
	}
}

// With certificate files the server speaks TLS by itself: HTTP/2 for the API,
// HTTP/1.1 for WebSockets, HSTS, resumption, nothing before TLS 1.2, and a new
// certificate without a dropped socket.
func TestTLSFiles(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	dir := t.TempDir()
	cert, key := ca.Files(dir, time.Hour)
	s := live.Start(t, store.Options{Path: t.TempDir() + "/unhidra.db"}, "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key,
		"UNHIDRA_HTTP_ADDR=127.0.0.1:0")
	if !strings.HasPrefix(s.URL, "https://localhost:") {
		t.Fatalf("the server is on %s", s.URL)
	}
	send := talk(t, s, ca.Client())
	if err := send("one"); err != nil {
		t.Error(err)
	}
	res := ask(t, ca.Client(), "GET", s.URL+"/ready")
	if res.StatusCode != 200 || res.ProtoMajor != 2 || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("%s %s %v", res.Proto, res.Status, res.Header)
	}

	t.Run("redirect", func(t *testing.T) {
		plain := "http://" + s.Redirect
		if res := ask(t, nil, "GET", plain+"/room?x=1"); res.StatusCode != http.StatusPermanentRedirect ||
			res.Header.Get("Location") != s.URL+"/room?x=1" {
			t.Errorf("%s to %s", res.Status, res.Header.Get("Location"))
		}
		if res := ask(t, nil, "GET", plain+"//evil.example/"); !strings.HasPrefix(res.Header.Get("Location"), s.URL+"/") {
			t.Errorf("to %s", res.Header.Get("Location"))
		}
		if res := ask(t, nil, "POST", plain+"/api/v1/sessions"); res.StatusCode != http.StatusForbidden {
			t.Errorf("POST: %s", res.Status)
		}
	})

	t.Run("versions", func(t *testing.T) {
		for max, ok := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true,
			tls.VersionTLS13: true} {
			c := ca.Client()
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, max
			conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", s.Public)
			if (err == nil) != ok {
				t.Errorf("%s: %v", tls.VersionName(max), err)
			}
			if err == nil {
				_ = conn.Close()
			}
		}
		c := ca.Client()
		c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		if _, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", s.Public); err == nil {
			t.Error("a suite without authenticated encryption is taken")
		}
	})

	t.Run("resumption", func(t *testing.T) {
		c := ca.Client()
		c.ClientSessionCache = tls.NewLRUClientSessionCache(1)
		for i := range 2 {
			conn, err := (&tls.Dialer{Config: c}).DialContext(t.Context(), "tcp", s.Public)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn,
				"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, conn) // the ticket comes with the answer
			if got := conn.(*tls.Conn).ConnectionState().DidResume; got != (i == 1) {
				t.Errorf("connection %d: resumed=%v", i, got)
			}
			_ = conn.Close()
		}
	})

	t.Run("reload", func(t *testing.T) {
		leaf := func() string {
			conn, err := (&tls.Dialer{Config: ca.Client()}).DialContext(t.Context(), "tcp", s.Public)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
		}
		old := leaf()
		ca.Files(dir, 2*time.Hour)
		wait(t, func() bool { return leaf() != old })
		if err := send("two"); err != nil {
			t.Error(err)
		}
	})
}

// With a domain name the server fetches its certificate by itself, once for all
// nodes of a database.
func TestTLSByACME(t *testing.T) { // not in parallel: the authority reads its settings from the environment
	testkit.Each(t, func(t *testing.T, o store.Options) {
		plain, secure, secret := node.Port(t), node.Port(t), rand.Text()+rand.Text()
		// The authority proposes to renew at a random moment of a certificate's life (RFC
		// 9773): of a long one, so that this is no moment of the test.
		ca := acmetest.Start(t, plain, secure, 90*24*time.Hour)
		trust := &tls.Config{RootCAs: ca.Roots, ServerName: "localhost"}
		bus := ""
		if o.URL != "" {
			bus = natstest.Start(t).URL()
		}
		start := func(plain, secure int) *live.Server {
			s := live.Start(t, o, "NATS_URL="+bus, "UNHIDRA_ACME_DOMAINS=localhost", "UNHIDRA_ACME_DIRECTORY="+ca.Directory,
				"UNHIDRA_ACME_CA_FILE="+ca.CAFile,
				"GATEWAY_PORT="+strconv.Itoa(secure), "UNHIDRA_HTTP_ADDR=127.0.0.1:"+strconv.Itoa(plain),
				"UNHIDRA_SERVER_KEY="+secret)
			wait(t, func() bool {
				conn, err := (&tls.Dialer{Config: trust}).DialContext(t.Context(), "tcp", s.Public)
				if err == nil {
					_ = conn.Close()
				}
				return err == nil
			})
			return s
		}
		if err := talk(t, start(plain, secure), trust)("hello"); err != nil {
			t.Error(err)
		}
		if o.URL == "" {
			return
		}
		orders := ca.Orders()
		start(node.Port(t), node.Port(t)) // where the ACME server does not look
		if ca.Orders() != orders {
			t.Error("the second node asked for a certificate of its own")
		}
	})
}

// A broken certificate is an error of the start, which says what to do.
func TestTLSBroken(t *testing.T) {
	t.Parallel()
	ca := tlstest.NewAuthority(t)
	cert, key := ca.Files(t.TempDir(), time.Hour)
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + t.TempDir(), "UNHIDRA_TLS_CERT=" + cert,
		"UNHIDRA_TLS_KEY=" + key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = app.Run(t.Context(), app.Options{Config: c, Version: "test", Log: testkit.Logger(t)})
	if err == nil || !strings.Contains(err.Error(), "holds no private key") {
		t.Errorf("%v", err)
	}
}

// Certificates of devices need TLS here: a server that could not see them does not start.
func TestDeviceCANeedsTLS(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, tlstest.NewAuthority(t).PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load([]string{"UNHIDRA_DATA_DIR=" + t.TempDir(), "UNHIDRA_DEVICE_CA=" + file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = app.Run(t.Context(), app.Options{Config: c, Version: "test", Log: testkit.Logger(t)})
	if err == nil || !strings.Contains(err.Error(), "behind a proxy that ends TLS") {
		t.Errorf("%v", err)
	}
}
