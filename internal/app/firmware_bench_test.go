//go:build linux

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/live"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// BenchmarkDownloads loads an image many times at once, over as many connections, from a server process, from a program
// that has the same file and net/http alone, and from an nginx that has it, one after the other: 1,000 times one of
// 1 MiB, and 250 times one of 4 MiB, so that what a request costs can be told from what a byte costs. It tells how much
// processor time each takes for a GB, after a round that does not count: the server has what it does at its start
// behind it then.
func BenchmarkDownloads(b *testing.B) {
	for _, size := range []int{1 << 20, 4 << 20} {
		image, downloads := randomBytes(size, 3), 1000<<20/size
		link, server := imageServer(b, image)
		least, bare := bareWith(b, image)
		page, peer := nginxWith(b, image)
		for _, c := range []struct {
			name, url string
			pids      func() []int
		}{{"unhidra", link, server}, {"net-http", least, bare}, {"nginx", page, peer}} {
			b.Run(fmt.Sprintf("%dMiB/%s", size>>20, c.name), func(b *testing.B) {
				loadAtOnce(b, c.url, downloads, len(image))
				before, begin, gb := cpuOf(b, c.pids()), time.Now(), 0.0
				for b.Loop() {
					loadAtOnce(b, c.url, downloads, len(image))
					gb += float64(downloads) * float64(len(image)) / 1e9
				}
				b.ReportMetric((cpuOf(b, c.pids())-before).Seconds()/gb, "cpu-s/GB")
				b.ReportMetric(gb*1000/time.Since(begin).Seconds(), "MB/s")
			})
		}
	}
}

func loadAtOnce(b *testing.B, url string, downloads, size int) {
	b.Helper()
	var wg sync.WaitGroup
	for range downloads {
		wg.Go(func() {
			if err := loadOnce(b.Context(), url, size); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
}

// loadOnce loads a file on a connection of its own.
func loadOnce(ctx context.Context, url string, size int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	t := &http.Transport{DisableKeepAlives: true}
	defer t.CloseIdleConnections()
	res, err := t.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != http.StatusOK || n != int64(size)) {
		err = fmt.Errorf("%s, %d bytes", res.Status, n)
	}
	return err
}

// imageServer starts a server as a process that has an image, and returns a link to it.
func imageServer(b *testing.B, image []byte) (link string, pids func() []int) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	var log testkit.Buffer
	n := node.New(b, node.Build(b), &log, "AUTH_DB_PATH="+filepath.Join(b.TempDir(), "unhidra.db"),
		"UNHIDRA_CONNECTIONS_PER_ADDR=5000", "UNHIDRA_LOG_LEVEL=warn")
	n.Start()
	traffic.Wait(ctx, b, "the server takes requests", func() bool { return n.Ready(ctx) })
	c := client.New(n.URL())
	fail := func(err error) {
		if err != nil {
			b.Fatal(err, log.String())
		}
	}
	fail(c.Register(ctx, client.Registration{Username: "ann", Password: live.Password}))
	var product struct{ ID string }
	fail(c.Do(ctx, "POST", "/firmware/products", map[string]string{"name": "tank"}, &product))
	u, err := c.UploadFirmware(ctx, product.ID, "raw", bytes.NewReader(image), int64(len(image)), nil)
	fail(err)
	var r firmwareRelease
	fail(c.Do(ctx, "POST", "/firmware/products/"+product.ID+"/releases",
		map[string]any{"version": "1", "version_code": 1}, &r))
	fail(c.Do(ctx, "POST", "/firmware/releases/"+r.ID+"/images", map[string]string{"upload": u.ID, "chip": "esp32"}, &r))
	return r.Images[0].URL, func() []int { return []int{n.PID()} }
}

// bareWith starts a file server of net/http that serves a file.
func bareWith(b *testing.B, file []byte) (url string, pids func() []int) {
	b.Helper()
	dir, port := b.TempDir(), node.Port(b)
	if err := os.WriteFile(filepath.Join(dir, "image.bin"), file, 0o600); err != nil {
		b.Fatal(err)
	}
	var log testkit.Buffer
	at := fmt.Sprint("127.0.0.1:", port)
	return imageFrom(b, node.Command(b, &log, nil, node.Program(b, "bench/fileserver"), dir, at), at, len(file))
}

// imageFrom starts a program that serves the file image.bin at an address, and waits until it does.
func imageFrom(b *testing.B, p *node.Process, at string, size int) (url string, pids func() []int) {
	b.Helper()
	p.Start()
	url = "http://" + at + "/image.bin"
	ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
	defer cancel()
	traffic.Wait(ctx, b, "it serves the file", func() bool { return loadOnce(ctx, url, size) == nil })
	return url, func() []int { return []int{p.PID()} }
}

// nginxWith starts an nginx with one worker that serves a file, and takes others beside it by PUT.
func nginxWith(b *testing.B, file []byte) (url string, pids func() []int) {
	b.Helper()
	dir, err := os.MkdirTemp("", "unhidra-nginx-")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // for its workers
		b.Fatal(err)
	}
	port := node.Port(b)
	conf := fmt.Sprintf(`daemon off; master_process off; worker_processes 1;
worker_rlimit_nofile 10000; error_log %[1]s/error.log;
pid %[1]s/pid; events { worker_connections 5000; }
http { sendfile on; tcp_nopush on; access_log off; client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p;
fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
server { listen 127.0.0.1:%[2]d; root %[1]s; dav_methods PUT; client_max_body_size 0;
client_body_buffer_size 64k; } }`, dir, port)
	for name, data := range map[string][]byte{"nginx.conf": []byte(conf), "image.bin": file} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := exec.LookPath("nginx"); err != nil {
		b.Skip("no nginx to compare with: install nginx")
	}
	var log testkit.Buffer
	defer func() {
		if b.Failed() {
			errors, _ := os.ReadFile(filepath.Join(dir, "error.log"))
			b.Logf("nginx: %s\n%s", errors, log.String())
		}
	}()
	p := node.Command(b, &log, nil, "nginx", "-c", filepath.Join(dir, "nginx.conf"), "-p", dir)
	return imageFrom(b, p, fmt.Sprint("127.0.0.1:", port), len(file))
}

// cpuOf is the processor time that processes have used.
func cpuOf(b *testing.B, pids []int) (sum time.Duration) {
	b.Helper()
	for _, pid := range pids {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(data[bytes.LastIndexByte(data, ')')+1:]))
		for _, f := range fields[11:13] {
			ticks, err := strconv.Atoi(f)
			if err != nil {
				b.Fatal(err)
			}
			sum += time.Duration(ticks) * (time.Second / 100)
		}
	}
	return sum
}
