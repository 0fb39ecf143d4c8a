package files

import (
	"bytes"
	"encoding/binary"
	"mime"
	"net/http"
)

const sniffed = 4 << 10 // bytes of a file that tell its type

// mediaType returns the media type of a file by its first bytes, whatever its name says: what browsers show and
// play, and what http.DetectContentType knows else. Only types of domain.ShownInline are ever shown in a page.
func mediaType(head []byte) string {
	switch {
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		return isoType(head)
	case bytes.HasPrefix(head, []byte("fLaC")):
		return "audio/flac"
	case bytes.HasPrefix(head, []byte("OggS")):
		return oggType(head)
	case bytes.HasPrefix(head, []byte("\x1a\x45\xdf\xa3")):
		return matroskaType(head)
	case mpegAudio(head):
		return "audio/mpeg"
	}
	t, _, err := mime.ParseMediaType(http.DetectContentType(head))
	switch {
	case err != nil:
		return "application/octet-stream"
	case t == "audio/wave":
		return "audio/wav"
	}
	return t
}

// isoType returns the type of an ISO base media file by its brands (ISO/IEC 14496-12, 4.3).
func isoType(head []byte) string {
	size := min(int(binary.BigEndian.Uint32(head)), len(head))
	brands := make([]string, 0, 16)
	for i := 8; i+4 <= size; i += 4 {
		if i != 12 { // the minor version
			brands = append(brands, string(head[i:i+4]))
		}
	}
	types := map[string]string{
		"avif": "image/avif", "avis": "image/avif", "heic": "image/heic", "heix": "image/heic", "mif1": "image/heif",
		"M4A ": "audio/mp4", "M4B ": "audio/mp4", "qt  ": "video/quicktime",
	}
	for _, brand := range brands {
		switch t := types[brand]; {
		case t == "image/heif" && bytes.Contains(head[:size], []byte("avif")):
			return "image/avif"
		case t != "":
			return t
		}
		if len(brand) > 2 && (brand[:3] == "iso" || brand[:3] == "mp4" || brand == "avc1" || brand == "dash" ||
			brand == "M4V ") {
			return "video/mp4"
		}
	}
	return "application/octet-stream"
}

// oggType returns whether the first stream of an Ogg file is of video.
func oggType(head []byte) string {
	if bytes.Contains(head[:min(len(head), 128)], []byte("\x80theora")) {
		return "video/ogg"
	}
	return "audio/ogg"
}

// matroskaType returns whether a Matroska file is a WebM with video, or with sound alone, as recorders of browsers
// make it.
func matroskaType(head []byte) string {
	if !bytes.Contains(head[:min(len(head), 64)], []byte("webm")) {
		return "video/x-matroska"
	}
	if bytes.Contains(head, []byte("A_OPUS")) || bytes.Contains(head, []byte("A_VORBIS")) {
		if !bytes.Contains(head, []byte("V_")) {
			return "audio/webm"
		}
	}
	return "video/webm"
}

// mpegAudio reports whether a file begins with a tag of ID3, or with a frame of MPEG audio layer III and another one
// right where that ends.
func mpegAudio(head []byte) bool {
	if bytes.HasPrefix(head, []byte("ID3")) {
		return true
	}
	n := frameLength(head)
	return n > 0 && n+4 <= len(head) && frameLength(head[n:]) > 0
}

// frameLength returns how long the frame of MPEG audio layer III is that b begins with (ISO/IEC 11172-3, 2.4.2.3); 0:
// with none.
func frameLength(b []byte) int {
	if len(b) < 4 || b[0] != 0xff || b[1]&0xe6 != 0xe2 {
		return 0
	}
	one := b[1]&0x18 == 0x18 // MPEG 1; else 2 or 2.5
	rates := [...]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}
	samples := 72
	if one {
		rates = [...]int{0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0}
		samples = 144
	}
	rate, frequency := rates[b[2]>>4]*1000, [...]int{44100, 48000, 32000, 0}[b[2]>>2&3]
	switch b[1] & 0x18 {
	case 0x10:
		frequency /= 2
	case 0:
		frequency /= 4
	case 0x08: // no version
		return 0
	}
	if rate == 0 || frequency == 0 {
		return 0
	}
	return samples*rate/frequency + int(b[2]>>1&1)
}
