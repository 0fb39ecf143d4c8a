// Package proxy proves what deploy/nginx promises, with the real nginx on the
// loopback in front of real servers.
package proxy

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
)

// An nginx is one that runs with the configuration in deploy/nginx, changed only
// in what a test on the loopback must change.
type nginx struct {
	t      *testing.T
	dir    string
	cmd    *exec.Cmd
	plain  int
	secure int
	nodes  []string
	edits  []string // further pairs for strings.NewReplacer
}

const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so"

// newNginx chooses ports, and writes nothing yet.
func newNginx(t *testing.T) *nginx {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no nginx, which CI must have")
		}
		t.Skip("no nginx to test with: install nginx-light and libnginx-mod-stream")
	}
	dir, err := os.MkdirTemp("", "unhidra-nginx-") // of a short name, readable for nginx' workers
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return &nginx{t: t, dir: dir, plain: freePort(t), secure: freePort(t)}
}

func (n *nginx) path(name string) string { return filepath.Join(n.dir, name) }

func (n *nginx) url() string { return "https://localhost:" + strconv.Itoa(n.secure) }

// configure writes the configuration of deploy/nginx for this place.
func (n *nginx) configure() {
	n.t.Helper()
	var nodes strings.Builder
	for _, node := range n.nodes {
		nodes.WriteString("server " + node + " max_fails=2 fail_timeout=5s;\n")
	}
	plain, secure := strconv.Itoa(n.plain), strconv.Itoa(n.secure)
	edits := append(n.edits,
		"user www-data;", "daemon off; master_process on;",
		"include /etc/nginx/modules-enabled/*.conf;", "", // relative to the real prefix
		"worker_processes auto;", "worker_processes 1;",
		"worker_rlimit_nofile 65536;", "",
		"pid /run/nginx.pid;", "pid "+n.path("pid")+";",
		"/var/log/nginx/error.log warn", n.path("error.log")+" info",
		"access_log off;", "access_log off; client_body_temp_path "+n.path("body")+"; proxy_temp_path "+n.path("proxy")+
			"; fastcgi_temp_path "+n.path("f")+"; uwsgi_temp_path "+n.path("u")+"; scgi_temp_path "+n.path("s")+";",
		"/etc/nginx/conf.d/*.conf", n.path("conf.d/*.conf"),
		"listen [::]:80;", "", "listen [::]:443 ssl http2;", "", "listen [::]:443;", "",
		"listen 80;", "listen 127.0.0.1:"+plain+";",
		"listen 443 ssl http2;", "listen 127.0.0.1:"+secure+" ssl http2;",
		"listen 443;", "listen 127.0.0.1:"+secure+";",
		"server 127.0.0.1:9000 max_fails=2 fail_timeout=5s;", nodes.String(),
		"server 127.0.0.1:9443 max_fails=2 fail_timeout=5s;", nodes.String(),
		"https://chat.example.org$request_uri", n.url()+"$request_uri",
		"/etc/letsencrypt/live/chat.example.org/fullchain.pem", n.path("cert.pem"),
		"/etc/letsencrypt/live/chat.example.org/privkey.pem", n.path("key.pem"),
		"server_name chat.example.org;", "server_name localhost;",
		"/var/www/certbot", n.path("www"),
	)
	r := strings.NewReplacer(edits...)
	for _, d := range []string{"conf.d", "www"} {
		if err := os.MkdirAll(n.path(d), 0o755); err != nil {
			n.t.Fatal(err)
		}
	}
	write := func(from, to, extra string) {
		b, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nginx", from))
		if err != nil {
			n.t.Fatal(err)
		}
		if err := os.WriteFile(n.path(to), []byte(r.Replace(string(b))+extra), 0o644); err != nil {
			n.t.Fatal(err)
		}
	}
	write("nginx.conf", "nginx.conf", "")
	write("unhidra.conf", "conf.d/unhidra.conf", "")
}

// configureStream writes the configuration that only forwards bytes.
func (n *nginx) configureStream() {
	n.t.Helper()
	n.configure()
	stream, err := os.ReadFile(filepath.Join("..", "..", "deploy", "nginx", "stream.conf"))
	if err != nil {
		n.t.Fatal(err)
	}
	conf, err := os.ReadFile(n.path("nginx.conf"))
	if err != nil {
		n.t.Fatal(err)
	}
	var nodes strings.Builder
	for _, node := range n.nodes {
		nodes.WriteString("server " + node + ";\n")
	}
	r := strings.NewReplacer("listen 443;", "listen 127.0.0.1:"+strconv.Itoa(n.secure)+";", "listen [::]:443;", "",
		"server 127.0.0.1:9443 max_fails=2 fail_timeout=5s;", nodes.String())
	b := append([]byte("load_module "+streamModule+";\n"),
		append(conf[:bytes.Index(conf, []byte("http {"))], []byte(r.Replace(string(stream)))...)...)
	if err := os.WriteFile(n.path("nginx.conf"), b, 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// start checks the configuration and runs nginx until the test ends.
func (n *nginx) start() {
	n.t.Helper()
	if out, err := n.run("-t"); err != nil {
		n.t.Fatalf("nginx -t: %v\n%s", err, out)
	}
	// it is stopped in order below
	n.cmd = exec.Command("nginx", "-p", n.dir, "-c", n.path("nginx.conf"), "-e", n.path("error.log"))
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		_ = n.cmd.Wait()
		if n.t.Failed() {
			b, _ := os.ReadFile(n.path("error.log"))
			n.t.Logf("nginx says:\n%s", b[max(0, len(b)-4000):])
		}
	})
	n.open()
}

// open waits until the TLS port takes connections.
func (n *nginx) open() {
	n.t.Helper()
	eventually(n.t, func() bool {
		c, err := (&net.Dialer{}).DialContext(n.t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(n.secure))
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

func (n *nginx) run(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nginx",
		append([]string{"-p", n.dir, "-c", n.path("nginx.conf"), "-e", n.path("error.log")}, args...)...).CombinedOutput()
	return string(out), err
}

// reload makes nginx read its configuration again, as a renewal does.
func (n *nginx) reload() {
	n.t.Helper()
	if out, err := n.run("-s", "reload"); err != nil {
		n.t.Fatalf("nginx -s reload: %v\n%s", err, out)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(30 * time.Second); !done(); {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it did not happen within 30 s")
		}
	}
}
