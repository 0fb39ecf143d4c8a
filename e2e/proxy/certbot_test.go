package proxy

import (
	"context"
	"crypto/tls"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/acmetest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/nginxtest"
	"github.com/unhidra/unhidra/internal/testkit/tlstest"
)

// certbot fetches a certificate through the folder that nginx serves, puts it in
// place, and nginx serves it after a reload, which drops no socket.
func TestCertbot(t *testing.T) {
	if _, err := exec.LookPath("certbot"); err != nil {
		t.Skip("no certbot to test with")
	}
	n := nginxtest.New(t)
	own := tlstest.NewAuthority(t)
	own.Files(n.Dir, time.Hour) // until certbot has been there
	ca := acmetest.Start(t, n.Plain, n.Secure, 1000*time.Hour)
	s := live.Start(t, testkit.SQLite(t), "UNHIDRA_PUBLIC_URL="+n.URL(), "UNHIDRA_TRUSTED_PROXIES=127.0.0.1")
	n.Nodes = []string{s.Public}
	n.Configure()
	n.Start()
	ann := user(t, n, own.Client(), "ann")
	socket, err := dial(t, n, own.Client(), ann.Tokens().Access)
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dirs := t.TempDir()
	cmd := exec.CommandContext(ctx, "certbot", "certonly", "--non-interactive", "--agree-tos",
		"--register-unsafely-without-email",
		"--webroot", "-w", n.Path("www"), "-d", "localhost", "--server", ca.Directory, "--config-dir",
		filepath.Join(dirs, "etc"),
		"--work-dir", filepath.Join(dirs, "lib"), "--logs-dir", filepath.Join(dirs, "log"))
	cmd.Env = append(os.Environ(), "REQUESTS_CA_BUNDLE="+ca.CAFile)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("certbot: %v\n%s", err, out)
	}
	for from, to := range map[string]string{"fullchain.pem": "cert.pem", "privkey.pem": "key.pem"} {
		b, err := os.ReadFile(filepath.Join(dirs, "etc", "live", "localhost", from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(n.Path(to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n.Reload()
	eventually(t, func() bool {
		d := tls.Dialer{Config: &tls.Config{RootCAs: ca.Roots, ServerName: "localhost"}}
		c, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(n.Secure))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	_ = socket.SetReadDeadline(time.Now().Add(time.Second))
	for b := make([]byte, 4096); ; {
		if _, err := socket.Read(b); err != nil {
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the socket from before the renewal: %v", err)
			}
			break
		}
	}
	if b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nginx", "renew-hook.sh")); err != nil ||
		!strings.Contains(string(b), "nginx -s reload") {
		t.Errorf("the hook of certbot does not reload: %v", err)
	}
}
