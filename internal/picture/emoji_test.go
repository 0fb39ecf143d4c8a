package picture

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"testing"
	"time"

	"github.com/unhidra/unhidra/internal/domain"
)

// A picture of an emoji is made small and stays transparent where it was; a small one is not blown up. Of one that
// moves it is the first frame.
func TestEmoji(t *testing.T) {
	t.Parallel()
	wide := image.NewNRGBA(image.Rect(0, 0, 300, 150))
	wide.Set(150, 75, color.NRGBA{255, 0, 0, 255})
	palette := color.Palette{color.Transparent, color.NRGBA{255, 0, 0, 255}}
	first, second := image.NewPaletted(image.Rect(0, 0, 20, 20), palette), image.NewPaletted(image.Rect(0, 0, 20, 20), palette)
	first.SetColorIndex(3, 3, 1)
	second.SetColorIndex(9, 9, 1)
	for name, c := range map[string]struct {
		data []byte
		size image.Point
	}{
		"a wide one": {encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, wide) }), image.Pt(128, 64)},
		"one that moves": {encoded(t, func(b *bytes.Buffer) error {
			return gif.EncodeAll(b, &gif.GIF{Image: []*image.Paletted{first, second}, Delay: []int{5, 5}})
		}), image.Pt(20, 20)},
	} {
		made, err := NewMaker().Emoji(t.Context(), c.data, domain.EmojiSide)
		if err != nil {
			t.Fatal(err)
		}
		m, format, err := image.Decode(bytes.NewReader(made.Data))
		if err != nil || format != "png" || m.Bounds().Size() != c.size {
			t.Fatalf("%s is a %s of %v, %v", name, format, m.Bounds(), err)
		}
		if _, _, _, a := m.At(0, 0).RGBA(); a != 0 {
			t.Errorf("%s is not transparent any more", name)
		}
		if _, _, _, a := m.At(9, 9).RGBA(); name == "one that moves" && a != 0 {
			t.Error("it is not the first frame")
		}
	}
	for code, data := range map[domain.Code][]byte{
		domain.CodeBadPicture:      []byte("<svg/>"),
		domain.CodePictureTooLarge: make([]byte, MaxEmojiBytes+1),
	} {
		if _, err := NewMaker().Emoji(t.Context(), data, domain.EmojiSide); domain.CodeOf(err) != code {
			t.Errorf("instead of %s: %v", code, err)
		}
	}
}

// A photo is upright. A file may have as many bytes as are said, and no more; one that is cut off, or that claims more
// pixels than a server decodes, is refused; and none of these keeps the next one waiting.
func TestFilesOfEmoji(t *testing.T) {
	t.Parallel()
	m := NewMaker()
	long := func(data []byte, size int) []byte { return append(bytes.Clone(data), make([]byte, size-len(data))...) }
	whole := encoded(t, func(b *bytes.Buffer) error { return png.Encode(b, halves(40, 20)) })
	for name, c := range map[string]struct {
		data []byte
		size image.Point
		code domain.Code
	}{
		"lying on its side":  {photo(t, halves(40, 20), 6), image.Pt(20, 40), ""},
		"of the most bytes":  {long(whole, MaxEmojiBytes), image.Pt(40, 20), ""},
		"of one byte more":   {long(whole, MaxEmojiBytes+1), image.Point{}, domain.CodePictureTooLarge},
		"cut off":            {whole[:len(whole)-20], image.Point{}, domain.CodeBadPicture},
		"of too many pixels": {pngHead(2896, 2896, 16, 2, 0), image.Point{}, domain.CodePictureTooLarge},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		made, err := m.Emoji(ctx, c.data, domain.EmojiSide)
		cancel()
		if domain.CodeOf(err) != c.code || err == nil && image.Pt(made.Width, made.Height) != c.size {
			t.Errorf("%s: %d by %d, %v", name, made.Width, made.Height, err)
		}
	}
}
