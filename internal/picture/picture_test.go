package picture

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/unhidra/unhidra/internal/domain"
)

const side = 256

func square(t *testing.T, data []byte) ([]byte, error) {
	t.Helper()
	return NewMaker().Square(t.Context(), data, side)
}

func encoded(t *testing.T, encode func(b *bytes.Buffer) error) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestSquare: the picture that is made is ours alone: of our size, and without what
// cameras write beside it, such as where it was taken.
func TestSquare(t *testing.T) {
	src := image.NewRGBA(image.Rect(0, 0, 300, 100))
	for x := range 300 {
		src.Set(x, 50, color.RGBA{255, 0, 0, 255})
	}
	photo := encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, src, nil) })
	const place = "Exif\x00\x00GPS 52.5200N 13.4050E"
	webp, err := base64.StdEncoding.DecodeString("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==")
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"png":  encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, src) }),
		"gif":  encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, src, nil) }),
		"jpeg": slices.Insert(photo, 2, append([]byte{0xff, 0xe1, 0, 2 + byte(len(place))}, place...)...),
		"webp": webp,
	} {
		made, err := square(t, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := jpeg.Decode(bytes.NewReader(made))
		if err != nil || got.Bounds() != image.Rect(0, 0, side, side) {
			t.Errorf("%s: %v, %v", name, got.Bounds(), err)
		}
		if bytes.Contains(made, []byte("Exif")) || bytes.Contains(made, []byte("GPS")) {
			t.Errorf("%s: where the picture was taken is in it", name)
		}
	}
	none := map[string][]byte{"text": []byte("no picture"), "half": photo[:40], "long": make([]byte, MaxBytes+1)}
	for name, data := range none {
		if _, err := square(t, data); domain.CodeOf(err) != domain.CodeBadPicture {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// allocated returns how much fn allocates, garbage included.
func allocated(fn func()) int64 {
	least := int64(math.MaxInt64)
	for range 3 { // other tests allocate meanwhile
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		fn()
		runtime.ReadMemStats(&after)
		least = min(least, int64(after.TotalAlloc-before.TotalAlloc)) // it grows
	}
	return least
}

// TestDecompressionBombsAreRefused: a small file that claims many pixels costs nothing but a
// look at its head, in every format and by every way of storing pixels.
func TestDecompressionBombsAreRefused(t *testing.T) {
	for name, data := range map[string][]byte{
		"png of 16 bits":             pngHead(6400, 6553, 16, 6, 0),
		"png of 16 bits, 8 MP":       pngHead(2896, 2896, 16, 2, 0),
		"png of 16 bit grays, 8 MP":  pngHead(2896, 2896, 16, 0, 0),
		"png, interlaced, 8 MP":      pngHead(2896, 2896, 8, 6, 1),
		"png, interlaced, late head": lateHead(pngHead(2896, 2896, 8, 6, 1)),
		"png, one long line":         pngHead(1<<30, 1, 8, 6, 0),
		"jpeg":                       jpegHead(0xc0, 65500, 65500, 0x22, 0x11, 0x11),
		"jpeg, progressive, 8 MP":    jpegHead(0xc2, 2896, 2896, 0x22, 0x11, 0x11),
		"jpeg, CMYK":                 jpegHead(0xc0, 2896, 2896, 0x11, 0x11, 0x11, 0x11),
		"jpeg, progressive CMYK":     jpegHead(0xc2, 1600, 1600, 0x11, 0x11, 0x11, 0x11),
		"jpeg of a thousand scans": append(jpegHead(0xc2, 64, 64, 0x11),
			bytes.Repeat([]byte("\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00"), 1000)...),
		"gif":                        []byte("GIF89a\xff\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x08"),
		"webp, lossless":             webpOf("VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f}),
		"webp, canvas":               webpOf("VP8X", []byte{0x10, 0, 0, 0, 0xff, 0x3f, 0, 0xff, 0x3f, 0}),
		"webp, transparent, 8 MP":    webpOf("VP8X", []byte{0x10, 0, 0, 0, 0x4f, 0x0b, 0, 0x4f, 0x0b, 0}),
		"webp, a lot of it lossless": webpOf("VP8L", append([]byte{0x2f, 0xff, 0xc0, 0x0f, 0}, make([]byte, forAvatars.lossless)...)),
	} {
		var err error
		if n := allocated(func() { _, err = square(t, data) }); n > 4<<20 ||
			domain.CodeOf(err) != domain.CodePictureTooLarge {
			t.Errorf("%s: %d MiB were allocated, and the answer is %v", name, n>>20, err)
		}
	}
}

// TestMemoryOfThePicturesThatAreRead: what is let in costs at most twice the budget,
// garbage included: the decoder's part and the strip that scaling works in.
func TestMemoryOfThePicturesThatAreRead(t *testing.T) {
	frame := image.NewPaletted(image.Rect(0, 0, 1000, 1000), color.Palette{color.Black, color.White})
	frames := &gif.GIF{}
	for range 300 {
		frames.Image, frames.Delay = append(frames.Image, frame), append(frames.Delay, 1)
	}
	asPNG := func(m image.Image) []byte { return encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, m) }) }
	large := image.Rect(0, 0, 2890, 2890)
	for name, data := range map[string][]byte{
		"png of 8 MP":  asPNG(image.NewNRGBA(large)),
		"png, 16 bits": asPNG(image.NewNRGBA64(image.Rect(0, 0, 2000, 2000))),
		"png, palette": encoded(t, func(b *bytes.Buffer) error {
			return png.Encode(b, image.NewPaletted(image.Rect(0, 0, 2890, 2890), frame.Palette))
		}),
		"jpeg of 8 MP":  encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, image.NewRGBA(large), nil) }),
		"gif of frames": encoded(t, func(b *bytes.Buffer) error { return gif.EncodeAll(b, frames) }),
	} {
		if len(data) > MaxBytes {
			t.Fatalf("%s: %d bytes", name, len(data))
		}
		var err error
		if n := allocated(func() { _, err = square(t, data) }); err != nil || n > 2*maxMemory {
			t.Errorf("%s: %d MiB were allocated, %v", name, n>>20, err)
		}
	}
}

