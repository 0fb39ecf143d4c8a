//go:build linux

package app_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit"
	"github.com/unhidra/unhidra/internal/testkit/node"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// BenchmarkUploads uploads files to a server process over HTTP, and in turns with that writes and syncs the same bytes
// to as many files beside the server's: one of 64 MiB, and 32 of 1 MiB, four at once. It tells how fast the uploads are
// as a part of how fast the bare writes are, what processor time the server takes for a GB, and what the writes take.
// The files are where TMPDIR is: not in memory, if the disk is to count.
func BenchmarkUploads(b *testing.B) {
	dir := b.TempDir()
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Minute)
	defer cancel()
	var log testkit.Buffer
	n := node.New(b, node.Build(b), &log, "UNHIDRA_DATA_DIR="+dir, "UNHIDRA_LOG_LEVEL=warn",
		"UNHIDRA_FILE_STORAGE=0")
	n.Start()
	traffic.Wait(ctx, b, "the server takes requests", func() bool { return n.Ready(ctx) })
	people, room := traffic.Settle(ctx, b, 1, n.URL())
	pids := []int{n.PID()}
	for _, c := range []struct{ size, files, atOnce int }{{64 << 20, 1, 1}, {1 << 20, 32, 4}} {
		b.Run(fmt.Sprintf("%dx%dMiB", c.files, c.size>>20), func(b *testing.B) {
			var ours, bare, used, bareUsed time.Duration
			files, ids, gb := make([][]byte, c.files), make([]string, c.files), 0.0
			for round := 0; b.Loop(); round++ {
				for i := range files {
					files[i] = randomBytes(c.size, uint64(round*c.files+i)) // a file that is there already is not written again
					files[i][0], files[i][1] = byte(round), byte(round>>8)
				}
				gb += float64(c.size*c.files) / 1e9
				begin, before := time.Now(), cpuOf(b, pids)
				together(b, c.files, c.atOnce, func(i int) (err error) {
					ids[i], err = uploadWhole(ctx, people[0], room, files[i])
					return err
				})
				ours, used = ours+time.Since(begin), used+cpuOf(b, pids)-before
				begin, before = time.Now(), testkit.ProcessorTime()
				together(b, c.files, c.atOnce, func(i int) error {
					return writeSynced(filepath.Join(dir, fmt.Sprint("bare", i)), files[i])
				})
				bare, bareUsed = bare+time.Since(begin), bareUsed+testkit.ProcessorTime()-before
				// Few may wait to be posted.
				together(b, c.files, 1, func(i int) error { return people[0].DeleteFile(ctx, ids[i]) })
			}
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-bare")
			b.ReportMetric(gb*1000/ours.Seconds(), "MB/s")
			b.ReportMetric(used.Seconds()/gb, "cpu-s/GB")
			b.ReportMetric(bareUsed.Seconds()/gb, "bare-cpu-s/GB")
		})
	}
	if b.Failed() {
		b.Log(log.String())
	}
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

func uploadWhole(ctx context.Context, c *client.Client, room string, data []byte) (id string, err error) {
	u, err := c.UploadFile(ctx, room, "file.bin", bytes.NewReader(data), int64(len(data)))
	if err == nil && u.State != "ready" {
		err = fmt.Errorf("the file is %s", u.State)
	}
	return u.ID, err
}

// write writes a file and syncs it.
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
