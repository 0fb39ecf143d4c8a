package files

import (
	"bytes"
	"context"
	"io"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
	"github.com/unhidra/unhidra/internal/picture"
)

const (
	thumbSide  = 800              // pixels
	thumbLess  = 64 << 10         // bytes of a file that needs no small picture, if it is no larger than one
	thumbTime  = 15 * time.Second // until a file goes without
	thumbBytes = 4 << 20
	// Pictures that claim more are downloads: what shows them has to hold all pixels.
	maxPixels = 50_000_000
	maxSide   = 1 << 14
)

// look finds out what there is to know of a picture, takes out where it was taken, and makes a small one. What cannot
// be read has no small picture.
func (s *Service) look(ctx context.Context, f *pending) error {
	switch f.Type {
	case "image/jpeg", "image/png", "image/gif", "image/webp":
	default:
		return nil
	}
	if f.Type == "image/jpeg" { // also one that is too large to be shown, or whose head is too long to be read
		if err := f.clean(ctx); err != nil {
			return err
		}
	}
	r := f.content(ctx)
	w, h, ok := picture.Size(r)
	_ = r.Close() // it was read
	if !ok {
		return nil
	}
	if int64(w)*int64(h) > maxPixels || max(w, h) > maxSide {
		f.Type = "application/octet-stream"
		return nil
	}
	f.Width, f.Height = w, h
	if f.Size <= thumbLess && max(w, h) <= thumbSide {
		return nil
	}
	return s.shrink(ctx, f)
}

// shrink gives a picture a small one, unless that takes too long or it is damaged.
func (s *Service) shrink(ctx context.Context, f *pending) error {
	within, cancel := context.WithTimeout(ctx, thumbTime)
	defer cancel()
	r := f.content(within)
	defer r.Close()
	small, err := s.pictures.Fit(within, func() (io.Reader, error) { return r, nil }, thumbSide)
	if err != nil {
		s.thumbnails.WithLabelValues("failed").Inc()
		s.Log.DebugContext(ctx, "a picture has no small one", "file", f.ID, "err", err)
		return ctx.Err()
	}
	b, err := f.receive(ctx, bytes.NewReader(small.Data), thumbBytes)
	if err != nil {
		return err
	}
	s.thumbnails.WithLabelValues("ok").Inc()
	f.Thumb = domain.FileThumb{Hash: b.Hash, Width: small.Width, Height: small.Height}
	return nil
}

// clean takes out of a JPEG what cameras write beside the picture. What cannot be read as a JPEG stays as it is.
func (d *pending) clean(ctx context.Context) error {
	var size counter
	r := d.content(ctx)
	err := picture.CleanJPEG(&size, r)
	_ = r.Close() // it was read
	if err != nil || int64(size) == d.Size {
		return ctx.Err()
	}
	parts, err := d.restore(ctx, int64(size))
	if err == nil {
		d.Parts, d.Size = parts, int64(size)
	}
	return err
}

// restore makes parts of a cleaned JPEG of size bytes.
func (d *pending) restore(ctx context.Context, size int64) (parts []domain.FilePiece, err error) {
	r := d.content(ctx)
	defer r.Close()
	from, to := io.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		to.CloseWithError(picture.CleanJPEG(to, r))
	}()
	defer func() {
		_ = from.Close() // ends the goroutine, if it has not ended
		<-done
	}()
	for n := range domain.PartCount(size) {
		b, err := d.receive(ctx, io.LimitReader(from, domain.PartLength(size, n)), domain.FilePart)
		if err != nil {
			return nil, err
		}
		parts = append(parts, domain.FilePiece{N: n, Size: b.Size, Hash: b.Hash})
	}
	return parts, nil
}

// A counter counts what is written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}
