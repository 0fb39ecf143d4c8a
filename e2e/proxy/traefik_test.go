package proxy

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/acmetest"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/natstest"
	"github.com/unhidra/unhidra/internal/testkit/nginxtest"
	"github.com/unhidra/unhidra/internal/testkit/node"
)

// Traefik with the files in deploy/traefik fetches its certificate by
// TLS-ALPN-01, passes WebSockets on, throws invented addresses away, answers 429
// at the limit, and leaves out a node that is stopped.
func TestTraefik(t *testing.T) {
	program, err := exec.LookPath("traefik")
	if err != nil {
		t.Skip("no traefik to test with: no Debian package has it; build it from github.com/traefik/traefik/v3")
	}
	n := &nginxtest.Server{Dir: t.TempDir(), Plain: node.Port(t), Secure: node.Port(t)} // for its ports and paths alone
	ca := acmetest.Start(t, n.Plain, n.Secure, 1000*time.Hour)
	log := &record{}
	o, secret, bus := testkit.Postgres(t), rand.Text()+rand.Text(), natstest.Start(t).URL()
	var nodes []*live.Server
	var servers strings.Builder
	for range 2 {
		s := live.StartLogged(t, o, slog.New(slog.NewJSONHandler(log, nil)), "UNHIDRA_PUBLIC_URL="+n.URL(),
			"UNHIDRA_TRUSTED_PROXIES=127.0.0.1",
			"UNHIDRA_SERVER_KEY="+secret, "NATS_URL="+bus)
		nodes = append(nodes, s)
		_, _ = fmt.Fprintf(&servers, "- url: http://%s\n          ", s.Public)
	}
	copyConf(t, "traefik.yml", n.Path("traefik.yml"),
		`":80"`, `"127.0.0.1:`+strconv.Itoa(n.Plain)+`"`, `":443"`, `"127.0.0.1:`+strconv.Itoa(n.Secure)+`"`,
		"/var/lib/traefik/acme.json", n.Path("acme.json"), "/etc/traefik/dynamic", n.Path("dynamic"),
		"# caServer: https://acme-staging-v02.api.letsencrypt.org/directory", "caServer: "+ca.Directory)
	copyConf(t, "dynamic/unhidra.yml", n.Path("dynamic/unhidra.yml"),
		"chat.example.org", "localhost", "- url: http://127.0.0.1:9000", servers.String(), "amount: 200", "amount: 5")

	cmd := exec.CommandContext(t.Context(), program, "--configFile="+n.Path("traefik.yml"))
	cmd.Env = append(os.Environ(), "LEGO_CA_CERTIFICATES="+ca.CAFile)
	said := &record{}
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("traefik says:\n%s", said)
		}
	})
	trust := &tls.Config{RootCAs: ca.Roots, ServerName: "localhost"}
	eventually(t, func() bool {
		c, err := (&tls.Dialer{Config: trust}).DialContext(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(n.Secure))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})

	ann := user(t, n, trust, "ann")
	get(t, n, trust, "127.0.0.5", "/api/v1/nothing", http.Header{"X-Forwarded-For": {"203.0.113.9"}})
	eventually(t, func() bool { return log.has(`"path":"/api/v1/nothing"`, `"addr":"127.0.0.5"`) })
	if log.has("203.0.113.9") {
		t.Error("an invented address is believed")
	}

	var sockets []net.Conn
	for i := range 5 {
		c, err := dial(t, n, trust, ann.Tokens().Access)
		if err != nil {
			t.Fatalf("socket %d: %v", i, err)
		}
		sockets = append(sockets, c)
	}
	if _, err := dial(t, n, trust, ann.Tokens().Access); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("socket 6: %v", err)
	}
	for _, c := range sockets {
		_ = c.Close()
	}

	l := ann.Live(t.Context(), client.LiveOptions{})
	t.Cleanup(l.Close)
	if err := l.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	nodes[0].Stop()
	eventually(t, func() bool {
		for range 10 {
			if get(t, n, trust, "127.0.0.1", "/ready", nil).StatusCode != http.StatusOK {
				return false
			}
		}
		return true
	})
	if err := l.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// copyConf copies a file of deploy/traefik with replacements.
func copyConf(t *testing.T, from, to string, edits ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "traefik", from))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, []byte(strings.NewReplacer(edits...).Replace(string(b))), 0o600); err != nil {
		t.Fatal(err)
	}
}
