package httpx

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// A slowClient accepts so many bytes a second of a response, whether they are written or copied by the kernel.
type slowClient struct {
	http.ResponseWriter
	rate     int64
	deadline time.Time
	got      int64
}

func (c *slowClient) SetWriteDeadline(t time.Time) error { c.deadline = t; return nil }

// accept takes n bytes, or as many as it can until the deadline.
func (c *slowClient) accept(n int64) (int64, error) {
	within := int64(time.Until(c.deadline).Seconds() * float64(c.rate))
	taken := max(min(n, within), 0)
	c.got += taken
	if taken < n {
		time.Sleep(time.Until(c.deadline))
		return taken, os.ErrDeadlineExceeded
	}
	time.Sleep(time.Duration(float64(n) / float64(c.rate) * float64(time.Second)))
	return n, nil
}

func (c *slowClient) Write(b []byte) (int, error) {
	n, err := c.accept(int64(len(b)))
	return int(n), err
}

func (c *slowClient) ReadFrom(r io.Reader) (int64, error) {
	step := r.(*io.LimitedReader)
	n, err := c.accept(step.N)
	step.N -= n
	return n, err
}

// pausing waits before each read, as a download does that is paced, or an object that is far away.
type pausing struct{ r io.Reader }

func (p pausing) Read(b []byte) (int, error) {
	time.Sleep(time.Minute)
	return p.r.Read(b[:min(len(b), 16<<10)])
}

// Who accepts 32 KiB within 20 seconds gets everything, however long that takes and however it is sent; who accepts
// less is given up after the first 20 seconds. How long the server waits for what it sends does not count.
func TestSlowClientsGetFilesAndStalledOnesDoNot(t *testing.T) {
	t.Parallel()
	const size = 1 << 20
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rate      int64
		paced     bool
		encrypted bool
		whole     bool
	}{
		"slow": {rate: 2 << 10, whole: true}, "slow, encrypted": {rate: 2 << 10, encrypted: true, whole: true},
		"slow, paced": {rate: 2 << 10, paced: true, whole: true}, "stalled": {rate: 1 << 10},
		"stalled, encrypted": {rate: 1 << 10, encrypted: true}, "silent": {rate: 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				file, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer file.Close()
				from := io.Reader(file)
				if c.paced {
					from = pausing{bytes.NewReader(make([]byte, size))}
				}
				client := &slowClient{rate: c.rate}
				w, begin := &recorder{ResponseWriter: client, encrypted: c.encrypted}, time.Now()
				n, err := io.CopyN(w, from, size)
				if n != client.got || n != w.bytes {
					t.Errorf("%d bytes are said to be sent, %d counted, and %d were", n, w.bytes, client.got)
				}
				switch took := time.Since(begin); {
				case c.whole && (err != nil || n != size):
					t.Errorf("%d bytes after %v: %v", n, took, err)
				case !c.whole && (!errors.Is(err, os.ErrDeadlineExceeded) || took > writeStall+time.Second):
					t.Errorf("given up after %v: %v", took, err)
				}
			})
		})
	}
}
