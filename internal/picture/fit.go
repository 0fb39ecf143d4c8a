package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/draw"
)

const (
	// MaxPosted is how long a file may be of which Fit makes a small picture.
	MaxPosted = 32 << 20

	postQuality = 80 // of the JPEG that Fit makes
)

// A Small is a small picture of another one.
type Small struct {
	Data          []byte // JPEG, or PNG if something of it is transparent
	Width, Height int
}

// Size returns how many pixels a picture has, as it is shown: a camera that was held upright stores it lying. It reads
// no more than the head. ok is false if r is no PNG, JPEG, GIF or WebP.
func Size(r io.Reader) (width, height int, ok bool) {
	var seen bytes.Buffer
	c, format, err := image.DecodeConfig(io.TeeReader(io.LimitReader(r, maxHead), &seen))
	if err != nil || c.Width <= 0 || c.Height <= 0 {
		return 0, 0, false
	}
	if format == "jpeg" && lies(orientationOf(seen.Bytes())) {
		return c.Height, c.Width, true
	}
	return c.Width, c.Height, true
}

const maxHead = 1 << 20 // bytes in which the head of a picture is

// Fit returns a picture of at most side by side pixels of a PNG, JPEG, GIF or WebP, the way up that it is to be shown,
// and with nothing else that was in the file. Of a GIF it is the first frame. It fails as Square does. read is called
// when it is this picture's turn; it stops when ctx ends.
func (m *Maker) Fit(ctx context.Context, read func() (io.Reader, error), side int) (small Small, err error) {
	if err := m.take(ctx); err != nil {
		return small, err
	}
	defer func() { <-m.slot }()
	r, err := read()
	if err != nil {
		return small, err
	}
	data, err := io.ReadAll(io.LimitReader(r, MaxPosted+1))
	if err != nil {
		return small, err
	}
	if err := check(data, forPosts); err != nil {
		return small, err
	}
	src, _, err := image.Decode(&while{ctx, bytes.NewReader(data)})
	if err != nil {
		return small, errors.Join(ctx.Err(), unreadable().Because(err))
	}
	return encode(upright(fit(src, side), data))
}

// while reads as long as ctx has not ended: decoders cannot be told to stop.
type while struct {
	ctx context.Context
	r   io.Reader
}

func (w *while) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(b)
}

func encode(m *image.RGBA) (small Small, err error) {
	var out bytes.Buffer
	if m.Opaque() {
		err = jpeg.Encode(&out, m, &jpeg.Options{Quality: postQuality})
	} else {
		err = png.Encode(&out, m)
	}
	return Small{out.Bytes(), m.Rect.Dx(), m.Rect.Dy()}, err
}

// fit scales src to at most side by side pixels. A large one is averaged first to some twice of that, which is fast
// and leaves no pattern.
func fit(src image.Image, side int) *image.RGBA {
	from := src.Bounds()
	w, h := from.Dx(), from.Dy()
	if longer := max(w, h); longer > side {
		w, h = max(1, w*side/longer), max(1, h*side/longer)
	}
	if n := min(from.Dx()/(2*w), from.Dy()/(2*h)); n > 1 {
		src = averaged(src, n)
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if src.Bounds().Dx() == w && src.Bounds().Dy() == h {
		draw.Draw(dst, dst.Rect, src, src.Bounds().Min, draw.Src)
		return dst
	}
	draw.CatmullRom.Scale(dst, dst.Rect, src, src.Bounds(), draw.Src, nil)
	return dst
}

// averaged makes one pixel of each n by n pixels of src. It needs the memory of n lines.
func averaged(src image.Image, n int) *image.RGBA {
	from := src.Bounds()
	dst := image.NewRGBA(image.Rect(0, 0, from.Dx()/n, from.Dy()/n))
	strip := image.NewRGBA(image.Rect(0, 0, dst.Rect.Dx()*n, n))
	sums := make([]uint32, 4*dst.Rect.Dx())
	for y := range dst.Rect.Dy() {
		draw.Draw(strip, strip.Rect, src, image.Pt(from.Min.X, from.Min.Y+y*n), draw.Src)
		clear(sums)
		for line := range n {
			row := strip.Pix[line*strip.Stride:][:4*strip.Rect.Dx()]
			for x, i := 0, 0; x < len(sums); x += 4 {
				for range n {
					sums[x] += uint32(row[i])
					sums[x+1] += uint32(row[i+1])
					sums[x+2] += uint32(row[i+2])
					sums[x+3] += uint32(row[i+3])
					i += 4
				}
			}
		}
		out := dst.Pix[y*dst.Stride:]
		for i, sum := range sums {
			out[i] = byte(sum / uint32(n*n)) //nolint:gosec // an average of bytes
		}
	}
	return dst
}

// turned turns a picture as the orientation of EXIF says, 1 to 8.
func turned(src *image.RGBA, orientation int) *image.RGBA {
	w, h := src.Rect.Dx(), src.Rect.Dy()
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	if lies(orientation) {
		dst = image.NewRGBA(image.Rect(0, 0, h, w))
	}
	for y := range h {
		for x := range w {
			tx, ty := x, y
			switch orientation {
			case 2:
				tx = w - 1 - x
			case 3:
				tx, ty = w-1-x, h-1-y
			case 4:
				ty = h - 1 - y
			case 5:
				tx, ty = y, x
			case 6:
				tx, ty = h-1-y, x
			case 7:
				tx, ty = h-1-y, w-1-x
			case 8:
				tx, ty = y, w-1-x
			}
			copy(dst.Pix[ty*dst.Stride+4*tx:][:4], src.Pix[y*src.Stride+4*x:][:4])
		}
	}
	return dst
}

// lies reports whether a picture of this orientation is stored with its sides exchanged.
func lies(orientation int) bool { return orientation >= 5 && orientation <= 8 }
