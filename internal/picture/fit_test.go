package picture

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/unhidra/unhidra/internal/domain"
)

func fitted(t *testing.T, data []byte, side int) (Small, error) {
	t.Helper()
	return NewMaker().Fit(t.Context(), func() (io.Reader, error) { return bytes.NewReader(data), nil }, side)
}

// halves is a picture whose left half is red, and whose right half is blue.
func halves(w, h int) *image.RGBA {
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{200, 0, 0, 255}
			if x >= w/2 {
				c = color.RGBA{0, 0, 200, 255}
			}
			m.SetRGBA(x, y, c)
		}
	}
	return m
}

func asJPEG(t *testing.T, m image.Image) []byte {
	t.Helper()
	return encoded(t, func(b *bytes.Buffer) error { return jpeg.Encode(b, m, nil) })
}

// photo is a JPEG with what a camera writes beside the picture.
func photo(t *testing.T, m image.Image, orientation int) []byte {
	t.Helper()
	segment := func(marker byte, data string) []byte {
		return append([]byte{0xff, marker, byte((len(data) + 2) >> 8), byte(len(data) + 2)}, data...)
	}
	exif := string(orientationExif(orientation)) + "GPS 52.5200N 13.4050E"
	return slices.Concat([]byte{0xff, markSOI}, segment(markAPP1, exif), segment(markAPP1, "http://ns.adobe.com/xap GPS"),
		segment(markAPP2, "ICC_PROFILE\x00colours"), segment(markAPP2, "MPF\x00further"), segment(0xed, "Photoshop GPS"),
		asJPEG(t, m)[2:], []byte("\xff\xd8 a second picture with GPS"))
}

func TestSmallPicturesKeepTheirShape(t *testing.T) {
	t.Parallel()
	see := image.NewNRGBA(image.Rect(0, 0, 900, 30)) // transparent
	for name, c := range map[string]struct {
		data []byte
		w, h int
		png  bool
	}{
		"png":         {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, halves(1000, 500)) }), 320, 160, false},
		"transparent": {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, see) }), 320, 10, true},
		"gif": {encoded(t, func(b *bytes.Buffer) error { return gif.Encode(b, halves(900, 1800), nil) }),
			160, 320, false},
		"small": {asJPEG(t, halves(64, 20)), 64, 20, false},
		"thin":  {asJPEG(t, halves(4000, 3)), 320, 1, false},
	} {
		s, err := fitted(t, c.data, 320)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_, format, err := image.Decode(bytes.NewReader(s.Data))
		if err != nil || s.Width != c.w || s.Height != c.h || (format == "png") != c.png {
			t.Errorf("%s: %d by %d, %s, %v", name, s.Width, s.Height, format, err)
		}
	}
}

// A camera that is held upright stores the picture lying, and says so.
func TestPicturesAreTurnedAsTheyAreShown(t *testing.T) {
	t.Parallel()
	// where the red half is in the small picture, by x and y of a point within it
	red := map[int]image.Point{1: {10, 20}, 2: {70, 20}, 3: {70, 20}, 4: {10, 20}, 5: {20, 10}, 6: {20, 10}, 7: {20, 70},
		8: {20, 70}}
	for o, at := range red {
		data := photo(t, halves(800, 400), o)
		w, h, ok := Size(bytes.NewReader(data))
		s, err := fitted(t, data, 80)
		if err != nil || !ok || w != 10*s.Width || h != 10*s.Height || (w < h) != lies(o) {
			t.Errorf("orientation %d: %d by %d of %d by %d, %v", o, s.Width, s.Height, w, h, err)
			continue
		}
		m, err := jpeg.Decode(bytes.NewReader(s.Data))
		if err != nil {
			t.Fatal(err)
		}
		if r, _, b, _ := m.At(at.X, at.Y).RGBA(); r < b {
			t.Errorf("orientation %d: it is not red at %v", o, at)
		}
	}
}