// TestConcurrencyLimit: pictures are made one after the other; those that wait too long, or behind
// too many, are told to come back, and nobody waits for one who has gone.
func TestConcurrencyLimit(t *testing.T) {
	data := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, image.NewGray(image.Rect(0, 0, 1, 1))) })
	synctest.Test(t, func(t *testing.T) {
		m := NewMaker()
		m.slot <- struct{}{}
		var waiting sync.WaitGroup
		for range MaxWaiting {
			waiting.Go(func() {
				if _, err := m.Square(t.Context(), data, side); domain.CodeOf(err) != domain.CodeBusy {
					t.Errorf("waited too long: %v", err)
				}
			})
		}
		synctest.Wait()
		if _, err := m.Square(t.Context(), data, side); domain.CodeOf(err) != domain.CodeBusy ||
			m.Waiting() != MaxWaiting {
			t.Errorf("behind %d others: %v", m.Waiting(), err)
		}
		waiting.Wait()
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := m.Square(gone, data, side); !errors.Is(err, context.Canceled) {
			t.Errorf("gone: %v", err)
		}
		<-m.slot
		if _, err := m.Square(t.Context(), data, side); err != nil || m.Waiting() != 0 {
			t.Errorf("when it is free again: %v, %d wait", err, m.Waiting())
		}
	})
}

// pngHead is a PNG that ends where its pixels would begin.
func pngHead(width, height uint32, depth, kind, interlace byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	head = append(binary.BigEndian.AppendUint32(head, height), depth, kind, 0, 0, interlace)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(head))
	return append(b, "\x00\x00\x10\x00IDAT\x78\x9c"...)
}

// lateHead puts a chunk that decoders skip before the head of a PNG.
func lateHead(png []byte) []byte {
	chunk := append([]byte("abCd"), make([]byte, 8)...)
	b := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x08"), chunk...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(chunk))
	return append(b, png[8:]...)
}

// jpegHead is a JPEG with components of these sampling factors, which ends where its
// first scan would begin.
func jpegHead(frame byte, width, height uint16, sampling ...byte) []byte {
	b := []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")
	n := byte(len(sampling))
	b = append(b, 0xff, frame, 0, 8+3*n, 8)
	b = append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, height), width), n)
	for i, s := range sampling {
		b = append(b, byte(i+1), s, 0)
	}
	if n > 1 {
		return b
	}
	return append(b, 0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0)
}

func webpOf(kind string, chunk []byte) []byte {
	size := func(n int) []byte { return binary.LittleEndian.AppendUint32(nil, uint32(n)) } // of a test
	b := slices.Concat([]byte("RIFF"), size(12+len(chunk)), []byte("WEBP"), []byte(kind), size(len(chunk)), chunk)
	return append(b, make([]byte, len(chunk)&1)...)
}
