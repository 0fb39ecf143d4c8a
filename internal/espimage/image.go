// Package espimage reads firmware: application images of ESP-IDF with their Secure Boot v2 signatures, and
// images of other devices, about which somebody has to tell. It says what a file is, and as findings what is
// wrong with it and what to change. It decides nothing: who uploads what, and which findings matter, is for
// its users.
package espimage

import (
	"bufio"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/unhidra/unhidra/internal/domain"
)

// An Image is what a file of firmware says about itself.
type Image struct {
	Format string `json:"format"` // esp, raw or factory
	Size   int64  `json:"size"`   // of the file
	SHA256 string `json:"sha256"` // of the file

	Chip        string    `json:"chip,omitempty"` // as ESP-IDF names the target; empty: unknown
	ChipID      uint16    `json:"chip_id"`
	RevisionMin uint16    `json:"revision_min"` // of the chip: major*100 + minor
	RevisionMax uint16    `json:"revision_max"` // 65535: no limit
	Entry       uint32    `json:"entry,omitempty"`
	FlashMode   string    `json:"flash_mode,omitempty"`
	FlashSize   string    `json:"flash_size,omitempty"`
	Segments    []Segment `json:"segments,omitempty"`
	ImageSize   int64     `json:"image_size,omitempty"` // without padding after it and signatures
	// Validation is the SHA-256 at the end of the image, by which a device knows which image it runs. Empty: it
	// has none.
	Validation string `json:"validation,omitempty"`

	Project       string `json:"project,omitempty"`
	Version       string `json:"version,omitempty"`
	Built         string `json:"built,omitempty"` // date and time, as the compiler wrote them
	SDK           string `json:"sdk,omitempty"`   // version of ESP-IDF
	SecureVersion uint32 `json:"secure_version"`
	ELFSHA256     string `json:"elf_sha256,omitempty"`
	PageSize      int    `json:"page_size,omitempty"` // of the flash's mapping, in bytes

	FlashBytes int64              `json:"flash_bytes,omitempty"` // that the partitions of a factory image need
	Parts      []domain.FlashPart `json:"parts,omitempty"`       // of a factory image

	Signatures []Signature           `json:"signatures,omitempty"`
	Findings   []domain.ImageFinding `json:"findings,omitempty"`
}

// A Segment is a part of an image.
type Segment struct {
	Offset int64  `json:"offset"` // of its data in the file
	Load   uint32 `json:"load"`   // address; 0: padding
	Size   uint32 `json:"size"`
}

const (
	headerSize    = 24
	segmentHeader = 8
	maxSegments   = 16
	magic         = 0xE9
	noRevision    = 0xFFFF
	sector        = 4096
)

// reader reads one file.
type reader struct {
	file io.ReaderAt
	size int64
	*Image
}

// Read reads an application image of ESP-IDF. What is wrong with the file are findings; the error is one of
// file. It reads the file several times, and needs memory for none of it.
func Read(file io.ReaderAt, size int64) (*Image, error) {
	r := &reader{file: file, size: size, Image: &Image{Format: "esp", Size: size, RevisionMax: noRevision}}
	sum, err := r.sum(0, size)
	if err != nil {
		return nil, err
	}
	r.SHA256 = hex.EncodeToString(sum[:])
	return r.Image, r.read()
}

func (r *reader) read() error {
	head, err := r.bytes(0, sector)
	if err != nil {
		return err
	}
	if done, err := r.otherThanImage(head); done || err != nil {
		return err
	}
	if len(head) < headerSize {
		r.refuse("truncated", "Upload the whole file.", "the file ends after %d bytes, within the header of 24", len(head))
		return nil
	}
	r.header(head)
	end, sum, err := r.walk(int(head[1]))
	if err != nil || end == 0 {
		return err
	}
	if ok, err := r.closing(end, sum, head[23] != 0); !ok || err != nil {
		return err
	}
	r.descriptor(head)
	return r.after()
}

// header reads what the header says.
func (r *reader) header(head []byte) {
	r.Entry = binary.LittleEndian.Uint32(head[4:])
	r.ChipID = binary.LittleEndian.Uint16(head[12:])
	r.RevisionMin = revision(binary.LittleEndian.Uint16(head[15:]), 0)
	r.RevisionMax = revision(binary.LittleEndian.Uint16(head[17:]), noRevision)
	modes := []string{"QIO", "QOUT", "DIO", "DOUT", "FAST", "SLOW"}
	if mode := int(head[2]); mode < len(modes) {
		r.FlashMode = modes[mode]
	} else {
		r.warn("flash_mode", "Set the flash mode in menuconfig.", "byte 2 names flash mode %d, which does not exist", mode)
	}
	if size := head[3] >> 4; size < 8 {
		r.FlashSize = fmt.Sprintf("%dMB", 1<<size)
	}
	chip, ok := chipByID(r.ChipID)
	if r.Chip = chip.Name; !ok {
		r.refuse("unknown_chip", "Build it for a chip that this server knows, or upgrade the server.",
			"bytes 12 and 13 name chip 0x%04x, which is unknown", r.ChipID)
	}
	if r.RevisionMin > r.RevisionMax {
		r.refuse("bad_revisions", "Set the chip's minimum and maximum revision in menuconfig.",
			"it needs revision %s of the chip or higher, and allows %s at most", revisionText(r.RevisionMin),
			revisionText(r.RevisionMax))
	}
}

