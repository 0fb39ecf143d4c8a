package talk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unhidra/unhidra/client"
	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/testkit/traffic"
)

// posting is a person who uploads a file and posts it, again and again.
type posting struct {
	*Talk
	d      *device
	all    sync.WaitGroup
	posted []string // ids of files, by their numbers; read after the end
	count  atomic.Int64
}

func startPosting(t *Talk, p *person) *posting {
	f := &posting{Talk: t, d: p.devices[0]}
	f.all.Go(f.run)
	return f
}

// fileOf returns the content of a file: every fourth has two parts.
func fileOf(n int) []byte {
	size := 64<<10 + n
	if n%4 == 0 {
		size += domain.FilePart
	}
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(n), byte(n >> 8)}).Read(b) // never fails
	return b
}

func (f *posting) run() {
	for n := 0; ; n++ {
		id, err := f.upload(n)
		if err == nil {
			err = f.post(n, id)
		}
		if f.ctx.Err() != nil {
			return // the test is over
		}
		if err != nil {
			f.t.Errorf("file %d: %v", n, err)
			return
		}
		f.posted = append(f.posted, id)
		f.count.Add(1)
		select {
		case <-f.stop:
			return
		case <-time.After(f.o.Files): // so that the disk does not fill
		}
	}
}

func (f *posting) post(n int, id string) error {
	l := &line{key: fmt.Sprint("file", n)}
	f.mu.Lock()
	f.asked[l.key] = l
	f.mu.Unlock()
	var sent client.Sent
	_, err := f.again(f.d, func(ctx context.Context) (err error) {
		sent, err = f.d.c.Send(ctx, client.Draft{Room: f.room, Key: l.key, Files: []string{id}})
		return err
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	l.seq = sent.Seq
	return err
}

// refused reports whether the server has answered, and would answer the same again.
func refused(err error) bool {
	no, ok := errors.AsType[*client.Error](err)
	return ok && no.Kind != "unavailable" && no.Kind != "internal" && no.Kind != "unauthorized"
}

// upload uploads a file: one of several parts in parts, another one in one request, which is sent again by the same key
// after each fault.
func (f *posting) upload(n int) (id string, err error) {
	data := fileOf(n)
	if len(data) > domain.FilePart {
		return f.uploadParts(n, data)
	}
	var u client.Upload
	_, err = f.again(f.d, func(ctx context.Context) (err error) {
		u, err = f.d.c.UploadBytes(ctx, f.room, fmt.Sprint(n), fmt.Sprint("file", n), data)
		return err
	})
	return u.ID, err
}

// uploadParts uploads a file in parts, and goes on after each fault: parts that were acknowledged are there.
func (f *posting) uploadParts(n int, data []byte) (id string, err error) {
	var u client.Upload
	_, err = f.again(f.d, func(ctx context.Context) (err error) {
		u, err = f.d.c.BeginUpload(ctx, f.room, fmt.Sprint(n), int64(len(data)))
		return err
	})
	id = u.ID
	acked := int64(0)
	for err == nil {
		_, err = f.d.c.SendParts(f.ctx, u, bytes.NewReader(data), func(sent int64) { acked = max(acked, sent) })
		if err == nil || refused(err) {
			return id, err
		}
		f.lost.Add(1)
		_, err = f.again(f.d, func(ctx context.Context) (err error) { u, err = f.d.c.Upload(ctx, id); return err })
		for part := range int((acked + u.PartSize - 1) / max(u.PartSize, 1)) {
			if err == nil && u.State == "uploading" && !slices.Contains(u.Parts, part) {
				return id, fmt.Errorf("part %d was acknowledged, and is not among %v", part, u.Parts)
			}
		}
	}
	return id, err
}

// await waits until one more file is posted.
func (f *posting) await() {
	want := f.count.Load() + 1
	traffic.Wait(f.ctx, f.t, "a file is posted", func() bool { return f.count.Load() >= want || f.t.Failed() })
}

// check compares all files that were posted with what c downloads.
func (f *posting) check(c *client.Client) {
	for n, id := range f.posted {
		var got bytes.Buffer
		if _, err := c.Download(f.ctx, id, 0, &got); err != nil || !bytes.Equal(got.Bytes(), fileOf(n)) {
			f.t.Errorf("file %d: %d bytes, and not what was posted; %v", n, got.Len(), err)
		}
	}
}
