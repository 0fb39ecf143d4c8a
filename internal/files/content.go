package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"

	"github.com/unhidra/unhidra/internal/blob"
	"github.com/unhidra/unhidra/internal/domain"
)

// open returns the content of a file. It opens the parts as they are read.
func (s *Service) open(ctx context.Context, f domain.File) io.ReadSeekCloser {
	return &content{ctx: ctx, blobs: s.Blobs, parts: f.Parts, size: f.Size}
}

// A pending is a file that is about to be ready. What has arrived for it is kept with it, or not at all.
type pending struct {
	domain.File
	blobs   Blobs
	arrived []*blob.Incoming
}

// receive takes something that the file may consist of.
func (d *pending) receive(ctx context.Context, r io.Reader, limit int64) (*blob.Incoming, error) {
	in, err := d.blobs.Receive(ctx, r, limit)
	if err == nil {
		d.arrived = append(d.arrived, in)
	}
	return in, err
}

// close lets go of what has arrived.
func (d *pending) close() {
	for _, in := range d.arrived {
		in.Close()
	}
}

// Open opens a part, which may have just arrived.
func (d *pending) Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error) {
	for _, in := range d.arrived {
		if in.Hash == hash {
			return in.Open(), in.Blob, nil
		}
	}
	return d.blobs.Open(ctx, hash)
}

// content returns the content of the file.
func (d *pending) content(ctx context.Context) io.ReadSeekCloser {
	return &content{ctx: ctx, blobs: d, parts: d.Parts, size: d.Size}
}

// keep has add store the file, after what it consists of.
func (d *pending) keep(ctx context.Context, add func(ctx context.Context, made []domain.Blob) error) error {
	var needed []*blob.Incoming
	for _, in := range d.arrived {
		part := slices.ContainsFunc(d.Parts, func(p domain.FilePiece) bool { return p.Hash == in.Hash })
		same := slices.ContainsFunc(needed, func(other *blob.Incoming) bool { return other.Hash == in.Hash })
		if (part || in.Hash == d.Thumb.Hash) && !same {
			needed = append(needed, in)
		}
	}
	return d.blobs.Keep(ctx, add, needed...)
}

// An opener opens parts by their content.
type opener interface {
	Open(ctx context.Context, hash string) (io.ReadSeekCloser, domain.Blob, error)
}

// content reads the parts of a file one after another.
type content struct {
	ctx    context.Context
	blobs  opener
	parts  []domain.FilePiece
	size   int64
	offset int64
	open   io.ReadSeekCloser // the part at offset; nil: none is open
	end    int64             // of that part, in the file
}

func (c *content) Read(b []byte) (int, error) {
	if c.offset >= c.size {
		return 0, io.EOF
	}
	if c.open == nil {
		if err := c.seekPart(); err != nil {
			return 0, err
		}
	}
	n, err := c.open.Read(b[:min(int64(len(b)), c.end-c.offset)])
	c.offset += int64(n)
	if c.offset == c.end {
		return n, c.Close()
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// seekPart opens the part that has the offset.
func (c *content) seekPart() error {
	begin := int64(0)
	for _, p := range c.parts {
		if c.offset >= begin+p.Size {
			begin += p.Size
			continue
		}
		r, _, err := c.blobs.Open(c.ctx, p.Hash)
		if err != nil {
			return err
		}
		if _, err := r.Seek(c.offset-begin, io.SeekStart); err != nil {
			return errors.Join(err, r.Close())
		}
		c.open, c.end = r, begin+p.Size
		return nil
	}
	return io.ErrUnexpectedEOF
}

func (c *content) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += c.offset
	case io.SeekEnd:
		offset += c.size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning of a file")
	}
	if offset == c.offset {
		return offset, nil
	}
	c.offset = offset
	return offset, c.Close()
}

func (c *content) Close() error {
	if c.open == nil {
		return nil
	}
	err := c.open.Close()
	c.open = nil
	return err
}

// sniff returns the media type of a file by its content.
func (d *pending) sniff(ctx context.Context) (string, error) {
	r := d.content(ctx)
	defer r.Close()
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, min(d.Size, sniffed)); err != nil {
		return "", err
	}
	return mediaType(head.Bytes()), nil
}
