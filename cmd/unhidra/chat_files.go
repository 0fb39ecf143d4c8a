package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unhidra/unhidra/client"
)

// sendFile posts the file at path in a room.
func (t *chatSession) sendFile(ctx context.Context, room, path string) error {
	if path == "" {
		return errors.New("say which file, as in /send photo.jpg")
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	var sent client.Sent
	err = t.await(func() error {
		u, err := t.c.UploadFile(ctx, room, filepath.Base(path), f, info.Size())
		if err == nil {
			sent, err = t.live.Send(ctx, client.Draft{Room: room, Files: []string{u.ID}})
		}
		return err
	})
	if err == nil && t.piped {
		t.echo(ctx, room, sent.Seq)
	}
	return err
}

// saveFile saves a file as a path that does not exist yet. rest is the id of the file, and the path.
func (t *chatSession) saveFile(ctx context.Context, rest string) error {
	id, path, _ := strings.Cut(rest, " ")
	if path = strings.TrimSpace(path); path == "" {
		return errors.New("say which file, and where to, as in /save fil_… photo.jpg")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; choose another name", path)
	}
	if err != nil {
		return err
	}
	var n int64
	err = t.await(func() (err error) { n, err = t.c.Download(ctx, id, 0, f); return err })
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	fmt.Fprintf(t.out, "* saved %d bytes as %s\n", n, path)
	return nil
}
