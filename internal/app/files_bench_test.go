//go:build linux

package app_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// BenchmarkUploads uploads files to a server process over HTTP, and in turns with that, by as many at once, writes and
// syncs the same bytes to files beside the server's, and sends them to an nginx, which neither hashes nor syncs them.
// It tells how fast the uploads are as a part of the bare writes (median, least and most) and of nginx (median), how
// fast all three are, and what processor time the server and the bare writes take for a GB. The files are where TMPDIR
// is: not in memory, if the disk is to count.
func BenchmarkUploads(b *testing.B) {
	dir := b.TempDir()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	var log testkit.Buffer
	n := node.New(b, node.Build(b), &log, "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_LOG_LEVEL=warn",
		"UNHIDRA_FILE_STORAGE=0")
	n.Start()
	traffic.Wait(ctx, b, "the server takes requests", func() bool { return n.Ready(ctx) })
	people, room := traffic.Settle(ctx, b, 8, n.URL())
	pids := []int{n.PID()}
	page, _ := nginxWith(b, []byte("a file"))
	for _, c := range []struct{ size, files, atOnce int }{
		{1 << 20, 16, 1}, {1 << 20, 32, 4}, {1 << 20, 32, 8}, {8 << 20, 8, 4}, {64 << 20, 1, 1}, {64 << 20, 4, 4},
	} {
		b.Run(fmt.Sprintf("%dx%dMiB/%d", c.files, c.size>>20, c.atOnce), func(b *testing.B) {
			files, ids, gb := make([][]byte, c.files), make([]string, c.files), float64(c.size*c.files)/1e9
			for i := range files {
				files[i] = randomBytes(c.size, uint64(i))
			}
			var ours, bare, peer, ratio, ofPeer []float64
			var used, bareUsed time.Duration
			for round := 0; b.Loop(); round++ {
				for _, f := range files { // one that is there already is not written again
					f[0], f[1], f[2] = byte(round), byte(round>>8), byte(c.atOnce)
				}
				begin, before := time.Now(), cpuOf(b, pids)
				together(b, c.files, c.atOnce, func(i int) (err error) {
					who := people[i%c.atOnce] // of one person four parts may come at once
					ids[i], err = uploadWhole(ctx, who, room, files[i])
					return err
				})
				took := time.Since(begin)
				used += cpuOf(b, pids) - before
				begin, before = time.Now(), testkit.ProcessorTime()
				together(b, c.files, c.atOnce, func(i int) error {
					return writeSynced(filepath.Join(dir, fmt.Sprint("bare", i)), files[i])
				})
				bareTook := time.Since(begin)
				bareUsed += testkit.ProcessorTime() - before
				begin = time.Now()
				together(b, c.files, c.atOnce, func(i int) error {
					return putFile(ctx, page+fmt.Sprint(i), files[i])
				})
				peerTook := time.Since(begin)
				ours, bare = append(ours, gb*1000/took.Seconds()), append(bare, gb*1000/bareTook.Seconds())
				peer = append(peer, gb*1000/peerTook.Seconds())
				ratio = append(ratio, bareTook.Seconds()/took.Seconds())
				ofPeer = append(ofPeer, peerTook.Seconds()/took.Seconds())
				together(b, c.files, 1, func(i int) error { // few may wait to be posted
					return errors.Join(people[i%c.atOnce].DeleteFile(ctx, ids[i]),
						os.Remove(filepath.Join(dir, fmt.Sprint("bare", i))))
				})
			}
			all := gb * float64(len(ratio))
			slices.Sort(ratio)
			b.ReportMetric(median(ratio), "of-bare")
			b.ReportMetric(ratio[0], "least")
			b.ReportMetric(ratio[len(ratio)-1], "most")
			b.ReportMetric(median(ours), "MB/s")
			b.ReportMetric(median(bare), "bare-MB/s")
			b.ReportMetric(median(peer), "nginx-MB/s")
			b.ReportMetric(median(ofPeer), "of-nginx")
			b.ReportMetric(used.Seconds()/all, "cpu-s/GB")
			b.ReportMetric(bareUsed.Seconds()/all, "bare-cpu-s/GB")
			b.ReportMetric(0, "ns/op")
		})
	}
	if b.Failed() {
		b.Log(log.String())
	}
}

func median(of []float64) float64 {
	slices.Sort(of)
	return (of[(len(of)-1)/2] + of[len(of)/2]) / 2
}

// together does n things, some of them at once.
func together(b *testing.B, n, atOnce int, do func(i int) error) {
	b.Helper()
	var wg sync.WaitGroup
	for k := range atOnce {
		wg.Go(func() {
			for i := k; i < n; i += atOnce {
				if err := do(i); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// uploadWhole uploads a file: one of a part as curl does, which computes no hash of its own, and a larger one as the
// client does, which hashes the parts.
func uploadWhole(ctx context.Context, c *client.Client, room string, data []byte) (id string, err error) {
	var u client.Upload
	if len(data) <= domain.FilePart {
		err = c.Do(ctx, "POST", "/rooms/"+room+"/files?name=file.bin", client.Bytes(data), &u)
	} else {
		u, err = c.UploadFile(ctx, room, "file.bin", bytes.NewReader(data), int64(len(data)))
	}
	if err == nil && u.State != "ready" {
		err = fmt.Errorf("the file is %s", u.State)
	}
	return u.ID, err
}

// putFile sends a file to a server that keeps it under its path.
func putFile(ctx context.Context, url string, data []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, url, bytes.NewReader(data))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated && res.StatusCode != http.StatusNoContent {
		return fmt.Errorf("nginx answers %s", res.Status)
	}
	return nil
}

// writeSynced writes a file and syncs it.
func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