// revision reads a revision: 0 and 65535 both say that there is no limit.
func revision(v, none uint16) uint16 {
	if v == 0 || v == noRevision {
		return none
	}
	return v
}

// walk reads the segments, and returns where they end, 0 after a finding, and the XOR of their data.
func (r *reader) walk(count int) (end int64, sum byte, err error) {
	if count < 1 || count > maxSegments {
		r.refuse("bad_segments", "Build the image anew.", "byte 1 says that there are %d segments; 1 to %d are possible",
			count, maxSegments)
		return 0, 0, nil
	}
	at, sum := int64(headerSize), byte(0xEF)
	for n := range count {
		head, err := r.bytes(at, segmentHeader)
		if err != nil {
			return 0, 0, err
		}
		if len(head) < segmentHeader {
			r.truncated(at+segmentHeader, "the header of segment %d", n)
			return 0, 0, nil
		}
		s := Segment{Offset: at + segmentHeader, Load: binary.LittleEndian.Uint32(head),
			Size: binary.LittleEndian.Uint32(head[4:])}
		if s.Size%4 != 0 {
			r.refuse("bad_segments", "Build the image anew.",
				"segment %d at byte %#x has %d bytes, which is no multiple of 4", n, at, s.Size)
			return 0, 0, nil
		}
		at = s.Offset + int64(s.Size)
		if at > r.size {
			r.truncated(at, "segment %d", n)
			return 0, 0, nil
		}
		if sum, err = r.xor(sum, s); err != nil {
			return 0, 0, err
		}
		r.Segments = append(r.Segments, s)
	}
	return at, sum, nil
}

// truncated is a finding about a file that should reach to need.
func (r *reader) truncated(need int64, what string, args ...any) {
	r.refuse("truncated", "Upload the whole file: it was cut off when it was copied or sent, or a segment is damaged.",
		"the file has %d bytes, and %s reaches to byte %d", r.size, fmt.Sprintf(what, args...), need)
}

// closing checks the checksum and the hash at the end of the image.
func (r *reader) closing(end int64, sum byte, hashed bool) (ok bool, err error) {
	end = (end + 16) &^ 15
	tail, err := r.bytes(end-1, 1+sha256.Size)
	if err != nil {
		return false, err
	}
	r.ImageSize = end
	if hashed {
		r.ImageSize += sha256.Size
	}
	if r.size < r.ImageSize {
		r.truncated(r.ImageSize, "the checksum and the hash at its end")
		return false, nil
	}
	if tail[0] != sum {
		r.refuse("bad_checksum", "Build or copy it again: its data was changed.",
			"byte %#x has the checksum %#02x, and the segments have %#02x", end-1, tail[0], sum)
	}
	if !hashed {
		r.warn("no_hash", "Build it without --dont-append-digest.",
			"no SHA-256 is appended: devices notice damage by the checksum alone, and take no patches")
		return true, nil
	}
	r.Validation = hex.EncodeToString(tail[1:])
	real, err := r.sum(0, end)
	if err != nil {
		return false, err
	}
	if hex.EncodeToString(real[:]) != r.Validation {
		r.refuse("bad_hash", "Build or copy it again: its data was changed.",
			"the SHA-256 at byte %#x is not that of the image", end)
	}
	return true, nil
}

// bytes reads n bytes at an offset, and fewer at the end of the file.
func (r *reader) bytes(at int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), r.size-at)))
	b := make([]byte, n)
	if _, err := io.ReadFull(io.NewSectionReader(r.file, at, int64(n)), b); err != nil {
		return nil, err
	}
	return b, nil
}

func (r *reader) sum(from, to int64) (sum [sha256.Size]byte, err error) {
	h := sha256.New()
	n, err := io.Copy(h, io.NewSectionReader(r.file, from, to-from))
	if err == nil && n != to-from {
		err = io.ErrUnexpectedEOF
	}
	return [sha256.Size]byte(h.Sum(nil)), err
}

// each calls f with the bytes from an offset to another, in pieces, until it returns false.
func (r *reader) each(from, to int64, f func(at int64, b []byte) bool) error {
	in := bufio.NewReaderSize(io.NewSectionReader(r.file, from, to-from), 1<<16)
	buffer := make([]byte, 1<<14)
	for at := from; at < to; {
		n, err := in.Read(buffer[:min(int64(len(buffer)), to-at)])
		if n > 0 && !f(at, buffer[:n]) {
			return nil
		}
		if at += int64(n); err != nil && at < to {
			return err
		}
	}
	return nil
}

func (r *reader) xor(sum byte, s Segment) (byte, error) {
	err := r.each(s.Offset, s.Offset+int64(s.Size), func(_ int64, b []byte) bool {
		for _, v := range b {
			sum ^= v
		}
		return true
	})
	return sum, err
}
