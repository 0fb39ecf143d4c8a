// Package nginxtest runs the real nginx for tests, on the loopback and with the
// configuration in deploy/nginx.
package nginxtest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/testkit/node"
)

// A Server is an nginx with the configuration in deploy/nginx, changed only in what
// a test on the loopback must change. Tests that use it are two folders below the
// checkout.
type Server struct {
	Dir    string
	Plain  int      // port for http
	Secure int      // and for https
	MQTT   int      // and for MQTT with TLS, after ConfigureStream
	Nodes  []string // host:port of the servers behind it
	Broker string   // the same for MQTT
	Edits  []string // further pairs for strings.NewReplacer

	tb     testing.TB
	stream bool // MQTT alone is served
}

const patience = 2 * time.Minute

// StreamModule is the part of nginx that ConfigureStream needs.
const StreamModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

// New chooses ports, and writes nothing yet. Without an nginx the test is skipped,
// and says so; in CI it fails.
func New(tb testing.TB) *Server {
	tb.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("CI") != "" {
			tb.Fatal("no nginx, which CI must have")
		}
		tb.Skip("no nginx to test with: install nginx-light and libnginx-mod-stream")
	}
	dir, err := os.MkdirTemp("", "unhidra-nginx-") // of a short name, readable for nginx' workers
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		tb.Fatal(err)
	}
	return &Server{tb: tb, Dir: dir, Plain: node.Port(tb), Secure: node.Port(tb), MQTT: node.Port(tb)}
}

// Path returns the path of a file in the folder of this nginx.
func (n *Server) Path(name string) string { return filepath.Join(n.Dir, name) }

// URL returns where people reach it.
func (n *Server) URL() string { return "https://localhost:" + strconv.Itoa(n.Secure) }

// Configure writes the configuration of deploy/nginx for this place.
func (n *Server) Configure() {
	n.tb.Helper()
	var nodes strings.Builder
	for _, addr := range n.Nodes {
		nodes.WriteString("server " + addr + " max_fails=2 fail_timeout=5s;\n")
	}
	plain, secure := strconv.Itoa(n.Plain), strconv.Itoa(n.Secure)
	edits := append(n.Edits,
		"user www-data;", "daemon off; master_process on;",
		"include /etc/nginx/modules-enabled/*.conf;", "", // relative to the real prefix
		"worker_processes auto;", "worker_processes 1;",
		"worker_rlimit_nofile 65536;", "",
		"pid /run/nginx.pid;", "pid "+n.Path("pid")+";",
		"/var/log/nginx/error.log warn", n.Path("error.log")+" info",
		"access_log off;", "access_log off; client_body_temp_path "+n.Path("body")+"; proxy_temp_path "+n.Path("proxy")+
			"; fastcgi_temp_path "+n.Path("f")+"; uwsgi_temp_path "+n.Path("u")+"; scgi_temp_path "+n.Path("s")+";",
		"/etc/nginx/conf.d/*.conf", n.Path("conf.d/*.conf"),
		"listen [::]:80;", "", "listen [::]:443 ssl http2;", "", "listen [::]:443;", "",
		"listen 80;", "listen 127.0.0.1:"+plain+";",
		"listen 443 ssl http2;", "listen 127.0.0.1:"+secure+" ssl http2;",
		"listen 443;", "listen 127.0.0.1:"+secure+";",
		"server 127.0.0.1:9000 max_fails=2 fail_timeout=5s;", nodes.String(),
		"server 127.0.0.1:9443 max_fails=2 fail_timeout=5s;", nodes.String(),
		"https://chat.example.org$request_uri", n.URL()+"$request_uri",
		"/etc/letsencrypt/live/chat.example.org/fullchain.pem", n.Path("cert.pem"),
		"/etc/letsencrypt/live/chat.example.org/privkey.pem", n.Path("key.pem"),
		"server_name chat.example.org;", "server_name localhost;",
		"/var/www/certbot", n.Path("www"),
	)
	r := strings.NewReplacer(edits...)
	for _, d := range []string{"conf.d", "www"} {
		if err := os.MkdirAll(n.Path(d), 0o755); err != nil {
			n.tb.Fatal(err)
		}
	}
	write := func(from, to, extra string) {
		b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nginx", from))
		if err != nil {
			n.tb.Fatal(err)
		}
		if err := os.WriteFile(n.Path(to), []byte(r.Replace(string(b))+extra), 0o644); err != nil {
			n.tb.Fatal(err)
		}
	}
	write("nginx.conf", "nginx.conf", "")
	write("unhidra.conf", "conf.d/unhidra.conf", "")
}

