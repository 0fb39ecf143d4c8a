package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/wire"
)

// File is a file of a message.
type File = wire.File

// Upload is one of the user's own files. While its State is "uploading", Parts are the numbers of the parts that the
// server has; messages can have it once it is "ready".
type Upload struct {
	File
	State     string     `json:"state"`
	Room      string     `json:"room"`
	PartSize  int64      `json:"part_size"`
	Parts     []int      `json:"parts"`
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at"` // when it is deleted, if no message has it; nil: one has
}

// patient is the HTTP client for large bodies, which no time limit ends but that of the context.
func (c *Client) patient() *http.Client {
	h := *c.http
	h.Timeout = 0
	return &h
}

// BeginUpload begins to upload a file, for messages in room. The server says now if it will not take it.
func (c *Client) BeginUpload(ctx context.Context, room, name string, size int64) (u Upload, err error) {
	err = c.Do(ctx, http.MethodPost, "/files", map[string]any{"room": room, "name": name, "size": size}, &u)
	return u, err
}

// Upload returns one of the user's own files.
func (c *Client) Upload(ctx context.Context, id string) (u Upload, err error) {
	err = c.into(ctx, filePath(id), &u)
	return u, err
}

// partsAtOnce are on their way at the same time: the server writes one to its disk while the next one arrives.
const partsAtOnce = 3

// A flight is a part that is on its way.
type flight struct {
	part []byte
	end  int64 // of the part, in the file
	done chan error
}

// SendParts sends the parts of a file that the server does not have, and completes it. After an error, get the Upload
// anew and call it again: it goes on. sent is called with how many bytes from the start are there; it may be nil.
func (c *Client) SendParts(ctx context.Context, u Upload, r io.ReaderAt, sent func(bytes int64)) (Upload, error) {
	if u.State == "ready" { // the answer to the first call was lost
		return u, nil
	}
	var whole hash.Hash   // nil: each part is sent with its own hash, and that is enough
	if len(u.Parts) > 0 { // who knows whether the file is still what it was then
		whole = sha256.New()
	}
	if err := c.sendParts(ctx, u, r, whole, sent); err != nil {
		return u, err
	}
	completion := map[string]string{}
	if whole != nil {
		completion["sha256"] = hex.EncodeToString(whole.Sum(nil))
	}
	err := c.Do(ctx, http.MethodPost, filePath(u.ID)+"/complete", completion, &u)
	return u, err
}

func (c *Client) sendParts(ctx context.Context, u Upload, r io.ReaderAt, hash io.Writer, sent func(int64)) error {
	here := make(map[int]bool, len(u.Parts))
	for _, n := range u.Parts {
		here[n] = true
	}
	ctx, cancel := context.WithCancel(ctx)
	var sending sync.WaitGroup
	defer sending.Wait() // nothing is sent afterwards
	defer cancel()
	var flights []flight // in the order of the file
	land := func() (part []byte, err error) {
		first := flights[0]
		flights = flights[1:]
		if err = <-first.done; err == nil && sent != nil {
			sent(first.end)
		}
		return first.part, err
	}
	for n, at := 0, int64(0); at < u.Size; n, at = n+1, at+u.PartSize {
		length := min(u.PartSize, u.Size-at)
		var part []byte
		if len(flights) == partsAtOnce {
			var err error
			if part, err = land(); err != nil {
				return err
			}
		}
		if part == nil {
			part = make([]byte, min(u.PartSize, u.Size))
		}
		if _, err := r.ReadAt(part[:length], at); err != nil && err != io.EOF {
			return err
		}
		if hash != nil {
			_, _ = hash.Write(part[:length]) // never fails
		}
		f := flight{part, at + length, make(chan error, 1)}
		flights = append(flights, f)
		if here[n] {
			f.done <- nil
			continue
		}
		sending.Go(func() {
			part := f.part[:length]
			path := fmt.Sprintf("%s/parts/%d?sha256=%x", filePath(u.ID), n, sha256.Sum256(part))
			f.done <- c.Do(ctx, http.MethodPut, path, Bytes(part), nil)
		})
	}
	for len(flights) > 0 {
		if _, err := land(); err != nil {
			return err
		}
	}
	return nil
}

// UploadFile uploads a file whole, for messages in room. The context bounds how long it may take.
func (c *Client) UploadFile(ctx context.Context, room, name string, r io.ReaderAt, size int64) (Upload, error) {
	if size > 0 && size <= domain.FilePart {
		content := make([]byte, size)
		if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), content); err != nil {
			return Upload{}, err
		}
		u, err := c.UploadBytes(ctx, room, name, rand.Text(), content)
		if e, ok := errors.AsType[*Error](err); !ok || e.Status != http.StatusMethodNotAllowed {
			return u, err
		} // an older server
	}
	u, err := c.BeginUpload(ctx, room, name, size)
	if err != nil {
		return u, err
	}
	return c.SendParts(ctx, u, r, nil)
}

// UploadBytes uploads a file of at most 8 MiB in one request, for messages in room. A second call with the same key, a
// fresh UUID for example, returns the file of the first; an empty key is none.
func (c *Client) UploadBytes(ctx context.Context, room, name, key string, content []byte) (u Upload, err error) {
	path := roomPath(room) + "/files?" + query("name", name, "key", key, "sha256",
		fmt.Sprintf("%x", sha256.Sum256(content)))
	err = c.Do(ctx, http.MethodPost, path, Bytes(content), &u)
	return u, err
}

// DeleteFile deletes one of the user's own files that no message has.
func (c *Client) DeleteFile(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, filePath(id), nil, nil)
}

// RoomFile is a file of a message in a room.
type RoomFile struct {
	Room   string    `json:"room"`
	Seq    int64     `json:"seq"`
	Sender User      `json:"sender"`
	At     time.Time `json:"at"`
	File   File      `json:"file"`
}

// RoomFiles returns a page of the files of a room's messages, the newest first. q begins a word of the name; kind is
// "image", "video", "audio" or "other"; before is Next of the page before. All may be empty.
func (c *Client) RoomFiles(ctx context.Context, room, q, kind, before string) (p Page[RoomFile], err error) {
	err = c.into(ctx, roomPath(room)+"/files?"+query("q", q, "kind", kind, "before", before), &p)
	return p, err
}

// Download writes the content of a file to w, from an offset, and returns how many bytes it wrote. After an error,
// go on behind what is there. The context bounds how long it may take.
func (c *Client) Download(ctx context.Context, id string, offset int64, w io.Writer) (int64, error) {
	token, err := c.token(ctx, "")
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/api/v1"+filePath(id)+"/content", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if offset > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	resp, err := c.patient().Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	switch {
	case resp.StatusCode >= http.StatusBadRequest:
		b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		if err != nil {
			return 0, err
		}
		return 0, problem(resp.StatusCode, b)
	case offset > 0 && resp.StatusCode != http.StatusPartialContent:
		return 0, fmt.Errorf("the server sends %s from its beginning, and not from byte %d", id, offset)
	}
	return io.Copy(w, resp.Body)
}

func filePath(id string) string { return "/files/" + url.PathEscape(id) }
