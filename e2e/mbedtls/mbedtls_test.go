// Package mbedtls connects to a server as a small device does, with mbedTLS.
package mbedtls

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// A client that speaks TLS 1.2 alone, with one suite, opens a WebSocket.
func TestDevice(t *testing.T) {
	program := filepath.Join(t.TempDir(), "client")
	if out, err := exec.CommandContext(t.Context(), "cc", "-O1", "-Wall", "-o", program,
		filepath.Join("testdata", "client.c"), "-lmbedtls", "-lmbedx509", "-lmbedcrypto").CombinedOutput(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("no client with mbedTLS, which CI must have: %v\n%s", err, out)
		}
		t.Skipf("no mbedTLS to test with (libmbedtls-dev, gcc): %v", err)
	}
	ca := tlstest.NewAuthority(t)
	dir := t.TempDir()
	cert, key := ca.Files(dir, 1000*time.Hour)
	root := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(root, ca.PEM, 0o600); err != nil {
		t.Fatal(err)
	}
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_TLS_CERT="+cert, "UNHIDRA_TLS_KEY="+key)
	ann := client.New(s.URL)
	ann.Trust(ca.Client())
	if err := ann.Register(t.Context(), client.Registration{Username: "ann", Password: live.Password}); err != nil {
		t.Fatal(err)
	}
	port := s.URL[strings.LastIndexByte(s.URL, ':')+1:]
	if _, err := strconv.Atoi(port); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, "localhost", port, root)
	cmd.Stdin = strings.NewReader("GET /ws HTTP/1.1\r\nHost: localhost:" + port +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: bearer, " +
		ann.Tokens().Access + "\r\n\r\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out[:strings.IndexByte(string(out), '\n')])
	for _, want := range []string{"TLSv1.2 TLS-ECDHE-ECDSA-WITH-AES-128-GCM-SHA256", "HTTP/1.1 101", `"type":"hello"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}
