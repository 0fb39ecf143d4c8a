package picture

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
)

const maxMemory = 32 << 20 // bytes that the decoder allocates for an avatar: 8 megapixels of 8 bits and 4 channels

// bounds are what a picture may cost.
type bounds struct {
	bytes  int64 // of the file
	pixels int64
	side   int   // pixels; 0: any
	memory int64 // bytes that the decoder allocates for pixels
	scans  int   // of a JPEG; encoders make about ten
	// of these times the pixels: each scan is as much work as the whole picture; 0: any
	work int64
	// bytes of a WebP that are lossless: up to 2,600 groups of Huffman trees grow to some hundred times their bytes
	lossless int
}

// forAvatars are the bounds of Square.
var forAvatars = bounds{bytes: MaxBytes, pixels: 8 << 20, memory: maxMemory, scans: 200, lossless: 256 << 10}

// forPosts are the bounds of Fit.
var forPosts = bounds{bytes: MaxPosted, pixels: 50_000_000, side: 1 << 14, memory: 128 << 20, scans: 200,
	work: 600_000_000, lossless: 1 << 20}

// check refuses a file that is no picture, and one whose decoding would cost too much.
func check(data []byte, most bounds) error {
	if int64(len(data)) > most.bytes {
		return unreadable()
	}
	head, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil || head.Width <= 0 || head.Height <= 0 {
		return unreadable().Because(err)
	}
	// Each side of every format fits into 32 bits, so that the product fits into 64.
	pixels := int64(head.Width) * int64(head.Height)
	if pixels > most.pixels || most.side > 0 && max(head.Width, head.Height) > most.side {
		return tooLarge("this picture has too many pixels")
	}
	memory := int64(0)
	switch format {
	case "png":
		memory = pixels * pngBytes(data, head.ColorModel)
	case "jpeg":
		scans := bytes.Count(data, []byte{0xff, 0xda})
		if scans > most.scans || most.work > 0 && int64(scans)*pixels > most.work {
			return tooLarge("this JPEG has too many scans")
		}
		memory = jpegBytes(data) + pixels*colourBytes(head.ColorModel)
	case "gif":
		memory = 2 * pixels // an interlaced frame is put in order by a copy
	case "webp":
		if lossless(data) > most.lossless {
			return tooLarge("this WebP has too much that is lossless")
		}
		memory = webpBytes(head.ColorModel) * pixels
	}
	if memory > most.memory {
		return tooLarge("reading this picture takes too much memory")
	}
	return nil
}

// pngBytes returns how many bytes the decoder allocates for a pixel. A gray picture may
// turn out to have a transparent shade, which makes it one of four channels. The seven
// passes of an interlaced one are as large as the whole, once more; a file whose head is
// not the first chunk is counted as interlaced, since the decoder reads it all the same.
func pngBytes(data []byte, m color.Model) int64 {
	const (
		kind      = 8 + 4      // signature, length of the first chunk
		interlace = 8 + 8 + 12 // the last byte of its data
	)
	n := int64(4)
	switch m {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		n = 8
	case color.GrayModel, color.RGBAModel, color.NRGBAModel:
	default: // a palette
		n = 1
	}
	if len(data) > interlace && (string(data[kind:kind+4]) != "IHDR" || data[interlace] != 0) {
		n *= 2
	}
	return n
}

// colourBytes returns how many bytes the decoder of JPEG allocates for a pixel, to make
// RGB or CMYK of the planes.
func colourBytes(m color.Model) int64 {
	switch m {
	case color.RGBAModel:
		return 4
	case color.CMYKModel:
		return 4 + 4
	}
	return 0
}

// jpegBytes returns how many bytes the decoder allocates for what the file holds: a
// plane for each component, and all coefficients if the picture is progressive. See
// ITU-T T.81, B.2.2.
func jpegBytes(data []byte) int64 {
	for i := 2; i+10 <= len(data); {
		marker := data[i+1]
		switch {
		case data[i] != 0xff || marker == 0xff:
			i++
			continue
		case marker == 0 || marker >= 0xd0 && marker <= 0xd8 || marker == 1: // no length follows
			i += 2
			continue
		case marker >= 0xc0 && marker <= 0xc2:
			return frameBytes(data[i+4:], marker == 0xc2)
		}
		i += 2 + int(binary.BigEndian.Uint16(data[i+2:]))
	}
	return forPosts.memory + 1 // the decoder has found a frame, and we have not
}

// frameBytes reads the head of a frame: precision, height, width, number of components,
// and of each its id, sampling factors and table.
func frameBytes(head []byte, progressive bool) int64 {
	n := int(head[5])
	if len(head) < 6+3*n || n == 0 {
		return forPosts.memory + 1
	}
	height, width := int64(binary.BigEndian.Uint16(head[1:])), int64(binary.BigEndian.Uint16(head[3:]))
	h, v := max(1, int64(head[7]>>4)), max(1, int64(head[7]&15))
	units := (width + 8*h - 1) / (8 * h) * ((height + 8*v - 1) / (8 * v))
	memory := int64(n) * units * 64 * h * v
	if !progressive {
		return memory
	}
	for c := range n {
		s := int64(head[7+3*c])
		memory += units * (s >> 4) * (s & 15) * 64 * 4
	}
	return memory
}

// lossless returns how many bytes of a WebP are of its lossless kind.
func lossless(data []byte) (n int) {
	for i := 12; i+8 <= len(data); {
		size := int(binary.LittleEndian.Uint32(data[i+4:]))
		if kind := string(data[i : i+4]); kind == "VP8L" || kind == "ALPH" {
			n += min(size, len(data)-i)
		}
		i += 8 + size + size&1
	}
	return n
}

// webpBytes returns how many bytes the decoder allocates for a pixel: planes and, where
// there is alpha, a lossless picture beside them.
func webpBytes(m color.Model) int64 {
	switch m {
	case color.YCbCrModel:
		return 3
	case color.NRGBAModel:
		return 4 + 4 // and a copy while a transformation is undone
	}
	return 3 + 4 + 4 + 1
}
