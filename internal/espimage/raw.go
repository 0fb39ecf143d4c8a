package espimage

import (
	"bytes"
	"encoding/hex"
	"io"
	"strings"
)

// Declared is what somebody says about an image that cannot be read.
type Declared struct {
	Chip    string // what the product calls it
	Magic   []byte // that must be at MagicAt; empty: nothing is checked
	MagicAt int64
}

// ReadRaw reads an image of another device, of which only what is declared is known.
func ReadRaw(file io.ReaderAt, size int64, d Declared) (*Image, error) {
	r := &reader{file: file, size: size, Image: &Image{Format: "raw", Size: size, RevisionMax: noRevision, Chip: d.Chip}}
	sum, err := r.sum(0, size)
	if err != nil {
		return nil, err
	}
	r.SHA256 = hex.EncodeToString(sum[:])
	head, err := r.bytes(0, sector)
	if err != nil {
		return nil, err
	}
	r.suspicious(head)
	got, err := r.bytes(d.MagicAt, len(d.Magic))
	if err == nil && !bytes.Equal(got, d.Magic) {
		r.refuse("bad_magic", "Choose another file, or declare other bytes.", "bytes %#x to %#x are %x, and must be %x",
			d.MagicAt, d.MagicAt+int64(len(d.Magic)), got, d.Magic)
	}
	return r.Image, err
}

// suspicious says what a raw image looks like.
func (r *reader) suspicious(head []byte) {
	begins := func(s string) bool { return strings.HasPrefix(string(head), s) }
	switch {
	case len(head) == 0:
		r.refuse("empty", "Upload the whole file.", "the file is empty")
	case begins("\x7fELF"):
		r.refuse("elf", "Convert it: `objcopy -O binary`. The ELF file goes with it, as such.", "it is an ELF file")
	case begins(":"):
		r.warn("hex", "If devices need binary, convert it: `objcopy -I ihex -O binary`.", "it looks like Intel HEX")
	case begins("<") || begins("{"):
		r.warn("text", "Look at the file: it may be an error page that was saved.", "it looks like text")
	case head[0] == magic && len(head) >= headerSize && r.plausible(head):
		r.warn("esp", "Upload it as an image of ESP-IDF: then it is inspected.", "it looks like an image of ESP-IDF")
	case len(bytes.Trim(head, "\x00")) == 0 || len(bytes.Trim(head, "\xff")) == 0:
		r.warn("blank", "Look at the file.", "its first %d bytes are all the same", len(head))
	}
}

// plausible reports whether the header is one of ESP-IDF.
func (r *reader) plausible(head []byte) bool {
	_, known := chipByID(uint16(head[12]) | uint16(head[13])<<8)
	return known && head[1] >= 1 && head[1] <= maxSegments
}
