package files

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/unhidra/unhidra/internal/domain"
)

// open returns the content of a file. It opens the parts as they are read.
func (s *Service) open(ctx context.Context, f domain.File) io.ReadSeekCloser {
	return &content{ctx: ctx, blobs: s.Blobs, parts: f.Parts, size: f.Size}
}

// content reads the parts of a file one after another.
type content struct {
	ctx    context.Context
	blobs  Blobs
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
func (s *Service) sniff(ctx context.Context, f domain.File) (string, error) {
	r := s.open(ctx, f)
	defer r.Close()
	var head bytes.Buffer
	if _, err := io.CopyN(&head, r, min(f.Size, sniffed)); err != nil {
		return "", err
	}
	return mediaType(head.Bytes()), nil
}
