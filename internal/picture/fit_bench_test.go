//go:build unix

package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/unhidra/unhidra/internal/testkit"
)

// taken is a picture as a camera takes it: no pixel is quite like its neighbour.
func taken(w, h int) image.Image {
	m, rng := image.NewRGBA(image.Rect(0, 0, w, h)), rand.New(rand.NewPCG(1, 2))
	for y := range h {
		for x := range w {
			noise := uint8(rng.IntN(24))
			m.SetRGBA(x, y, color.RGBA{uint8(x*200/w) + noise, uint8(y*200/h) + noise, uint8((x+y)%97) + noise, 255})
		}
	}
	return m
}

// screen is a picture of windows with text: planes of one colour, and small strokes on them.
func screen(w, h int) image.Image {
	m, rng := image.NewRGBA(image.Rect(0, 0, w, h)), rand.New(rand.NewPCG(3, 4))
	for y := range h {
		for x := range w {
			shade := uint8(250)
			if x < w/5 {
				shade = 40
			}
			m.SetRGBA(x, y, color.RGBA{shade, shade, shade + 5, 255})
		}
	}
	for line := 10; line+12 < h; line += 20 {
		for x := w/5 + 20; x < w-20; x += 9 {
			if rng.IntN(6) == 0 {
				continue // between words
			}
			for range 18 {
				m.SetRGBA(x+rng.IntN(7), line+rng.IntN(12), color.RGBA{30, 30, 30, 255})
			}
		}
	}
	return m
}

// BenchmarkFit makes the small picture of a photo of 12 megapixels, and of a screen.
func BenchmarkFit(b *testing.B) {
	var photo, shot bytes.Buffer
	if err := jpeg.Encode(&photo, taken(4000, 3000), &jpeg.Options{Quality: 85}); err != nil {
		b.Fatal(err)
	}
	if err := png.Encode(&shot, screen(2560, 1440)); err != nil {
		b.Fatal(err)
	}
	m := NewMaker()
	for name, data := range map[string][]byte{"photo": photo.Bytes(), "screen": shot.Bytes()} {
		b.Run(name, func(b *testing.B) {
			testkit.Cost(b, "pictures", 1, func(int) {
				if _, err := m.Fit(b.Context(), func() (io.Reader, error) { return bytes.NewReader(data), nil }, 800); err != nil {
					b.Fatal(err)
				}
			})
			b.ReportMetric(float64(len(data)), "B/picture")
		})
	}
}