// What is posted says nothing of where it was taken, and is the same picture.
func TestPhotosAreCleaned(t *testing.T) {
	t.Parallel()
	m := halves(300, 200)
	data := photo(t, m, 6)
	var out bytes.Buffer
	if err := CleanJPEG(&out, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"GPS", "Photoshop", "MPF", "adobe"} {
		if bytes.Contains(out.Bytes(), []byte(word)) {
			t.Errorf("%s is in it", word)
		}
	}
	if !bytes.Contains(out.Bytes(), []byte("ICC_PROFILE\x00colours")) || orientationOf(out.Bytes()) != 6 {
		t.Errorf("the colours are gone, or the orientation is %d", orientationOf(out.Bytes()))
	}
	plain := asJPEG(t, m)
	if !bytes.HasSuffix(out.Bytes(), plain[2:]) {
		t.Error("the picture is another one")
	}
	var again bytes.Buffer
	if err := CleanJPEG(&again, bytes.NewReader(out.Bytes())); err != nil || !bytes.Equal(again.Bytes(), out.Bytes()) {
		t.Errorf("what is clean changes: %v", err)
	}
	half := data[:len(data)-len(plain)/2-40]
	out.Reset()
	if err := CleanJPEG(&out, bytes.NewReader(half)); err != nil || bytes.Contains(out.Bytes(), []byte("GPS")) {
		t.Errorf("half a photo: %v", err)
	}
	for _, bad := range []string{"", "GIF89a", "\xff\xd8", "\xff\xd8\xff\xe1\x00", "\xff\xd8\xff\xe1\x00\x01"} {
		if err := CleanJPEG(&out, bytes.NewReader([]byte(bad))); err == nil {
			t.Errorf("%q is taken for a JPEG", bad)
		}
	}
}

// Between the scans of a JPEG are tables, whose bytes may look like the end of the picture.
func TestTablesBetweenScansAreCopied(t *testing.T) {
	t.Parallel()
	data := []byte("\xff\xd8" + "\xff\xda\x00\x03s12\xff\x003\xff\xd04" +
		"\xff\xff\xc4\x00\x06\xff\xd9tt\xff\xda\x00\x03s56\xff\xd9")
	var out bytes.Buffer
	if err := CleanJPEG(&out, bytes.NewReader(append(slices.Clone(data), "GPS"...))); err != nil {
		t.Fatal(err)
	}
	want := bytes.Replace(data, []byte("\xff\xff\xc4"), []byte("\xff\xc4"), 1) // fill bytes may go
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%q", out.Bytes())
	}
}

// segment is a segment of a JPEG.
func segment(marker byte, data string) string {
	return string([]byte{0xff, marker, byte((len(data) + 2) >> 8), byte(len(data) + 2)}) + data
}

