// Package picture makes small pictures out of what people send, and takes out of photos where they
// were taken. It bounds what that costs: a file of a few hundred kilobytes can claim pixels for
// gigabytes, so the header is read first, and a file whose decoding needs more than the budget is
// refused unread.
package picture

import (
	"bytes"
	"context"
	"image"
	_ "image/gif" // pictures that people have
	"image/jpeg"
	_ "image/png"
	"sync/atomic"
	"time"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"

	"github.com/unhidra/unhidra/internal/domain"
)

const (
	// MaxBytes is how long a file may be.
	MaxBytes = 1 << 20
	// MaxWaiting is how many pictures wait for their turn; more are refused.
	MaxWaiting = 16

	waitTimeout = 10 * time.Second // the longest wait for a turn
	retryAfter  = 5 * time.Second
	quality     = 88 // of the JPEG that is made
)

// A Maker makes pictures, one at a time, so that the memory of one decoding is all that
// pictures cost a server. It is safe for concurrent use.
type Maker struct {
	slot    chan struct{}
	waiting atomic.Int64
	refused atomic.Int64
}

// NewMaker returns a Maker.
func NewMaker() *Maker { return &Maker{slot: make(chan struct{}, 1)} }

// Waiting returns how many pictures wait for their turn.
func (m *Maker) Waiting() int { return int(m.waiting.Load()) }

// Refused returns how many pictures were refused because too many were waiting.
func (m *Maker) Refused() int64 { return m.refused.Load() }

// Square returns the middle of a PNG, JPEG, GIF or WebP as a JPEG of side by side
// pixels, with nothing else that was in the file. Of a GIF it is the first frame. It
// fails with bad_picture (not one of these), picture_too_large (see Cost), or busy.
func (m *Maker) Square(ctx context.Context, data []byte, side int) ([]byte, error) {
	if err := check(data, forAvatars); err != nil {
		return nil, err
	}
	if err := m.take(ctx); err != nil {
		return nil, err
	}
	defer func() { <-m.slot }()
	src, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, unreadable().Because(err)
	}
	dst := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(dst, dst.Bounds(), image.White, image.Point{}, draw.Src) // behind what is transparent
	draw.CatmullRom.Scale(dst, dst.Bounds(), src, cropSquare(src.Bounds()), draw.Over, nil)
	var out bytes.Buffer
	if err := jpeg.Encode(&out, dst, &jpeg.Options{Quality: quality}); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// take waits for this caller's turn.
func (m *Maker) take(ctx context.Context) error {
	busy := domain.Unavailable.Errorf(domain.CodeBusy,
		"many pictures are being read just now; try again").After(retryAfter)
	defer m.waiting.Add(-1)
	if m.waiting.Add(1) > MaxWaiting {
		m.refused.Add(1)
		return busy
	}
	late := time.NewTimer(waitTimeout)
	defer late.Stop()
	select {
	case m.slot <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		m.refused.Add(1)
		return busy
	}
}

// cropSquare is the largest square in the middle of r.
func cropSquare(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	x, y := r.Min.X+(r.Dx()-side)/2, r.Min.Y+(r.Dy()-side)/2
	return image.Rect(x, y, x+side, y+side)
}

func unreadable() *domain.Error {
	return domain.Invalid.Errorf(domain.CodeBadPicture,
		"this is not a picture that can be read; send a PNG, JPEG, GIF or WebP of at most 1 MiB")
}

func tooLarge(why string) *domain.Error {
	return domain.Invalid.Errorf(domain.CodePictureTooLarge, "%s; make it smaller, 1024 by 1024 pixels are plenty", why)
}
