package crash

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// posting is a person who uploads a file and posts it, again and again, while the server is killed.
type posting struct {
	t    testing.TB
	ctx  context.Context
	c    *client.Client
	room string

	stop   chan struct{}
	all    sync.WaitGroup
	posted []string // ids of files, by their numbers; read after end
	count  atomic.Int64
	broken int // answers that did not come
}

func startPosting(ctx context.Context, t testing.TB, c *client.Client, room string) *posting {
	ctx, cancel := context.WithCancel(ctx)
	p := &posting{t: t, ctx: ctx, c: c, room: room, stop: make(chan struct{})}
	p.all.Go(p.run)
	t.Cleanup(func() { cancel(); p.all.Wait() }) // of a test that has failed before end
	return p
}

// fileOf returns the content of a file: every fourth has two parts.
func fileOf(n int) []byte {
	size := 64<<10 + n
	if n%4 == 0 {
		size += 8 << 20
	}
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b) // never fails
	return b
}

func (p *posting) run() {
	for n := 0; ; n++ {
		id, err := p.upload(n)
		if err == nil {
			draft := client.Draft{Room: p.room, Key: fmt.Sprint("file", n), Files: []string{id}}
			err = p.again(func() error { _, err := p.c.Send(p.ctx, draft); return err })
		}
		if p.ctx.Err() != nil {
			return // the test is over
		}
		if err != nil {
			p.t.Errorf("file %d: %v", n, err)
			return
		}
		p.posted = append(p.posted, id)
		p.count.Add(1)
		select {
		case <-p.stop:
			return
		case <-time.After(time.Second / 2): // so that the disk does not fill
		}
	}
}

// refused reports whether the server has answered, and would answer the same again.
func refused(err error) bool {
	no, ok := errors.AsType[*client.Error](err)
	return ok && no.Kind != "unavailable"
}

// again calls do until the server answers it, and returns what it says.
func (p *posting) again(do func() error) error {
	for {
		err := do()
		if err == nil || p.ctx.Err() != nil || refused(err) {
			return err
		}
		p.broken++
		select {
		case <-p.ctx.Done():
			return p.ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// upload uploads a file, and goes on after each kill: parts that were acknowledged are there.
func (p *posting) upload(n int) (id string, err error) {
	data := fileOf(n)
	var u client.Upload
	err = p.again(func() (err error) {
		u, err = p.c.BeginUpload(p.ctx, p.room, fmt.Sprint(n), int64(len(data)))
		return err
	})
	id = u.ID
	acked := int64(0)
	for err == nil {
		_, err = p.c.SendParts(p.ctx, u, bytes.NewReader(data), func(sent int64) { acked = max(acked, sent) })
		if err == nil || refused(err) {
			return id, err
		}
		p.broken++
		err = p.again(func() (err error) { u, err = p.c.Upload(p.ctx, id); return err })
		for part := range int((acked + u.PartSize - 1) / max(u.PartSize, 1)) {
			if err == nil && u.State == "uploading" && !slices.Contains(u.Parts, part) {
				return id, fmt.Errorf("part %d was acknowledged, and is not among %v", part, u.Parts)
			}
		}
	}
	return id, err
}

// await waits until one more file is posted.
func (p *posting) await() {
	want := p.count.Load() + 1
	traffic.Wait(p.ctx, p.t, "a file is posted", func() bool { return p.count.Load() >= want })
}

// end lets the person post the last file.
func (p *posting) end() {
	close(p.stop)
	p.all.Wait()
}

// check compares all files that were posted with what c downloads. end comes first.
func (p *posting) check(c *client.Client) {
	for n, id := range p.posted {
		var got bytes.Buffer
		if _, err := c.Download(p.ctx, id, 0, &got); err != nil || !bytes.Equal(got.Bytes(), fileOf(n)) {
			p.t.Errorf("file %d: %d bytes, and not what was posted; %v", n, got.Len(), err)
		}
	}
	p.t.Logf("%d files are as they were posted; %d answers did not come", len(p.posted), p.broken)
}