// Of what stands beside a picture only that stays without which it would look different, and nothing hides behind bytes
// that decoders skip.
func TestOnlyThePictureIsLeft(t *testing.T) {
	t.Parallel()
	jfif := "JFIF\x00\x01\x02\x01\x00\x48\x00\x48"
	keep := segment(0xe0, jfif+"\x00\x00") + segment(0xe2, "ICC_PROFILE\x00\x01\x01colours") +
		segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01") + segment(0xdb, "table")
	scan := segment(0xda, "s") + "12\xff\x003\xff\xd9"
	gps := segment(0xe1, "Exif\x00\x00MM\x00\x2aGPS")
	for name, beside := range map[string]string{
		"nothing": "", "EXIF": gps, "XMP": segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00GPS"),
		"a comment": segment(0xfe, "GPS"), "JFXX": segment(0xe0, "JFXX\x00\x10GPS"), "IPTC": segment(0xed, "GPS"),
		"JUMBF": segment(0xeb, "JP\x00GPS"), "a gain map": segment(0xe2, "urn:iso:std:iso:ts:21496:-1\x00GPS"),
		"FlashPix": segment(0xe2, "FPXR\x00GPS"), "Ducky": segment(0xec, "GPS"), "the last": segment(0xef, "GPS"),
		"bytes, EXIF": "GPS" + gps, "a zero, EXIF": "\xff\x00" + gps, "a restart, EXIF": "\xff\xd3" + gps,
		"TEM, EXIF": "\xff\x01" + gps, "fill bytes, EXIF": "\xff\xff" + gps,
	} {
		var out bytes.Buffer
		err := CleanJPEG(&out, strings.NewReader("\xff\xd8"+beside+keep+scan+"GPS"))
		if err != nil || out.String() != "\xff\xd8"+keep+scan {
			t.Errorf("%s: %q, %v", name, out.String(), err)
		}
	}
	var out bytes.Buffer
	err := CleanJPEG(&out, strings.NewReader("\xff\xd8"+segment(0xe0, jfif+"\x01\x01GPS")+scan))
	if err != nil || out.String() != "\xff\xd8"+segment(0xe0, jfif+"\x00\x00")+scan {
		t.Errorf("a small picture in JFIF: %q, %v", out.String(), err)
	}
	out.Reset()
	if err := CleanJPEG(&out, strings.NewReader("\xff\xd8"+strings.Repeat("\xff\x00", 1<<20))); err == nil {
		t.Error("bytes without a segment are taken for a JPEG")
	}
}

func TestPostedBombsAreRefused(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"png of 400 MP":        pngHead(20_000, 20_000, 8, 2, 0),
		"png, one long line":   pngHead(1<<30, 1, 8, 6, 0),
		"png of 16 bits":       pngHead(7000, 7000, 16, 6, 0),
		"jpeg":                 jpegHead(0xc0, 65500, 65500, 0x22, 0x11, 0x11),
		"progressive, 45 MP":   jpegHead(0xc2, 6700, 6700, 0x22, 0x11, 0x11),
		"gif of 256 MP":        []byte("GIF89a\xff\x3e\xff\x3e\x00\x00\x00,\x00\x00\x00\x00\xff\xff\xff\xff\x00\x08"),
		"webp, lossless":       webpOf("VP8L", []byte{0x2f, 0xff, 0xff, 0xff, 0x0f}),
		"webp, canvas":         webpOf("VP8X", []byte{0x10, 0, 0, 0, 0xff, 0x3f, 0, 0xff, 0x3f, 0}),
		"jpeg of many scans":   manyScans(5000, 4000, 150),
		"png, a side too long": pngHead(20_000, 10, 8, 2, 0),
	} {
		var err error
		if n := allocated(func() { _, err = fitted(t, data, 800) }); n > 4<<20 ||
			domain.CodeOf(err) != domain.CodePictureTooLarge {
			t.Errorf("%s: %d MiB were allocated, and the answer is %v", name, n>>20, err)
		}
	}
	whole := asJPEG(t, halves(300, 300))
	if _, err := fitted(t, whole[:len(whole)/2], 80); domain.CodeOf(err) != domain.CodeBadPicture {
		t.Errorf("half a JPEG: %v", err)
	}
}

func manyScans(w, h uint16, n int) []byte {
	scan := []byte("\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00")
	return append(jpegHead(0xc2, w, h, 0x11), bytes.Repeat(scan, n)...)
}

// Decoders cannot be told to stop, but they read.
func TestDecodingEndsWithItsRequest(t *testing.T) {
	t.Parallel()
	data := asJPEG(t, halves(2000, 2000))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := NewMaker().Fit(ctx, func() (io.Reader, error) { return &cancelling{bytes.NewReader(data), cancel}, nil }, 80)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// cancelling cancels a context once all was read.
type cancelling struct {
	io.Reader
	cancel func()
}

func (c *cancelling) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	if err != nil {
		c.cancel()
	}
	return n, err
}