// ConfigureStream writes one of the configurations that forward bytes: stream.conf, or that of MQTT alone.
func (n *Server) ConfigureStream(file string) {
	n.tb.Helper()
	n.Configure()
	n.stream = file == "mqtt.conf"
	stream, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nginx", file))
	if err != nil {
		n.tb.Fatal(err)
	}
	conf, err := os.ReadFile(n.Path("nginx.conf"))
	if err != nil {
		n.tb.Fatal(err)
	}
	var nodes strings.Builder
	for _, addr := range n.Nodes {
		nodes.WriteString("server " + addr + ";\n")
	}
	mqtt, broker := "listen 127.0.0.1:"+strconv.Itoa(n.MQTT), "127.0.0.1:1" // nothing
	if n.Broker != "" {
		broker = n.Broker
	}
	r := strings.NewReplacer("listen 443;", "listen 127.0.0.1:"+strconv.Itoa(n.Secure)+";", "listen [::]:443;", "",
		"server 127.0.0.1:9443 max_fails=2 fail_timeout=5s;", nodes.String(),
		"listen [::]:8883;", "", "listen [::]:8883 ssl;", "", "listen 8883", mqtt,
		"server 127.0.0.1:8884", "server "+broker, "server 127.0.0.1:1883", "server "+broker,
		"/etc/letsencrypt/live/chat.example.org/fullchain.pem", n.Path("cert.pem"),
		"/etc/letsencrypt/live/chat.example.org/privkey.pem", n.Path("key.pem"))
	b := append([]byte("load_module "+StreamModule+";\n"),
		append(conf[:bytes.Index(conf, []byte("http {"))], []byte(r.Replace(string(stream)))...)...)
	if err := os.WriteFile(n.Path("nginx.conf"), b, 0o644); err != nil {
		n.tb.Fatal(err)
	}
}

// Start checks the configuration and runs nginx until the test ends.
func (n *Server) Start() {
	n.tb.Helper()
	if out, err := n.run("-t"); err != nil {
		n.tb.Fatalf("nginx -t: %v\n%s", err, out)
	}
	// it is stopped in order below
	cmd := exec.Command("nginx", "-p", n.Dir, "-c", n.Path("nginx.conf"), "-e", n.Path("error.log"))
	if err := cmd.Start(); err != nil {
		n.tb.Fatal(err)
	}
	n.tb.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if n.tb.Failed() {
			b, _ := os.ReadFile(n.Path("error.log"))
			n.tb.Logf("nginx says:\n%s", b[max(0, len(b)-4000):])
		}
	})
	n.open()
}

// open waits until the TLS port takes connections.
func (n *Server) open() {
	n.tb.Helper()
	port := n.Secure
	if n.stream {
		port = n.MQTT
	}
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		c, err := (&net.Dialer{}).DialContext(n.tb.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(late) {
			n.tb.Fatalf("nginx does not answer: %v", err)
		}
	}
}

func (n *Server) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(n.tb.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nginx",
		append([]string{"-p", n.Dir, "-c", n.Path("nginx.conf"), "-e", n.Path("error.log")}, args...)...).CombinedOutput()
	return string(out), err
}

// Reload makes nginx read its configuration again, as a renewal does.
func (n *Server) Reload() {
	n.tb.Helper()
	if out, err := n.run("-s", "reload"); err != nil {
		n.tb.Fatalf("nginx -s reload: %v\n%s", err, out)
	}
}
