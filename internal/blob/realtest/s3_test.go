// Package realtest runs the objects in S3 against a real S3 server, Versity's gateway.
// It is a module of its own, so that the server's libraries are not the product's.
package realtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/blob/blobtest"
	"github.com/unhidra/unhidra/internal/domain"
)

const (
	key    = "test-key"
	secret = "test-secret-of-forty-characters-or-so-00"
	bucket = "files"
)

// folder has what all tests use.
var folder string

func TestMain(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "unhidra-s3-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(folder)
	os.Exit(code)
}

// gateway builds the S3 server, once.
var gateway = sync.OnceValues(func() (binary string, err error) {
	binary = filepath.Join(folder, "versitygw")
	out, err := exec.Command("go", "build", "-o", binary, "github.com/versity/versitygw/cmd/versitygw").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, out)
	}
	return binary, err
})

// serve runs a server with an empty bucket until the test ends.
func serve(t *testing.T) (endpoint string, stop func()) {
	t.Helper()
	binary, err := gateway()
	if err != nil {
		t.Fatalf("build the S3 server: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	files := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "--port", addr, "posix", files)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+key, "ROOT_SECRET_KEY="+secret)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = func() { cancel(); _ = cmd.Wait() }
	t.Cleanup(stop)
	client := newClient(t, "http://"+addr)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); ; <-tick.C {
		err := client.MakeBucket(t.Context(), bucket, minio.MakeBucketOptions{})
		if err == nil {
			return "http://" + addr, stop
		}
		if time.Now().After(end) {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("the S3 server does not start: %v\n%s", err, said)
		}
	}
}

func TestS3(t *testing.T) {
	endpoint, stop := serve(t)
	open := func(o blob.S3Options) (*blob.S3, error) {
		o.Endpoint, o.Key = endpoint, key
		objects, err := blob.NewS3(o)
		if err != nil {
			return nil, err
		}
		return objects, objects.Check(t.Context())
	}
	for _, prefix := range []string{"", "unhidra/files"} {
		t.Run(fmt.Sprintf("prefix %q", prefix), func(t *testing.T) {
			objects, err := open(blob.S3Options{Bucket: bucket, Prefix: prefix, Secret: secret})
			if err != nil {
				t.Fatal(err)
			}
			blobtest.Conform(t, objects)
		})
	}
	t.Run("stream", func(t *testing.T) {
		objects, err := open(blob.S3Options{Bucket: bucket, Prefix: "streams", Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		streams(t, objects)
	})
	t.Run("presigned", func(t *testing.T) {
		objects, err := open(blob.S3Options{Bucket: bucket, Prefix: "links", Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		presigned(t, objects)
	})
	t.Run("no bucket", func(t *testing.T) {
		if _, err := open(blob.S3Options{Bucket: "none", Secret: secret}); err == nil {
			t.Error("a bucket that is not there was opened")
		}
	})
	t.Run("wrong secret", func(t *testing.T) {
		if _, err := open(blob.S3Options{Bucket: bucket, Secret: "wrong"}); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("a wrong secret: %v", err)
		}
	})
	t.Run("a clock that is wrong", func(t *testing.T) {
		skewed(t, endpoint)
	})
	t.Run("the server is away", func(t *testing.T) {
		objects, err := open(blob.S3Options{Bucket: bucket, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		stop()
		if err := objects.Delete(t.Context(), "aa/bb/x"); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("without a server: %v", err)
		}
	})
}

// skewed talks to the server by a proxy that dates requests a year back, as if this machine's clock were wrong. Whoever
// waits for a file is told to come again, and the log what to do.
func skewed(t *testing.T, endpoint string) {
	t.Helper()
	to, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	ago := strconv.Itoa(time.Now().UTC().Year() - 1)
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host
		r.Out.Header.Set("X-Amz-Date", ago+r.In.Header.Get("X-Amz-Date")[len(ago):])
	}})
	defer proxy.Close()
	objects, err := blob.NewS3(blob.S3Options{Endpoint: proxy.URL, Bucket: bucket, Key: key, Secret: secret})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, []byte("image"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	_, got := objects.Get(t.Context(), "aa/bb/x", 0, -1)
	for what, err := range map[string]error{
		"to load": got,
		"to put":  objects.Put(t.Context(), "aa/bb/x", file, 5),
		"stream":  objects.PutStream(t.Context(), "aa/bb/x", strings.NewReader("image")),
		"delete":  objects.Delete(t.Context(), "aa/bb/x"),
		"check":   objects.Check(t.Context()),
	} {
		if domain.CodeOf(err) != domain.CodeFilesUnavailable || !strings.Contains(fmt.Sprint(err), "the clocks of this") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// streams uploads what has no known size: nothing, little, and more than one part. What breaks off
// leaves nothing.
func streams(t *testing.T, objects *blob.S3) {
	const large = 70 << 20
	for _, size := range []int64{0, 10, large} {
		name := fmt.Sprint("of ", size)
		if err := objects.PutStream(t.Context(), name, io.LimitReader(zeros{}, size)); err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		r, err := objects.Get(t.Context(), name, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); n != size || err != nil {
			t.Errorf("%d bytes of %d: %v", n, size, err)
		}
		_ = r.Close()
	}
	broken := errors.New("broken off")
	for _, size := range []int64{0, large} {
		err := objects.PutStream(t.Context(), "broken", io.MultiReader(io.LimitReader(zeros{}, size), failing{broken}))
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: %v", size, err)
		}
		if _, err := objects.Get(t.Context(), "broken", 0, -1); domain.KindOf(err) != domain.NotFound {
			t.Errorf("after %d bytes it is there: %v", size, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// presigned loads an object by its URL alone, as a device does: whole, and on from where it broke off.
func presigned(t *testing.T, objects *blob.S3) {
	t.Helper()
	if err := objects.PutStream(t.Context(), "image", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	link, err := objects.Presign("image", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	get := func(link string, headers ...string) (status int, body, etag string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i+1 < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b), res.Header.Get("ETag")
	}
	status, body, etag := get(link)
	if status != http.StatusOK || body != "0123456789" || !strings.HasPrefix(etag, `"`) {
		t.Errorf("whole: %d %q, ETag %s", status, body, etag)
	}
	if status, body, _ = get(link, "Range", "bytes=4-"); status != http.StatusPartialContent || body != "456789" {
		t.Errorf("the rest: %d %q", status, body)
	}
	if status, _, _ = get(link, "Range", "bytes=10-"); status != http.StatusRequestedRangeNotSatisfiable {
		t.Errorf("beyond its end: %d", status)
	}
	soon, err := objects.Presign("image", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for what, link := range map[string]string{
		"another object": strings.Replace(link, "/image?", "/other?", 1),
		"for longer":     strings.Replace(soon, "X-Amz-Expires=1&", "X-Amz-Expires=3600&", 1),
		"unsigned":       link[:strings.IndexByte(link, '?')],
	} {
		if status, _, _ := get(link); status != http.StatusForbidden {
			t.Errorf("%s: %d", what, status)
		}
	}
}
